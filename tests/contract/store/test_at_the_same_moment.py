"""Two transactions at the same moment: whoever comes second sees what the first did, or is told."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from time import monotonic, sleep
from uuid import uuid4

import pytest
from sqlalchemy import Connection, select, text

from reconciler.errors import Refusal, RefusedError
from reconciler.jobs.folders import StoreFolders
from reconciler.store import files, jobs, receipts
from reconciler.store.database import Store
from reconciler.store.job_states import PENDING

MAILBOX = uuid4()
PATIENCE = 60.0


class Beside:
    """Work in a thread of its own, with the error that ended it."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self.error: Exception | None = None
        self.thread = Thread(target=self._run)

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.error = error


@contextmanager
def beside(store: Store, work: Callable[[], object]) -> Iterator[tuple[Connection, Beside]]:
    """Yield a transaction; work that begins before it commits has gone as far as it can, and then goes on."""
    other = Beside(work)
    with store.write() as tx:
        yield tx, other
        tx.execute(select(1))  # what was only sent until now is done
        other.thread.start()
        deadline = monotonic() + PATIENCE
        # SQLite has one writer at a time, and whoever comes second has read nothing.
        while tx.dialect.name == "postgresql" and other.thread.is_alive() and not waits(store):
            assert monotonic() < deadline
            sleep(0.005)
    other.thread.join(PATIENCE)
    assert not other.thread.is_alive()


def waits(store: Store) -> bool:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with store.engine.connect() as connection:
        return bool(connection.execute(text(waiting)).scalar())


@pytest.fixture
def folders(store: Store) -> StoreFolders:
    return StoreFolders(store, lambda: None, temporary=["*.part"])


def put(folders: StoreFolders, folder: str, name: str, content: bytes = b"a", *, exclusive: bool = False) -> None:
    upload = folders.upload(MAILBOX, folder, name, exclusive=exclusive, keep=False)
    upload.write(0, content)
    upload.commit()


def taken(tx: Connection, name: str) -> None:
    """Do what the commit of the file's job does to it."""
    found = files.find(tx, MAILBOX, "coutbox", name)
    assert found is not None
    assert found.receipt is not None
    receipts.end(tx, found.receipt, "done")
    files.remove_of_receipt(tx, MAILBOX, "coutbox", name, found.receipt)


def pending(store: Store) -> int:
    with store.read() as connection:
        return sum(number for (_, state), number in jobs.counts(connection).items() if state in PENDING)


def names(folders: StoreFolders, folder: str) -> list[str]:
    return [entry.name for entry in folders.entries(MAILBOX, folder)]


class TestFiles:
    def test_what_is_processed_is_not_renamed_to_be_processed_again(self, store: Store, folders: StoreFolders) -> None:
        put(folders, "coutbox", "a")
        rename = lambda: folders.rename(MAILBOX, ("coutbox", "a"), ("coutbox", "b"), replace=False)  # noqa: E731
        with beside(store, rename) as (tx, other):
            taken(tx, "a")
        assert isinstance(other.error, RefusedError), other.error
        assert other.error.refusal is Refusal.NO_SUCH_FILE
        assert (names(folders, "coutbox"), pending(store)) == ([], 1)

    def test_what_is_processed_is_not_said_to_be_removed(self, store: Store, folders: StoreFolders) -> None:
        put(folders, "coutbox", "a")
        with beside(store, lambda: folders.remove(MAILBOX, "coutbox", "a")) as (tx, other):
            taken(tx, "a")
        assert isinstance(other.error, RefusedError), other.error

    def test_of_two_that_rename_a_file_one_does(self, store: Store, folders: StoreFolders) -> None:
        put(folders, "coutbox", "a.part")

        def rename() -> None:
            folders.rename(MAILBOX, ("coutbox", "a.part"), ("coutbox", "b"), replace=False)

        with beside(store, rename) as (tx, other):
            assert files.remove(tx, MAILBOX, "coutbox", "a.part")
        assert isinstance(other.error, RefusedError), other.error
        assert pending(store) == 0

    def test_of_two_that_want_a_name_for_themselves_one_gets_it(self, store: Store, folders: StoreFolders) -> None:
        with beside(store, lambda: put(folders, "error", "a", b"second", exclusive=True)) as (tx, other):
            sealed = store.blobs.seal(b"first")
            store.blobs.put(tx, sealed)
            files.put(tx, MAILBOX, "error", "a", sha256=sealed.sha256, size=5)
        assert isinstance(other.error, RefusedError), other.error
        assert other.error.refusal is Refusal.ALREADY_EXISTS
        with folders.open(MAILBOX, "error", "a") as file:
            assert file.read() == b"first"

    def test_a_rename_takes_no_name_that_was_just_given(self, store: Store, folders: StoreFolders) -> None:
        put(folders, "error", "b", b"second")
        rename = lambda: folders.rename(MAILBOX, ("error", "b"), ("error", "a"), replace=False)  # noqa: E731
        with beside(store, rename) as (tx, other):
            sealed = store.blobs.seal(b"first")
            store.blobs.put(tx, sealed)
            files.put(tx, MAILBOX, "error", "a", sha256=sealed.sha256, size=5)
        assert isinstance(other.error, RefusedError), other.error
        assert names(folders, "error") == ["a", "b"]
