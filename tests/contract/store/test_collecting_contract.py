"""Payloads that nothing names are forgotten, over every database, and never one that somebody names meanwhile."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from time import sleep
from uuid import uuid4

import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from reconciler.errors import BlobError
from reconciler.store import files, retention, tables
from reconciler.store.database import Store
from reconciler.store.retention import Collected, collect

MAILBOX = uuid4()


def payload(store: Store, content: bytes) -> str:
    sealed = store.blobs.seal(content)
    with store.write() as tx:
        return store.blobs.put(tx, sealed)


class TestCollecting:
    def test_whoever_names_one_meanwhile_keeps_it(self, store: Store) -> None:
        """A name that is copied from another row, as by a file that is moved, is no upload: it makes nothing young."""
        kept, gone = payload(store, b"kept"), payload(store, b"gone")
        with store.write() as tx:
            tx.execute(update(tables.blob).values(created_at=datetime.now(UTC) - timedelta(days=9)))
        with ThreadPoolExecutor(1) as pool:
            with store.write() as tx:
                files.put(tx, MAILBOX, "cinbox", "a", sha256=kept, size=4)
                assert files.page(tx, MAILBOX, "cinbox", "")
                collecting = pool.submit(collect, store, older_than=timedelta(days=2))
                sleep(0.2)  # it has found both by now, and waits for this transaction
            assert collecting.result(30).payloads == 1
        with store.read() as connection:
            assert store.blobs.read(connection, kept) == b"kept"
            with pytest.raises(BlobError):
                store.blobs.read(connection, gone)

    def test_names_are_checked_again_afterwards(self, store: Store) -> None:
        with store.write_unchecked() as tx:
            tx.execute(delete(tables.blob))
        with pytest.raises(IntegrityError), store.write() as tx:
            files.put(tx, MAILBOX, "cinbox", "a", sha256="0" * 64, size=4)

    def test_an_exception_rolls_it_back(self, store: Store) -> None:
        name = payload(store, b"payload")
        row = {"size": 1, "content": b"", "created_at": datetime.now(UTC)}
        rows = [{**row, "sha256": "0" * 64}, {**row, "sha256": name}]
        with pytest.raises(IntegrityError), store.write_unchecked() as tx:
            tx.execute(insert(tables.blob), rows)
        with store.read() as connection:
            assert connection.execute(select(tables.blob.c.sha256)).scalars().all() == [name]
        payload(store, b"another")  # and others write on

    def test_one_comparison_finds_no_more_than_a_page(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(retention, "_PAGE", 2)
        names = [payload(store, str(number).encode()) for number in range(7)]
        with store.write() as tx:
            tx.execute(update(tables.blob).values(created_at=datetime.now(UTC) - timedelta(days=9)))
            files.put(tx, MAILBOX, "cinbox", "a", sha256=names[3], size=1)
        assert collect(store, older_than=timedelta(days=2)) == Collected(6, 6)
        assert collect(store, older_than=timedelta(days=2)) == Collected(0, 0)
