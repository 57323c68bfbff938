"""What every input goes through, at the same moment as something else: order, limits and final states hold."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Connection

from reconciler.errors import ReconcilerError, Refusal, RefusedError
from reconciler.jobs import dead_letters
from reconciler.jobs.as2_intake import StoreIntake
from reconciler.jobs.bans import StoreBans
from reconciler.jobs.directory import Directory
from reconciler.jobs.folders import StoreFolders
from reconciler.model.key import Key
from reconciler.model.rule import Direction
from reconciler.protocols.as2.ports import Answer, Attachment, Outcome, Received
from reconciler.protocols.sftp.defence import Ban
from reconciler.protocols.sftp.folders import Room
from reconciler.store import (
    bans,
    claims,
    conversions,
    envelopes,
    files,
    forgetting,
    jobs,
    mails,
    posts,
    receipts,
    suspensions,
    tables,
    tokens,
)
from reconciler.store.bans import StoredBan
from reconciler.store.conversions import Conversion, ConversionStatus
from reconciler.store.database import Store
from reconciler.store.destinations import Limit
from reconciler.store.envelopes import Attachment as Attached
from reconciler.store.envelopes import StoredEnvelope
from reconciler.store.job_states import JobState
from reconciler.store.jobs import Job
from reconciler.store.mails import StoredMail
from reconciler.store.posts import StoredPost
from reconciler.store.receipts import Receipt
from reconciler.store.search import words
from reconciler.store.statement import Statement
from tests.contract.store.beside import beside

MAILBOX = uuid4()
NOW = datetime.now(UTC)
LONG_AGO = NOW - timedelta(days=90)
QUEUE = f"post/{MAILBOX}"
LEASE = timedelta(minutes=1)


def claim(store: Store, kind: jobs.JobKind, queue: str) -> list[Job]:
    with store.write() as tx:
        return claims.claim(tx, "one/1", kind, queue, count=9, limit=Limit(9), lease=LEASE)


def states(store: Store) -> list[JobState]:
    with store.read() as connection:
        return [row.state for row in jobs.listed(connection, list(JobState), limit=9)]


def failed(store: Store, file: str, *, at: datetime = NOW) -> Conversion:
    """Record an input that failed, with its file in `error/`."""
    sealed = store.blobs.seal(b"UNB")
    receipt = Receipt(
        mailbox=MAILBOX, channel="sftp", native=False, name=file, sha256=sealed.sha256, size=3, received_at=at
    )
    record = Conversion(
        created_at=at,
        changed_at=at,
        status=ConversionStatus.FAILED,
        direction=Direction.OUT,
        mailbox=MAILBOX,
        rule=None,
        receipt=receipt.uuid,
        file_name=file,
        input=sealed.sha256,
    )
    with store.write() as tx:
        store.blobs.put(tx, sealed)
        receipts.add(tx, receipt)
        receipts.end(tx, receipt.uuid, "failed")
        conversions.put(tx, record, is_new=True)
        if at == NOW:
            for name in (file, f"{file}.error.txt"):
                files.put(tx, MAILBOX, "error", name, sha256=sealed.sha256, size=3)
            tx.execute(tables.file.update().where(tables.file.c.name == file).values(conversion=record.uuid))
    return record


class TestOrder:
    def test_what_comes_due_while_its_queue_is_looked_at_is_not_overtaken(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with store.write() as tx:
            for subject in "ab":
                jobs.add(tx, "post", subject, queue=QUEUE, ordered=True)
        (first,) = claim(store, "post", QUEUE)
        with store.write() as tx:
            jobs.fail(tx, first, error="again", retry_in=timedelta(hours=1))
        found = Statement.all

        def hasten(statement: Statement, connection: Connection, values: dict[str, object]) -> object:
            rows = found(statement, connection, values)
            if connection.dialect.name == "postgresql":  # SQLite has one writer at a time
                with store.write() as tx:
                    jobs.hasten(tx, "post", "a")
            return rows

        monkeypatch.setattr(Statement, "all", hasten)
        assert [job.subject for job in claim(store, "post", QUEUE)] == []


class TestFolders:
    @pytest.fixture
    def folders(self, store: Store) -> StoreFolders:
        return StoreFolders(store, lambda: None)

    def test_what_failed_is_moved_elsewhere_without_its_reason(self, store: Store, folders: StoreFolders) -> None:
        failed(store, "a")
        folders.rename(MAILBOX, ("error", "a"), ("inbox", "b"), replace=False)
        names = [entry.name for folder in ("error", "inbox") for entry in folders.entries(MAILBOX, folder)]
        assert names == ["b"]

    def test_two_uploads_do_not_share_the_room_for_one(self, store: Store, folders: StoreFolders) -> None:
        def upload(name: str) -> None:
            upload = folders.upload(MAILBOX, "inbox", name, exclusive=False, keep=False, room=Room(files=1))
            upload.write(0, name.encode())
            upload.commit()

        sealed = store.blobs.seal(b"first")
        with beside(store, lambda: upload("second")) as (tx, other):
            files.count_alone(tx, MAILBOX)
            store.blobs.put(tx, sealed)
            files.put(tx, MAILBOX, "inbox", "first", sha256=sealed.sha256, size=5)
        assert isinstance(other.error, RefusedError), other.error
        assert other.error.refusal is Refusal.QUOTA_EXCEEDED


def test_messages_with_the_same_files_wait_for_each_other_in_turn(store: Store) -> None:
    directory = Directory(store)
    intake = StoreIntake(store, directory, directory.content, lambda: None)
    low, high = sorted((store.blobs.seal(b"UNB"), store.blobs.seal(b"%PDF")), key=lambda sealed: sealed.sha256)
    assert low.content is not None
    assert high.content is not None
    received = Received(
        mailbox=MAILBOX,
        as2_from="GLOBEX",
        as2_to="ACME",
        message_id="1@globex",
        outcome=Outcome.ACCEPTED,
        started_at=NOW,
        headers={},
        wire_size=1,
        mdn=Answer(200, {}, b""),
        file_name="high",
        content_type="",
        subject="",
        payload=high.content,
        attributes={},
        attachments=(Attachment(payload=low.content, file_name="low"),),
    )
    with beside(store, lambda: intake.receive(received), lambda tx: store.blobs.put(tx, high)) as (tx, other):
        store.blobs.put(tx, low)
    assert other.error is None
    with store.read() as connection:
        assert [receipt.name for receipt in receipts.since(connection, LONG_AGO)] == ["high", "low"]


class TestRecordedTwice:
    def test_a_source_file_that_a_map_attaches_to_two_envelopes(self, store: Store) -> None:
        sealed = store.blobs.seal(b"UNB")
        named = uuid4()
        sent = [
            StoredEnvelope(uuid4(), uuid4(), uuid4(), MAILBOX, "SENT", "", "", sealed.sha256, NOW, NOW) for _ in "ab"
        ]
        with store.write() as tx:
            store.blobs.put(tx, sealed)
            for row in sent:
                envelopes.add(tx, row, [])
                envelopes.attach(tx, Attached(named, row.uuid, "source.edi", sealed.sha256))
        with store.read() as connection:
            assert [len(envelopes.attachments(connection, row.uuid)) for row in sent] == [1, 1]

    def test_a_ban_that_another_node_sets_too(self, store: Store) -> None:
        ban = Ban("address 192.0.2.1", NOW + timedelta(hours=2), 2)
        with beside(store, lambda: StoreBans(store).record(ban)) as (tx, other):
            bans.put(tx, StoredBan(ban.subject, NOW, NOW + timedelta(hours=1), 1))
        assert other.error is None
        assert StoreBans(store).bans() == [ban]

    def test_a_suspension_that_another_sets_too(self, store: Store) -> None:
        key = Key.known("accounts.acme")

        def suspend() -> None:
            with store.write() as tx:
                suspensions.put(tx, key, until=None, reason="mine", actor="bob")

        with beside(store, suspend) as (tx, other):
            suspensions.put(tx, key, until=None, reason="yours", actor="ada")
        assert other.error is None
        with store.read() as connection:
            assert [found.reason for found in suspensions.all_of(connection)] == ["mine"]

    def test_a_token_whose_name_another_just_took(self, store: Store) -> None:
        def create(tx: Connection) -> None:
            tokens.create(tx, "ci", tokens.Role.VIEWER, account=None, expires_at=None, actor="ada")

        def create_too() -> None:
            with store.write() as tx:
                create(tx)

        with beside(store, create_too) as (tx, other):
            create(tx)
        assert isinstance(other.error, ReconcilerError), other.error
        assert "another name" in str(other.error)


def test_a_dead_letter_that_another_just_retried_is_left_as_it_is(store: Store) -> None:
    with store.write() as tx:
        mails.add(tx, StoredMail(message_id="<1>", recipient="a@x", template="arrival", data={}, state="failed"))
        jobs.add(tx, "mail", "<1>")
    (job,) = claim(store, "mail", "")
    with store.write() as tx:
        jobs.fail(tx, job, error="for good", retry_in=None)

    def retry() -> None:
        with store.write() as tx:
            dead_letters.retry(tx, job.number)

    with beside(store, retry) as (tx, other):
        # Another retried it, and it was sent.
        assert jobs.revive(tx, "mail", "<1>")
        mails.change(tx, "<1>", "sent")
    assert isinstance(other.error, ReconcilerError), other.error
    with store.read() as connection:
        assert mails.get(connection, "<1>").state == "sent"


class TestForgetting:
    def test_what_ends_anew_is_still_found_by_its_words(self, store: Store) -> None:
        record = failed(store, "anew", at=LONG_AGO)
        forget = lambda: forgetting.forget_log(store, older_than=timedelta(days=30))  # noqa: E731
        with beside(store, forget) as (tx, other):
            done = conversions.get(tx, record.uuid)
            tx.execute(tables.conversion.update().values(status="REPROCESSED", changed_at=NOW))
            if tx.dialect.name == "sqlite":
                return  # whoever comes second begins after the first
        assert other.error is None
        with store.read() as connection:
            found = connection.execute(tables.word.select()).all()
        assert [row.word for row in found] == words(done.file_name)

    def test_what_is_being_run_again_is_not_forgotten(self, store: Store) -> None:
        record = failed(store, "a", at=LONG_AGO)
        assert record.receipt is not None
        with store.write() as tx:
            tx.execute(tables.conversion.delete())
        forget = lambda: forgetting.forget_log(store, older_than=timedelta(days=30))  # noqa: E731
        with beside(store, forget) as (tx, other):
            assert receipts.again(tx, record.receipt, conversion=record.uuid, name="a")
        assert other.error is None
        with store.read() as connection:
            assert receipts.get(connection, record.receipt).state == "received"

    def test_a_message_that_is_posted_again_while_its_envelope_is_archived_is_left(self, store: Store) -> None:
        sealed = store.blobs.seal(b"UNB")
        row = StoredEnvelope(uuid4(), uuid4(), uuid4(), uuid4(), "COMPLETED", "", "", sealed.sha256, LONG_AGO, LONG_AGO)
        post = StoredPost(
            message_id="1@acme",
            mailbox=MAILBOX,
            envelope=row.uuid,
            conversion=None,
            sha256=sealed.sha256,
            file_name="a",
            content_type="",
            subject="",
            state="failed",
        )
        with store.write() as tx:
            store.blobs.put(tx, sealed)
            envelopes.add(tx, row, [])
            posts.add(tx, post)
            jobs.add(tx, "post", post.message_id)
        (job,) = claim(store, "post", "")
        with store.write() as tx:
            jobs.fail(tx, job, error="for good", retry_in=None)

        def retry(*_: object) -> None:
            with store.write() as tx:
                dead_letters.retry(tx, job.number)

        forgetting.forget_log(store, older_than=timedelta(days=30), keep=retry)
        with store.read() as connection:
            assert posts.get(connection, post.message_id).state == "waiting"
