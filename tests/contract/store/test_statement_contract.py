"""Statements that the driver runs itself: the same rows, values and errors as SQLAlchemy's own execution."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from reconciler.store import tables
from reconciler.store.database import Store
from reconciler.store.receipts import Receipt
from reconciler.store.statement import Statement, insertion
from reconciler.store.upsert import row_of

ADD = Statement(insert(tables.receipt), insertion(tables.receipt))
ALL = Statement(select(tables.receipt))
RENAME = Statement(update(tables.receipt).where(tables.receipt.c.name == bindparam("old")).values(name="ünïcode"))


def receipt(store: Store, name: str = "a.xml") -> Receipt:
    sealed = store.blobs.seal(b"content")
    with store.write() as tx:
        store.blobs.put(tx, sealed)
    return Receipt(
        mailbox=uuid4(),
        channel="as2",
        native=True,
        name=name,
        sha256=sealed.sha256,
        size=7,
        attributes={"AS2-From": "ACME"},
        received_at=datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
    )


def test_values_of_every_type_come_back_as_they_went(store: Store) -> None:
    row = row_of(receipt(store))
    with store.write() as tx:
        assert ADD.run(tx, row) == 1
        assert [dict(found) for found in tx.execute(select(tables.receipt)).mappings()] == [row]
        assert [dict(zip(row, found, strict=True)) for found in ALL.all(tx)] == [row]


def test_says_how_many_rows_changed(store: Store) -> None:
    rows = [row_of(receipt(store, name)) for name in ("a", "b", "b")]
    with store.write() as tx:
        ADD.run_many(tx, rows)
        assert RENAME.run(tx, {"old": "c"}) == 0
        assert RENAME.run(tx, {"old": "b"}) == 2
        assert sorted(row[4] for row in ALL.all(tx)) == ["a", "ünïcode", "ünïcode"]


def test_raises_sqlalchemys_errors_and_leaves_the_transaction_to_be_rolled_back(store: Store) -> None:
    row = row_of(receipt(store))
    with store.write() as tx:
        ADD.run(tx, row)
    with pytest.raises(IntegrityError), store.write() as tx:
        ADD.run(tx, row)
    with store.read() as connection:
        assert len(ALL.all(connection)) == 1


def test_what_is_sent_is_done_before_whatever_comes_next(store: Store) -> None:
    row = row_of(receipt(store))
    with store.write() as tx:
        ADD.send(tx, row)
        renamed = RENAME.later(tx, {"old": "a.xml"})
        assert tx.execute(select(tables.receipt.c.name)).scalars().all() == ["ünïcode"]
    assert renamed.changed() == 1


def test_what_comes_later_can_be_asked_for_after_the_end(store: Store) -> None:
    row = row_of(receipt(store))
    with store.write() as tx:
        ADD.send(tx, row)
        found = ALL.later(tx)
    assert dict(zip(row, found.first() or (), strict=True)) == row


def test_what_failed_when_it_was_sent_fails_its_transaction(store: Store) -> None:
    row = row_of(receipt(store))
    with store.write() as tx:
        ADD.send(tx, row)
    with pytest.raises(IntegrityError), store.write() as tx:  # noqa: PT012 - on PostgreSQL it is the end that raises
        RENAME.send(tx, {"old": "a.xml"})
        ADD.send(tx, row)
    with store.read() as connection:
        assert [found[4] for found in ALL.all(connection)] == ["a.xml"]


def test_more_than_a_socket_takes_is_sent_together(store: Store) -> None:
    sealed = [store.blobs.seal(bytes([number]) * 32_000) for number in range(200)]
    with store.write() as tx:
        for each in sealed:
            store.blobs.put(tx, each)
    with store.read() as connection:
        assert all(store.blobs.read(connection, each.sha256) == each.content for each in sealed)
