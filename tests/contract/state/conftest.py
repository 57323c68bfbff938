"""One project twice: with its store at hand, and with a gateway over HTTPS in its place."""

import getpass
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from reconciler.cli.examples import example
from reconciler.cli.main import main
from reconciler.service.workspace import Workspace
from reconciler.store import tokens
from reconciler.store.tokens import Role
from tests.acceptance.web.seeding import seed
from tests.admin_site import Wire, serving

_PASSING = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(\+00:00|Z| UTC)?"), "<time>"),
    # What is made by the command itself; what was there before has a number for a UUID.
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[47][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b"), "<uuid>"),
    (re.compile(r"process \d+"), "process <number>"),
)


@dataclass(frozen=True)
class Answer:
    """What a command said and how it ended, without what is another at each run."""

    code: int
    stdout: str
    stderr: str


@dataclass
class Site:
    """A project and where its live side is."""

    folder: Path
    workspace: Workspace
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str) -> Answer:
        result = CliRunner().invoke(main, ["--config", str(self.folder), *arguments], env=self.environment)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        return Answer(result.exit_code, self._lasting(result.stdout), self._lasting(result.stderr))

    def _lasting(self, text: str) -> str:
        for pattern, word in _PASSING:
            text = pattern.sub(word, text)
        return text.replace(str(self.folder), "<project>")

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        assert path.read_text().count(old) == 1, (name, old)
        path.write_text(path.read_text().replace(old, new))


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Apply the quickstart example and give it some days of work, once for all tests."""
    folder = tmp_path_factory.mktemp("seeded") / "project"
    shutil.copytree(example("quickstart"), folder)
    workspace = Workspace.open(folder)
    desired = workspace.load()
    workspace.apply(workspace.plan(desired), desired, actor="ada")
    seed(workspace, count=12)
    workspace.close()
    return folder


@contextmanager
def near(seeded: Path, folder: Path) -> Iterator[Site]:
    shutil.copytree(seeded, folder)
    workspace = Workspace.open(folder)
    yield Site(folder, workspace)
    workspace.close()


@contextmanager
def distant(seeded: Path, folder: Path, wire: Wire) -> Iterator[Site]:
    gateway = folder.with_name(f"{folder.name}-gateway")
    shutil.copytree(seeded, gateway)
    shutil.copytree(seeded, folder, ignore=shutil.ignore_patterns(".reconciler"))
    workspace = Workspace.open(gateway)
    with workspace.store.write() as tx:
        token = tokens.create(
            tx,
            getpass.getuser(),  # so that both histories name the same actor
            Role.ADMIN,
            account=None,
            expires_at=datetime.now(UTC) + timedelta(days=1),
            actor="test",
        )
    with serving(workspace, wire) as url:
        yield Site(folder, workspace, {"RECONCILER_STATE": url, "RECONCILER_TOKEN": token.reveal()})
    workspace.close()


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def far_away(seeded: Path, tmp_path: Path, wire: Wire) -> Iterator[Site]:
    with distant(seeded, tmp_path / "far-away", wire) as site:
        yield site


@pytest.fixture
def both(seeded: Path, tmp_path: Path, far_away: Site) -> Iterator[tuple[Site, Site]]:
    with near(seeded, tmp_path / "at-hand") as at_hand:
        yield at_hand, far_away


@pytest.fixture(scope="module")
def unchanged(seeded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Site]]:
    """Return both for commands that change nothing: once for all of them."""
    folder = tmp_path_factory.mktemp("unchanged")
    with near(seeded, folder / "at-hand") as at_hand, distant(seeded, folder / "far-away", Wire()) as far_away:
        yield at_hand, far_away
