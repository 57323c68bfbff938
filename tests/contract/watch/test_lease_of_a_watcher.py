"""A watcher whose store is out of reach for a while stays one, and knows when another took over."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from reconciler.apply import lease
from reconciler.apply.lease import WATCH, holding
from reconciler.service.watching import Folder, Watching, watch
from reconciler.service.workspace import Workspace
from reconciler.store import leases
from reconciler.watch.round import Policy

QUICKSTART = Path(__file__).parents[3] / "examples/quickstart"
PATIENCE = 60.0
Breaking = Callable[[int], Event]


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    shutil.copytree(QUICKSTART, tmp_path / "project")
    opened = Workspace.open(tmp_path / "project")
    yield opened
    opened.close()


@pytest.fixture
def break_off(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Breaking:
    """Return what puts the store out of reach for so many transactions, and returns what is set when they are over."""
    store = workspace.store
    write = store.write

    def begin(times: int) -> Event:
        left = iter(range(times))
        over = Event()

        def broken() -> AbstractContextManager[Connection]:
            if next(left, None) is not None:
                raise OperationalError("BEGIN", {}, Exception("the database is gone"))
            over.set()
            return write()

        monkeypatch.setattr(store, "write", broken)
        return over

    return begin


def test_who_could_not_prolong_a_lease_learns_that_another_has_it(
    workspace: Workspace, break_off: Breaking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "BEAT", 0.01)
    store = workspace.store
    with holding(store, WATCH, actor="ada", timeout=0) as held:
        over = break_off(3)
        assert over.wait(PATIENCE)
        assert not held.lost.is_set()
        with store.write() as tx:
            leases.release(tx, WATCH)
            leases.acquire(tx, WATCH, owner="bob", token="other", length=timedelta(minutes=1))
        assert held.lost.wait(PATIENCE)


def test_a_watcher_that_cannot_begin_tries_again(workspace: Workspace, break_off: Breaking) -> None:
    over = break_off(2)
    stop, wake = Event(), Event()
    how = Watching(policy=Policy(), interval=timedelta(milliseconds=10))
    watcher = Thread(
        target=watch, args=(Folder(workspace.project.root), workspace, how), kwargs={"stop": stop, "wake": wake}
    )
    watcher.start()
    assert over.wait(PATIENCE)
    stop.set()
    wake.set()
    watcher.join(PATIENCE)
    assert not watcher.is_alive()
