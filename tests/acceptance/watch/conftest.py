from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.watch.watched import LiveSide, Repository, Watcher
from tests.conftest import require_program


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    require_program("git", package="git")
    return Repository(tmp_path)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def live(repository: Repository, home: Path) -> Iterator[LiveSide]:
    side = LiveSide(repository.tree, home)
    yield side
    side.close()


@pytest.fixture
def watch(repository: Repository, home: Path) -> Iterator[Callable[..., Watcher]]:
    """Return a function that starts a watcher of the repository with further options."""
    started: list[Watcher] = []

    def start(*options: str, **environment: str) -> Watcher:
        watcher = Watcher(home, "--git", str(repository.bare), "--interval", "1s", *options, **environment)
        started.append(watcher)
        return watcher

    yield start
    for watcher in started:
        watcher.stop()
