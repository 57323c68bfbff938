"""Gateways on either store, for what may happen to them."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.acceptance.faults.sites import Site
from tests.object_store import running_s3
from tests.postgresql import PostgresqlServer, running_postgresql


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    with running_postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def bucket() -> Iterator[str]:
    with running_s3() as url:
        yield url


@pytest.fixture
def new_site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Return what makes applied gateways that are not running yet, by name."""
    made: list[Site] = []

    def make(
        name: str = "one",
        *,
        url: str | None = None,
        payloads: str | None = None,
        like: Site | None = None,
        state: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Site:
        made.append(Site(tmp_path / name, url=url, payloads=payloads, like=like, state=state, environment=environment))
        return made[-1]

    yield make
    for site in made:
        site.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, new_site: Callable[..., Site]) -> Site:
    """Return a gateway on each store."""
    if request.param == "sqlite":
        return new_site()
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    return new_site(url=server.database())
