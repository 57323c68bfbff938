"""A gateway's store with the quickstart example applied, and its admin API."""

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import httpx
import pytest

from reconciler.cli.examples import example
from reconciler.service.workspace import Workspace
from reconciler.store import tokens
from reconciler.store.tokens import Role
from tests.admin_site import serving


@pytest.fixture(scope="session")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Apply the quickstart example once for all tests: generating its keys takes a while."""
    folder = tmp_path_factory.mktemp("applied") / "project"
    shutil.copytree(example("quickstart"), folder)
    workspace = Workspace.open(folder)
    try:
        desired = workspace.load()
        workspace.apply(workspace.plan(desired), desired, actor="ada")
    finally:
        workspace.close()
    return folder


@pytest.fixture
def workspace(applied: Path, tmp_path: Path) -> Iterator[Workspace]:
    folder = tmp_path / "project"
    shutil.copytree(applied, folder)
    opened = Workspace.open(folder)
    yield opened
    opened.close()


MakeToken = Callable[..., str]


@pytest.fixture
def make_token(workspace: Workspace) -> MakeToken:
    """Make a token of a role, for all accounts or for one."""
    numbers = count(1)

    def make(role: Role, account: str | None = None, *, lifetime: timedelta = timedelta(days=1)) -> str:
        name = f"{role}-{next(numbers)}"
        with workspace.store.write() as tx:
            secret = tokens.create(
                tx, name, role, account=account, expires_at=datetime.now(UTC) + lifetime, actor="test"
            )
        return secret.reveal()

    return make


@pytest.fixture
def site(workspace: Workspace) -> Iterator[str]:
    """Serve the admin API and the pages; return their URL."""
    with serving(workspace) as url:
        yield url


@pytest.fixture
def api(site: str) -> Iterator[httpx.Client]:
    """Return a client of the admin API without a token."""
    with httpx.Client(base_url=f"{site}/api/v1", trust_env=False, timeout=60) as client:
        yield client


@pytest.fixture
def as_role(api: httpx.Client, make_token: MakeToken) -> Callable[..., httpx.Client]:
    """Give the client a token of a role."""

    def signed(role: Role, account: str | None = None) -> httpx.Client:
        api.headers["Authorization"] = f"Bearer {make_token(role, account)}"
        return api

    return signed
