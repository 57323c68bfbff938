"""What one of all nodes does now and then, on every database."""

from datetime import UTC, datetime, timedelta
from threading import Event
from threading import enumerate as enumerate_threads

import pytest
from sqlalchemy import Engine, select, update

from reconciler.jobs.elected import Elected
from reconciler.jobs.keeping import Keeping, Memory
from reconciler.store import tables
from reconciler.store.database import Store
from tests.contract.store.conftest import Opener

SOON = timedelta(milliseconds=10)


class Work:
    """Counts how often it was done, says when it was done again, and fails each time."""

    def __init__(self) -> None:
        self.times = 0
        self.again = Event()

    def __call__(self) -> None:
        self.times += 1
        if self.times > 1:
            self.again.set()
        raise OSError("no luck")


def begun(engine: Engine, work: Work) -> Elected:
    elected = Elected(engine, "the test", work, interval=SOON)
    elected.start()
    return elected


def test_it_is_done_again_after_an_error_until_it_is_stopped(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    work = Work()
    elected = begun(store.engine, work)
    assert work.again.wait(30)
    elected.stop(30)
    assert "the test" not in {thread.name for thread in enumerate_threads()}
    assert caplog.messages[:2] == ["the test failed"] * 2


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)  # a SQLite store has one gateway
def test_one_does_it_and_another_once_that_one_ends(open_store: Opener) -> None:
    here, there = Work(), Work()
    first = begun(open_store().engine, here)
    assert here.again.wait(30)
    second = begun(open_store().engine, there)
    here.again.clear()
    assert here.again.wait(30)
    assert there.times == 0
    first.stop(30)
    assert there.again.wait(30)
    second.stop(30)


def test_house_is_kept(store: Store) -> None:
    with store.write() as tx:
        old = store.blobs.put(tx, store.blobs.seal(b"nobody names it"))
        tx.execute(update(tables.blob).values(created_at=datetime.now(UTC) - timedelta(days=40)))
    Keeping(store, memory=Memory(log=timedelta(days=90))).keep_house()
    with store.read() as connection:
        assert old not in connection.execute(select(tables.blob.c.sha256)).scalars().all()
