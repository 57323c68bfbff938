"""What a store keeps, on every database: transactions, types, payloads, and that a migration makes these tables."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import count
from pathlib import Path
from threading import Barrier, Event, Thread
from time import monotonic, sleep
from uuid import UUID, uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select, text

from reconciler.errors import BlobError, ReconcilerError
from reconciler.model.rule import Direction
from reconciler.store import conversions, envelopes, files, jobs, leases, mails, moment, posts, receipts, tables, wake
from reconciler.store.blobs import INLINE
from reconciler.store.conversions import Conversion, ConversionStatus
from reconciler.store.database import Store
from reconciler.store.election import Election
from reconciler.store.envelopes import Attachment, StoredEnvelope
from reconciler.store.mails import StoredMail
from reconciler.store.posts import StoredAnswer, StoredPost
from reconciler.store.receipts import Receipt
from reconciler.store.search import LogFilter
from tests.contract.store.conftest import Opener


def test_a_database_in_a_folder_of_others_is_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir(mode=0o755)
    store = Store(folder)
    modes = {path.name: path.stat().st_mode & 0o077 for path in folder.glob("state.db*")}
    store.close()
    assert modes == dict.fromkeys(modes, 0)
    assert "state.db" in modes


MAILBOX = uuid4()
NOW = datetime(2026, 3, 29, 0, 59, 59, 999999, tzinfo=UTC)  # a second before the clocks go forward


def payload(store: Store, content: bytes = b"payload") -> str:
    sealed = store.blobs.seal(content)
    with store.write() as tx:
        return store.blobs.put(tx, sealed)


class TestSchema:
    def test_the_migration_makes_the_tables(self, store: Store) -> None:
        with store.read() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, tables.metadata) == []

    def test_one_made_by_a_newer_release_is_refused_politely(self, open_store: Opener) -> None:
        with open_store().write() as tx:
            tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(ReconcilerError, match="newer release"):
            open_store()

    def test_processes_that_open_it_at_once_make_it_once(self, open_store: Opener) -> None:
        barrier = Barrier(3)
        opened: list[Store] = []

        def work() -> None:
            barrier.wait()
            opened.append(open_store())

        threads = [Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(opened) == 3


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_commit_to_sqlite_is_on_the_disk_and_waits_for_other_processes(store: Store) -> None:
    with store.write() as tx:
        found = [tx.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
        patience = tx.exec_driver_sql("PRAGMA busy_timeout").scalar()
    assert (found, patience) == (["wal", 2], 30_000)


class TestTransactions:
    def test_a_reader_sees_one_moment(self, store: Store) -> None:
        with store.read() as connection:
            assert jobs.counts(connection) == {}
            with store.write() as tx:
                jobs.add(tx, "receipt", "a")
            assert jobs.counts(connection) == {}
        with store.read() as connection:
            assert jobs.counts(connection) != {}

    def test_of_many_at_once_those_that_fail_take_none_along(self, store: Store) -> None:
        barrier = Barrier(8)
        refused: list[int] = []

        def work(number: int) -> None:
            barrier.wait()
            for turn in range(10):
                try:
                    with store.write() as tx:
                        jobs.add(tx, "receipt", f"{number}-{turn}")
                        if turn % 2:
                            raise ZeroDivisionError  # noqa: TRY301 - it is to end the transaction
                except ZeroDivisionError:
                    refused.append(number)

        threads = [Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with store.read() as connection:
            found = connection.execute(select(tables.job.c.subject)).scalars().all()
        assert sorted(found) == sorted(f"{number}-{turn}" for number in range(8) for turn in range(0, 10, 2))
        assert len(refused) == 40

    def test_a_commit_is_heard_of(self, open_store: Opener) -> None:
        here, there = open_store(), open_store()
        stopping, heard = Event(), Event()
        began = Event()

        def listen() -> None:
            for _ in wake.commits(there.engine, stopping):
                if began.is_set():
                    heard.set()

        listener = Thread(target=listen)
        listener.start()
        try:
            deadline = iter(range(600))
            while not heard.is_set() and next(deadline, None) is not None:
                began.set()
                with here.write() as tx:
                    jobs.add(tx, "receipt", "a")
                heard.wait(0.1)
        finally:
            stopping.set()
            listener.join()
        assert heard.is_set()


class TestMoments:
    def test_are_kept_to_the_microsecond(self, store: Store) -> None:
        mail = StoredMail(message_id="<1@x>", recipient="a@x", template="arrival", data={}, changed_at=NOW)
        with store.write() as tx:
            mails.add(tx, mail)
        with store.read() as connection:
            assert mails.get(connection, "<1@x>").changed_at == NOW

    def test_the_deciding_clock_tells_the_time(self, store: Store) -> None:
        with store.read() as connection:
            first, second = connection.execute(select(moment.NOW, moment.moment(timedelta(hours=1)))).one()
        assert abs(first / 1e6 - datetime.now(UTC).timestamp()) < 60
        assert 3599 < (second - first) / 1e6 < 3660


class TestRows:
    def test_a_name_that_is_taken_gets_another(self, store: Store) -> None:
        sha256 = payload(store)

        def names() -> Iterator[str]:
            return (f"order-{number}.xml" for number in count())

        with store.write() as tx:
            placed = [
                files.put_new(tx, MAILBOX, "cinbox", names(), sha256=sha256, size=7, conversion=None) for _ in range(3)
            ]
        assert placed == ["order-0.xml", "order-1.xml", "order-2.xml"]

    def test_names_may_be_long_and_of_any_script(self, store: Store) -> None:
        name = "ї" * 240 + "…20260101.xml.error.txt"
        sha256 = payload(store)
        with store.write() as tx:
            files.put(tx, MAILBOX, "error", name, sha256=sha256, size=7)
        with store.read() as connection:
            found = files.find(connection, MAILBOX, "error", name)
            assert found is not None
            assert files.page(connection, MAILBOX, "error", "") == [found]

    def test_a_receipt_ends_once(self, store: Store) -> None:
        receipt = Receipt(
            mailbox=MAILBOX,
            channel="sftp",
            native=False,
            name="a",
            sha256=payload(store),
            size=7,
            attributes={"K": "v"},
        )
        with store.write() as tx:
            receipts.add(tx, receipt)
            assert receipts.end(tx, receipt.uuid, "done").changed() == 1
            assert receipts.end(tx, receipt.uuid, "failed").changed() == 0
        with store.read() as connection:
            assert receipts.get(connection, receipt.uuid).attributes == {"K": "v"}

    def test_a_message_is_answered_once(self, store: Store) -> None:
        answer = StoredAnswer(200, {"Content-Type": "text/plain"}, b"\x00mdn")
        with store.write() as tx:
            given = [
                posts.record_answer(tx, as2_from="A", as2_to="B", message_id="<1>", receipt=uuid4(), answer=answer)
                for _ in range(2)
            ]
        assert given == [True, False]
        with store.read() as connection:
            assert posts.answer_to(connection, as2_from="A", as2_to="B", message_id="<1>") == answer

    def test_an_envelope_s_way_is_kept(self, store: Store) -> None:
        sha256, uuid, other = payload(store), uuid4(), uuid4()
        row = StoredEnvelope(uuid, uuid4(), uuid4(), MAILBOX, "SENT", "subject", "", sha256, NOW, NOW)
        post = StoredPost(
            message_id="1@x", mailbox=other, envelope=uuid, conversion=None, sha256=sha256, file_name="f",
            content_type="application/xml", subject="", changed_at=NOW,
        )  # fmt: skip
        with store.write() as tx:
            (arrival,) = envelopes.add(tx, row, [other])
            envelopes.attach(tx, Attachment(uuid4(), uuid, "a", sha256))
            envelopes.add_event(tx, uuid, "sent", mailbox=MAILBOX)
            envelopes.end_arrival(tx, arrival.uuid, "delivered")
            envelopes.change_status(tx, row, status="COMPLETED", reason="", sha256=sha256)
            posts.add(tx, post)
        with store.read() as connection:
            assert envelopes.get(connection, uuid).status == "COMPLETED"
            assert [found.state for found in envelopes.arrivals(connection, uuid)] == ["delivered"]
            assert [event.what for event in envelopes.events(connection, uuid)] == ["sent"]
            assert posts.get(connection, "1@x") == post
            assert len(envelopes.attachments(connection, uuid)) == 1

    def test_a_log_record_is_replaced_by_its_successor(self, store: Store) -> None:
        record = Conversion(
            status=ConversionStatus.FAILED, direction=Direction.OUT, mailbox=MAILBOX, rule=None, file_name="a.edi",
            input=payload(store), envelopes=[uuid4()], messages=["said"],
        )  # fmt: skip
        with store.write() as tx:
            conversions.put(tx, record)
            conversions.put(tx, record)
        with store.read() as connection:
            found = conversions.get(connection, record.uuid)
        assert (found.envelopes, found.messages, found.status) == (tuple(record.envelopes), ("said",), record.status)

    def test_a_log_record_is_found_by_its_uuid_from_the_twelfth_digit_on(self, store: Store) -> None:
        record, other = (
            Conversion(
                status=ConversionStatus.PROCESSED, direction=Direction.OUT, mailbox=MAILBOX, rule=None, file_name="a",
                uuid=UUID(uuid), input=payload(store),
            )
            for uuid in ("017f22e2-79b0-7cc3-98c4-dc0c0c07398f", "017f22e2-79b1-7cc3-98c4-dc0c0c07398f")
        )  # fmt: skip
        with store.write() as tx:
            conversions.put(tx, record)
            conversions.put(tx, other)
        with store.read() as connection:
            for keyword in ("017F22E2-79b0", "017f22e279b0", "017f22e2-79b0-7c", str(record.uuid)):
                (found,) = conversions.newest(connection, LogFilter(keyword=keyword), limit=5)
                assert found.uuid == record.uuid
            # What all records of weeks begin with is a word like any other.
            assert conversions.newest(connection, LogFilter(keyword="017f"), limit=5) == []


class TestPayloads:
    @pytest.mark.parametrize("size", [0, INLINE, INLINE + 1, 3_000_000])
    def test_come_back_as_they_were(self, store: Store, size: int) -> None:
        content = bytes(number % 251 for number in range(1000)) * (size // 1000) + b"x" * (size % 1000)
        name = payload(store, content)
        assert payload(store, content) == name
        with store.read() as connection:
            assert store.blobs.read(connection, name) == content
            assert store.blobs.size(connection, name) == size
            with store.blobs.open(connection, name) as file:
                assert file.read() == content

    @pytest.mark.parametrize("size", [10, INLINE + 1])
    def test_of_what_was_rolled_back_there_is_nothing(self, store: Store, size: int) -> None:
        sealed = store.blobs.seal(b"x" * size)
        with pytest.raises(ZeroDivisionError), store.write() as tx:  # noqa: PT012 - the transaction is what is rolled back
            store.blobs.put(tx, sealed)
            raise ZeroDivisionError
        with store.read() as connection, pytest.raises(BlobError):
            store.blobs.read(connection, sealed.sha256)

    def test_nothing_damaged_is_read(self, store: Store, tmp_path: Path) -> None:
        name = payload(store, b"x" * (INLINE + 1))
        path = next((tmp_path / "blobs").glob("??/*"))
        with store.read() as connection:
            assert len(store.blobs.read(connection, name)) == INLINE + 1
        # What was hashed a moment ago is hashed again when the file changed, even if its time says that it did not.
        before = path.stat()
        path.write_bytes(b"y" + path.read_bytes()[1:])
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        with store.read() as connection:
            with pytest.raises(BlobError, match="damaged"):
                store.blobs.read(connection, name)
            with pytest.raises(BlobError, match="damaged"):
                store.blobs.open(connection, name).close()


def soon(condition: Callable[[], bool]) -> bool:
    """Wait for what the database does after a connection is closed."""
    deadline = monotonic() + 60
    while not condition() and monotonic() < deadline:
        sleep(0.01)
    return condition()


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_node_whose_clock_is_ahead_takes_no_lease_that_is_held(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ahead:
        @staticmethod
        def now(zone: tzinfo) -> datetime:
            return datetime.now(zone) + timedelta(hours=1)

    length = timedelta(minutes=1)
    with store.write() as tx:
        assert leases.acquire(tx, "apply", owner="here", token="1", length=length)
        monkeypatch.setattr(leases, "datetime", Ahead)
        assert not leases.acquire(tx, "apply", owner="there", token="2", length=length)
        held = leases.find(tx, "apply")
        assert held is not None
        assert held.owner == "here"


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)  # a SQLite store has one gateway
class TestElection:
    def test_one_is_elected_and_another_takes_over(self, open_store: Opener) -> None:
        here, there = (Election(open_store().engine, "the post") for _ in range(2))
        other = Election(open_store().engine, "another post")
        try:
            assert (here.is_won(), there.is_won(), here.is_won(), other.is_won()) == (True, False, True, True)
            here.resign()
            assert soon(there.is_won)
        finally:
            for election in (here, there, other):
                election.resign()

    def test_who_lost_its_connection_is_not_elected_any_more(self, open_store: Opener) -> None:
        here, there = (Election(open_store().engine, "the post") for _ in range(2))
        try:
            assert here.is_won()
            with open_store().write() as tx:
                tx.execute(
                    text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted")
                )
            assert soon(there.is_won)
            assert not here.is_won()
        finally:
            here.resign()
            there.resign()
