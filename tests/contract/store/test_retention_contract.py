"""What is over is forgotten when its time has passed, over every database; what somebody still needs is not."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4
from zipfile import ZipFile

import pytest
from sqlalchemy import update

from reconciler.errors import ReconcilerError
from reconciler.jobs import reprocessing
from reconciler.model.rule import Direction
from reconciler.store import audit, checking, conversions, envelopes, files, posts, receipts, search, tables
from reconciler.store.archive import Archive
from reconciler.store.audit import Call
from reconciler.store.conversions import Conversion, ConversionStatus
from reconciler.store.database import Store
from reconciler.store.envelopes import StoredEnvelope
from reconciler.store.forgetting import FORGOTTEN, forget_audit, forget_log, forget_payloads
from reconciler.store.posts import StoredAnswer
from reconciler.store.receipts import Receipt
from reconciler.store.search import LogFilter

DAY = timedelta(days=1)
MAILBOX = uuid4()


def recorded(store: Store, age: timedelta, *, status: ConversionStatus = ConversionStatus.PROCESSED) -> Conversion:
    """Record a conversion of so long ago, with the receipt that it stems from."""
    at = datetime.now(UTC) - age
    content, result = store.blobs.seal(f"input {age}".encode()), store.blobs.seal(f"output {age}".encode())
    with store.write() as tx:
        source, output = store.blobs.put(tx, content), store.blobs.put(tx, result)
        receipt = Receipt(
            mailbox=MAILBOX, channel="sftp", native=False, name="a.edi", sha256=source, size=1, received_at=at
        )
        receipts.add(tx, receipt)
        failed = status is ConversionStatus.FAILED
        receipts.end(tx, receipt.uuid, "failed" if failed else "done")
        record = Conversion(
            created_at=at,
            changed_at=at,
            status=status,
            direction=Direction.OUT,
            mailbox=MAILBOX,
            rule=None,
            receipt=receipt.uuid,
            file_name=f"a{age.days}.edi",
            input=source,
            output=None if failed else output,
        )
        conversions.put(tx, record)
    return record


def sent(store: Store, age: timedelta, status: str) -> UUID:
    """Send an envelope so long ago; its recipient has been served."""
    at = datetime.now(UTC) - age
    sealed = store.blobs.seal(b"<envelope/>")
    with store.write() as tx:
        row = StoredEnvelope(
            uuid=uuid4(),
            template_uuid=uuid4(),
            template_version=uuid4(),
            sender=MAILBOX,
            status=status,
            subject="",
            reason="",
            sha256=store.blobs.put(tx, sealed),
            created_at=at,
            changed_at=at,
        )
        (arrival,) = envelopes.add(tx, row, [uuid4()])
        envelopes.end_arrival(tx, arrival.uuid, "kept")
        envelopes.add_event(tx, row.uuid, "sent", mailbox=MAILBOX)
    return row.uuid


def known(store: Store) -> set[str]:
    with store.read() as connection:
        return {record.file_name for record in conversions.newest(connection, LogFilter(), limit=100)}


class TestPayloads:
    def test_old_ones_go_and_records_stay(self, store: Store, tmp_path: Path) -> None:
        old, new = recorded(store, 40 * DAY), recorded(store, 2 * DAY)
        assert forget_payloads(store, older_than=30 * DAY, keep=Archive(store, tmp_path / "archive")) == 1
        with store.read() as connection:
            forgotten, kept = conversions.get(connection, old.uuid), conversions.get(connection, new.uuid)
            assert store.blobs.read(connection, forgotten.input) == FORGOTTEN
            assert store.blobs.read(connection, kept.input) == b"input 2 days, 0:00:00"
        assert forget_payloads(store, older_than=30 * DAY) == 0
        (zipped,) = (tmp_path / "archive").glob("*/payloads-*.zip")
        with ZipFile(zipped) as archive:
            assert archive.read(f"payloads/{old.input}") == b"input 40 days, 0:00:00"
            assert json.loads(archive.read("conversion.jsonl"))["uuid"] == str(old.uuid)
        assert list(checking.check(store, repair=False)) == []

    def test_what_failed_is_not_run_again_without_its_input(self, store: Store) -> None:
        failed = recorded(store, 40 * DAY, status=ConversionStatus.FAILED)
        forget_payloads(store, older_than=30 * DAY)
        with pytest.raises(ReconcilerError, match="was forgotten; see retention"):
            reprocessing.reprocess(store, failed.uuid)


class TestTheLog:
    def test_old_records_go(self, store: Store, tmp_path: Path) -> None:
        for age in (100, 50, 1):
            recorded(store, age * DAY)
        assert forget_log(store, older_than=90 * DAY, keep=Archive(store, tmp_path / "archive")) == 1
        assert known(store) == {"a50.edi", "a1.edi"}
        assert len(list((tmp_path / "archive").glob("*/log-*.zip"))) == 1
        with store.read() as connection:
            assert conversions.newest(connection, LogFilter(keyword="a100"), limit=1) == []
            assert search.words("a100.edi")  # the words that were looked for are words

    def test_what_a_partner_can_still_run_again_stays(self, store: Store) -> None:
        failed = recorded(store, 100 * DAY, status=ConversionStatus.FAILED)
        with store.write() as tx:
            names = iter(["a.edi"])
            files.put_new(tx, MAILBOX, "error", names, sha256=failed.input, size=1, conversion=failed.uuid)
        assert forget_log(store, older_than=90 * DAY) == 0

    def test_answers_to_messages_go_with_them(self, store: Store) -> None:
        answer = StoredAnswer(200, {}, b"MDN")
        done, accepted = recorded(store, 100 * DAY), uuid4()
        with store.write() as tx:
            old = Receipt(mailbox=MAILBOX, channel="as2", native=False, name="b", sha256=done.input, size=1)
            receipts.add(tx, replace(old, uuid=accepted))
            for message_id, receipt in (("old", done.receipt), ("at work", accepted), ("new", uuid4())):
                posts.record_answer(
                    tx, as2_from="A", as2_to="B", message_id=message_id, receipt=receipt or uuid4(), answer=answer
                )
            long_ago = datetime.now(UTC) - 100 * DAY
            aged = tables.as2_message.c.message_id.in_(["old", "at work"])
            tx.execute(update(tables.as2_message).where(aged).values(received_at=long_ago))
        forget_log(store, older_than=90 * DAY)
        with store.read() as connection:
            known = [
                posts.answer_to(connection, as2_from="A", as2_to="B", message_id=message_id) is not None
                for message_id in ("old", "at work", "new")
            ]
        assert known == [False, True, True]

    def test_a_message_that_stays_known_keeps_its_receipt(self, store: Store) -> None:
        done = recorded(store, 100 * DAY)
        answer = StoredAnswer(200, {}, b"MDN")
        with store.write() as tx:  # the receipt was made a moment before, when the limit already was between them
            posts.record_answer(
                tx, as2_from="A", as2_to="B", message_id="1", receipt=done.receipt or uuid4(), answer=answer
            )
        assert forget_log(store, older_than=90 * DAY) == 1
        assert list(checking.check(store, repair=False)) == []

    def test_closed_envelopes_go_and_open_ones_stay(self, store: Store) -> None:
        closed, waiting, new = (
            sent(store, 100 * DAY, "COMPLETED"),
            sent(store, 100 * DAY, "SENT"),
            sent(store, DAY, "COMPLETED"),
        )
        forget_log(store, older_than=90 * DAY)
        with store.read() as connection:
            assert [row.uuid for row in envelopes.newest(connection, limit=9)] == [new, waiting]
            assert envelopes.events(connection, closed) == []
        assert list(checking.check(store, repair=False)) == []


def test_the_audit_trail_goes(store: Store) -> None:
    now = datetime.now(UTC)
    with store.write() as tx:
        for age in (400, 10):
            audit.add(tx, Call(at=now - age * DAY, actor="ada", peer="", what=f"{age}", status=200))
    forget_audit(store, older_than=365 * DAY)
    with store.read() as connection:
        assert [call.what for call in audit.newest(connection, 9)] == ["10"]
