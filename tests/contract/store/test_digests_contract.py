"""Failures are told in one mail an interval, over every database, and none is forgotten."""

from datetime import UTC, datetime
from threading import Event, Thread
from uuid import UUID, uuid4

from reconciler.model.rule import Direction
from reconciler.store import conversions, digests
from reconciler.store.conversions import Conversion, ConversionStatus
from reconciler.store.database import Store

MAILBOX = uuid4()


def fail(store: Store, name: str = "a.edi", *, uuid: UUID | None = None) -> bool:
    """Record a failure as a worker does; say whether somebody has to be told to tell it."""
    sealed = store.blobs.seal(b"payload")
    with store.write() as tx:
        sha256 = store.blobs.put(tx, sealed)
        record = Conversion(
            uuid=uuid or uuid4(),
            status=ConversionStatus.FAILED,
            direction=Direction.OUT,
            mailbox=MAILBOX,
            rule=None,
            file_name=name,
            input=sha256,
            changed_at=datetime.now(UTC),
        )
        conversions.put(tx, record)
        return digests.note(tx, MAILBOX, record.uuid)


def test_many_failures_are_told_at_once(store: Store) -> None:
    assert [fail(store, f"{number}.edi") for number in range(5)] == [True, False, False, False, False]
    with store.write() as tx:
        digest = digests.take(tx, MAILBOX, first=2)
    assert [record.file_name for record in digest.failures] == ["4.edi", "3.edi"]
    assert digest.total == 5
    with store.write() as tx:
        assert digests.take(tx, MAILBOX, first=2).total == 0
    assert fail(store)


def test_what_was_mended_meanwhile_is_not_told(store: Store) -> None:
    uuid = uuid4()
    fail(store, uuid=uuid)
    fail(store, "b.edi")
    with store.write() as tx:
        tx.exec_driver_sql("UPDATE conversion SET status = 'REPROCESSED' WHERE file_name = 'a.edi'")
        digest = digests.take(tx, MAILBOX, first=10)
    assert [record.file_name for record in digest.failures] == ["b.edi"]


def test_a_failure_during_the_telling_is_told_next(store: Store) -> None:
    fail(store)
    waits, heard = Event(), []

    def fail_meanwhile() -> None:
        waits.set()
        heard.append(fail(store, "late.edi"))

    late = Thread(target=fail_meanwhile)
    with store.write() as tx:
        digests.take(tx, MAILBOX, first=10)
        late.start()
        assert waits.wait(60)
        late.join(0.2)
        assert heard == []  # it waits for the mail that is being written
    late.join(60)
    assert heard == [True]
