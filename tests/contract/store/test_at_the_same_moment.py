"""Two transactions at the same moment: whoever comes second sees what the first did, or is told."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection

from reconciler.apply.credentials import generate
from reconciler.apply.run import rotate
from reconciler.envelope.xml import Envelope, EnvelopeState, Role, Status
from reconciler.envelope.xml_writing import to_xml
from reconciler.errors import NotFoundError, PlanRefusedError, ReconcilerError, Refusal, RefusedError
from reconciler.jobs.as2_intake import StoreIntake
from reconciler.jobs.closing import complete
from reconciler.jobs.directory import Directory
from reconciler.jobs.folders import StoreFolders
from reconciler.jobs.reprocessing import reprocess
from reconciler.model.credential import Credential, CredentialKind
from reconciler.model.key import Key
from reconciler.model.rule import Direction
from reconciler.model.template_ref import TemplateRef
from reconciler.protocols.as2.ports import Answer, Incoming, MdnOutcome, MdnVerdict, Outcome
from reconciler.store import configuration, conversions, credentials, envelopes, files, jobs, posts, receipts
from reconciler.store.blobs import Batch
from reconciler.store.conversions import Conversion, ConversionStatus
from reconciler.store.credentials import Successor
from reconciler.store.database import Store
from reconciler.store.envelopes import StoredEnvelope
from reconciler.store.job_states import PENDING
from reconciler.store.posts import StoredPost
from reconciler.store.receipts import Receipt
from tests.contract.store.beside import beside

MAILBOX = uuid4()


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


NOW = datetime.now(UTC)
PASSWORD = Credential(kind=CredentialKind.PASSWORD)
ADDRESS = Key.known("accounts.acme.mailboxes.orders.integration.credentials.password")


def post_of(store: Store) -> str:
    """Record a message that waits for its MDN, and return its Message-ID."""
    sealed = store.blobs.seal(b"UNB")
    with store.write() as tx:
        store.blobs.put(tx, sealed)
        post = StoredPost(
            message_id="7@acme",
            mailbox=MAILBOX,
            envelope=uuid4(),
            conversion=None,
            sha256=sealed.sha256,
            file_name="a.edi",
            content_type="application/edifact",
            subject="",
            state="sent",
        )
        posts.add(tx, post)
    return post.message_id


def test_of_two_mdns_the_first_is_believed(store: Store) -> None:
    directory = Directory(store)
    intake = StoreIntake(store, directory, directory.content, lambda: None)
    message_id = post_of(store)
    incoming = Incoming(
        mailbox=MAILBOX,
        as2_from="GLOBEX",
        as2_to="ACME",
        message_id=message_id,
        outcome=Outcome.ACCEPTED,
        started_at=NOW,
        headers={},
        wire_size=1,
        mdn=Answer(200, {}, b""),
    )
    refuse = MdnVerdict(MdnOutcome.REJECTED, "no")
    with beside(store, lambda: intake.settle(message_id, refuse, incoming)) as (tx, other):
        posts.change(tx, message_id, "delivered")
    assert other.error is None
    with store.read() as connection:
        assert posts.get(connection, message_id).state == "delivered"


def kept_for_two(store: Store, state: str) -> StoredEnvelope:
    """Send an envelope to one mailbox, where it is in a state."""
    template = TemplateRef(uuid=uuid4(), version=uuid4())
    batch = Batch(store.blobs)
    roles = (Role("sender", uuid4()), Role("first", MAILBOX))
    sha256 = batch.add(to_xml(Envelope(template=template, state=EnvelopeState(Status.SENT, NOW), roles=roles)))
    row = StoredEnvelope(uuid4(), template.uuid, template.version, uuid4(), "SENT", "", "", sha256, NOW, NOW)
    with store.write() as tx:
        batch.put(tx)
        for arrival in envelopes.add(tx, row, [MAILBOX]):
            if state == "kept":
                envelopes.end_arrival(tx, arrival.uuid, "kept")
    return row


def arrival_of(store: Store, row: StoredEnvelope) -> UUID:
    with store.read() as connection:
        (arrival,) = envelopes.arrivals(connection, row.uuid)
    return arrival.uuid


def test_what_is_completed_while_it_is_being_kept_begins_anew(store: Store) -> None:
    row = kept_for_two(store, "received")
    with beside(store, lambda: complete(store, row.uuid, MAILBOX)) as (tx, other):
        envelopes.end_arrival(tx, arrival_of(store, row), "kept")
        envelopes.require_as_seen(tx, row)
    assert other.error is None
    assert pending(store) == 1


def test_what_was_completed_meanwhile_is_not_kept(store: Store) -> None:
    row = kept_for_two(store, "received")

    def keep() -> None:
        with store.write() as tx:
            envelopes.end_arrival(tx, arrival_of(store, row), "kept")
            envelopes.require_as_seen(tx, row)

    with beside(store, keep) as (tx, other):
        envelopes.change_status(tx, row, status="COMPLETED", reason="", sha256=row.sha256)
    assert isinstance(other.error, ReconcilerError)
    assert "moved on" in str(other.error)


def test_what_was_run_again_and_succeeded_is_not_run_again(store: Store) -> None:
    sealed = store.blobs.seal(b"UNB")
    receipt = Receipt(mailbox=MAILBOX, channel="sftp", native=False, name="a", sha256=sealed.sha256, size=3)
    record = Conversion(
        status=ConversionStatus.FAILED,
        direction=Direction.OUT,
        mailbox=MAILBOX,
        rule=None,
        receipt=receipt.uuid,
        file_name="a",
        input=sealed.sha256,
    )
    with store.write() as tx:
        store.blobs.put(tx, sealed)
        receipts.add(tx, receipt)
        receipts.end(tx, receipt.uuid, "failed")
        conversions.put(tx, record)
    with beside(store, lambda: reprocess(store, record.uuid)) as (tx, other):
        # Another ran it again, and its job is done.
        assert receipts.again(tx, receipt.uuid, conversion=record.uuid, name="a")
        receipts.end(tx, receipt.uuid, "done")
    assert isinstance(other.error, ReconcilerError)
    assert pending(store) == 0


class TestConfiguration:
    def live(self, store: Store) -> None:
        with store.write() as tx:
            configuration.add_revision(tx, actor="ada", plan={})
            configuration.put_resources(tx, {ADDRESS: PASSWORD}, 1, managed_by="configuration")
            credentials.replace(tx, store.keyring, [Successor(ADDRESS, generate(PASSWORD))])

    def test_of_two_that_rotate_one_does(self, store: Store) -> None:
        self.live(store)
        with beside(store, lambda: rotate(store, ADDRESS, actor="bob")) as (tx, other):
            configuration.add_revision(tx, actor="ada", plan={})
            if tx.dialect.name == "sqlite":
                return  # whoever comes second begins after the first
        assert isinstance(other.error, PlanRefusedError), other.error
        with store.read() as connection:
            assert len(list(credentials.all_of(connection))) == 1

    def test_what_is_destroyed_meanwhile_is_not_rotated(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self.live(store)

        def destroy_and_generate(credential: Credential) -> credentials.Generated:
            with store.write() as tx:
                configuration.add_revision(tx, actor="ada", plan={})
                credentials.drop(tx, ADDRESS)
                configuration.drop_resource(tx, ADDRESS)
            return generate(credential)

        monkeypatch.setattr("reconciler.apply.run.generate", destroy_and_generate)
        with pytest.raises(NotFoundError):
            rotate(store, ADDRESS, actor="bob")
        with store.read() as connection:
            assert list(credentials.all_of(connection)) == []
            assert configuration.current_revision(connection) == 2

    def test_two_nodes_that_made_a_key_each_encrypt_with_one(self, store: Store, url: str, tmp_path: Path) -> None:
        with closing(Store(tmp_path / "other node", url)) as other:
            assert other.keyring is not store.keyring  # each made one, as there was no secret yet
            self.live(store)
            with pytest.raises(ReconcilerError, match="not the one that encrypted it"):
                rotate(other, ADDRESS, actor="bob")
        with store.read() as connection:
            found = credentials.find(connection, ADDRESS)
        assert found is not None
        store.keyring.decrypt(found.ciphertext)
