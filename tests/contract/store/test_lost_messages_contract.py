"""AS2 messages that were answered and whose receipt is gone, on every database: nothing is lost, nothing done twice."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, select

from reconciler.errors import ReconcilerError
from reconciler.jobs.as2_intake import StoreIntake
from reconciler.jobs.directory import Directory
from reconciler.jobs.reprocessing import reprocess
from reconciler.model.rule import Direction
from reconciler.protocols.as2.ports import Answer, Attachment, Outcome, Received
from reconciler.store import conversions, jobs, posts, receipts, tables
from reconciler.store.checking import check
from reconciler.store.conversions import Conversion, ConversionStatus
from reconciler.store.database import Store
from reconciler.store.finding import Fault
from reconciler.store.job_states import PENDING
from reconciler.store.search import LogFilter

MAILBOX = uuid4()
SUBJECT = "message <1@acme> from ACME to RETAIL"


def receive(store: Store, *attachments: Attachment) -> list[UUID]:
    """Receive the message, as often as it comes; return the receipts that wait, in the order of the files."""
    directory = Directory(store)
    received = Received(
        mailbox=MAILBOX,
        as2_from="ACME",
        as2_to="RETAIL",
        message_id="<1@acme>",
        outcome=Outcome.ACCEPTED,
        started_at=datetime.now(UTC),
        headers={"AS2-From": "ACME", "AS2-To": "RETAIL"},
        wire_size=8,
        mdn=Answer(200, {}, b"MDN"),
        file_name="a.edi",
        content_type="application/edifact",
        subject="",
        payload=b"an order",
        attributes={"AS2-From": "ACME", "AS2-To": "RETAIL", "Message-ID": "<1@acme>"},
        attachments=attachments,
    )
    StoreIntake(store, directory, directory.content, lambda: None).receive(received)
    with store.read() as connection:
        return [UUID(row.subject) for row in jobs.listed(connection, PENDING, limit=9) if row.kind == "receipt"]


def lose(store: Store, receipt: UUID) -> None:
    with store.write() as tx:
        tx.execute(delete(tables.receipt).where(tables.receipt.c.uuid == receipt))


def mended(store: Store) -> bool:
    """Check that the loss is found, mend it, and say whether it was, and for good."""
    (found,) = check(store, repair=False)
    assert (found.fault, found.subject, found.mended) == (Fault.LOST, SUBJECT, False)
    (finding,) = check(store, repair=True)
    assert (finding.fault, finding.subject) == (Fault.LOST, SUBJECT)
    assert finding.mended is (list(check(store, repair=False)) == [])
    return finding.mended


def test_what_was_not_converted_is_said_to_be_lost_and_taken_when_it_comes_again(store: Store) -> None:
    (receipt,) = receive(store)
    assert list(check(store, repair=False)) == []
    lose(store, receipt)
    assert mended(store)
    with store.read() as connection:
        (record,) = conversions.newest(connection, LogFilter(), limit=9)
        assert b"send it again" in store.blobs.read(connection, record.input)
        assert posts.received_as(connection, record) == "<1@acme>"
        assert [job.kind for job in jobs.listed(connection, PENDING, limit=9)] == ["digest"]
    assert (record.mailbox, record.status, record.error_code) == (MAILBOX, "FAILED", posts.LOST)
    with pytest.raises(ReconcilerError, match="has to send it again"):
        reprocess(store, record.uuid)
    (again,) = receive(store)
    with store.read() as connection:
        assert receipts.get(connection, again).state == "received"
    assert again != receipt


@pytest.mark.parametrize(("status", "state"), [("PROCESSED", "done"), ("FAILED", "failed")])
def test_what_was_converted_is_not_done_twice(store: Store, status: str, state: str) -> None:
    (uuid,) = receive(store)
    with store.write() as tx:
        receipt = receipts.get(tx, uuid)
        record = Conversion(
            status=ConversionStatus(status),
            direction=Direction.OUT,
            mailbox=MAILBOX,
            rule=None,
            receipt=uuid,
            file_name="a.edi",
            input=receipt.sha256,
        )
        conversions.put(tx, record)
        tx.execute(delete(tables.job))
    lose(store, uuid)
    assert mended(store)
    assert receive(store) == []
    with store.read() as connection:
        again = receipts.get(connection, uuid)
        assert posts.received_as(connection, record) == "<1@acme>"
    assert (again.mailbox, again.name, again.sha256, again.size) == (MAILBOX, "a.edi", receipt.sha256, 8)
    assert again.state == state


def test_the_other_files_of_a_message_are_not_processed_twice(store: Store) -> None:
    receipt, other = receive(store, Attachment(payload=b"a drawing", file_name="b.pdf"))
    lose(store, receipt)
    assert mended(store)
    assert receive(store) == [other]
    with store.read() as connection:
        (record,) = conversions.newest(connection, LogFilter(), limit=9)
        assert connection.execute(select(tables.as2_message.c.receipt)).scalars().all() == [other]
    assert "in a new message" in record.error


def test_for_whom_it_was_has_to_be_certain(store: Store) -> None:
    (receipt,) = receive(store)
    lose(store, receipt)
    with store.write() as tx:
        tx.execute(delete(tables.as2_exchange))
    assert not mended(store)
