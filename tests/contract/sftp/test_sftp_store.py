"""What the folders of the store say when the store cannot do what is asked, and when nodes share it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from reconciler.errors import Refusal, RefusedError
from reconciler.jobs.folders import StoreFolders
from reconciler.protocols.sftp.folders import BOUNDLESS, Room
from reconciler.store.database import Store
from tests.postgresql import running_postgresql

MAILBOX = uuid4()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path)
    yield store
    store.close()


def put(folders: StoreFolders, mailbox: UUID, name: str, content: bytes, room: Room = BOUNDLESS) -> None:
    upload = folders.upload(mailbox, "coutbox", name, exclusive=False, keep=False, room=room)
    try:
        upload.write(0, content)
        upload.commit()
    finally:
        upload.abort()


def test_a_full_database_is_a_refusal_and_leaves_nothing(store: Store) -> None:
    folders = StoreFolders(store, lambda: None)
    with store.engine.connect() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar()
        # The limit belongs to a connection, of which a pool that is asked for one at a time has one.
        connection.execute(text(f"PRAGMA max_page_count = {pages}"))

    def fill() -> None:
        for number in range(20):
            put(folders, MAILBOX, f"{number}", bytes([number]) * 30_000)

    with pytest.raises(RefusedError, match="try again later") as caught:
        fill()
    assert caught.value.refusal is Refusal.UNAVAILABLE
    there = list(folders.entries(MAILBOX, "coutbox"))
    assert len(there) < 20
    for entry in there:
        with folders.open(MAILBOX, "coutbox", entry.name) as file:
            assert len(file.read()) == 30_000


def test_a_payload_that_is_gone_is_a_refusal(store: Store) -> None:
    folders = StoreFolders(store, lambda: None)
    put(folders, MAILBOX, "large", b"x" * 100_000)
    for path in (store.folder / "blobs").rglob("*"):
        if path.is_file():
            path.unlink()
    with pytest.raises(RefusedError, match="try again later"):
        folders.open(MAILBOX, "coutbox", "large")


def test_a_table_that_is_gone_is_a_refusal(store: Store) -> None:
    folders = StoreFolders(store, lambda: None)
    with store.write() as tx:
        tx.execute(text("DROP TABLE file"))
    for ask in (
        lambda: list(folders.entries(MAILBOX, "inbox")),
        lambda: folders.find(MAILBOX, "inbox", "a"),
        lambda: folders.remove(MAILBOX, "inbox", "a"),
        lambda: put(folders, MAILBOX, "a", b"a"),
    ):
        with pytest.raises(RefusedError, match="try again later"):
            ask()


def test_a_quota_holds_whatever_is_uploaded_at_once_on_several_nodes(tmp_path: Path) -> None:
    with running_postgresql() as server:
        url = server.database()
        with closing(Store(tmp_path / "one", url)) as one, closing(Store(tmp_path / "two", url)) as two:
            nodes = [StoreFolders(store, lambda: None) for store in (one, two)]

            def refused(number: int) -> bool:
                try:
                    put(nodes[number % 2], MAILBOX, f"{number}", b"x", Room(None, 10))
                except RefusedError as error:
                    return error.refusal is Refusal.QUOTA_EXCEEDED
                return False

            with ThreadPoolExecutor(16) as partners:
                refusals = sum(partners.map(refused, range(60)))
            assert (refusals, len(list(nodes[0].entries(MAILBOX, "coutbox")))) == (50, 10)
