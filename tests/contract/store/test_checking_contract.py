"""`reconciler fsck` on every database: what it finds, what it mends, and what it leaves alone."""

import os
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, update

from reconciler.errors import BlobError
from reconciler.store import (
    checking_work,
    claims,
    configuration,
    digests,
    files,
    jobs,
    posts,
    receipts,
    tables,
)
from reconciler.store.blobs import INLINE
from reconciler.store.checking import QUARANTINE, check
from reconciler.store.database import Store
from reconciler.store.destinations import Limit
from reconciler.store.finding import Fault, Finding
from reconciler.store.posts import StoredPost
from reconciler.store.receipts import Receipt

LARGE = b"x" * (INLINE + 1)


def put(store: Store, content: bytes, *, named: bool = True) -> str:
    sealed = store.blobs.seal(content)
    with store.write() as tx:
        name = store.blobs.put(tx, sealed)
        if named:
            files.put(tx, uuid4(), "cinbox", "a", sha256=name, size=len(content))
    return name


def stored_file(store: Store, name: str) -> Path:
    return store.folder / "blobs" / name[:2] / name[2:]


def found(findings: Iterable[Finding]) -> list[tuple[Fault, str, bool]]:
    return [(finding.fault, finding.subject, finding.mended) for finding in findings]


class TestChecking:
    def test_a_whole_store_has_no_findings(self, store: Store) -> None:
        put(store, LARGE)
        put(store, b"small")
        assert found(check(store, repair=True)) == []

    @pytest.mark.parametrize("where", [0, INLINE])
    def test_a_flipped_bit_is_found_and_quarantined_and_the_bytes_heal(self, store: Store, where: int) -> None:
        name = put(store, LARGE)
        path = stored_file(store, name)
        damaged = bytearray(LARGE)
        damaged[where] ^= 1
        path.write_bytes(damaged)
        (finding,) = check(store, repair=False)
        assert (finding.fault, finding.subject, finding.used_by) == (Fault.DAMAGED, name, "1 file.sha256 (a)")
        (finding,) = check(store, repair=True)
        assert (finding.fault, finding.mended) == (Fault.DAMAGED, False)  # a file still needs it
        assert str(store.folder / QUARANTINE / name) in finding.remedy
        assert (store.folder / QUARANTINE / name).read_bytes() == damaged
        assert found(check(store, repair=True)) == [(Fault.MISSING, name, False)]
        with store.read() as connection, pytest.raises(BlobError):
            store.blobs.open(connection, name).close()
        put(store, LARGE)
        assert found(check(store, repair=False)) == []

    def test_a_half_written_file_is_found(self, store: Store) -> None:
        name = put(store, LARGE)
        os.truncate(stored_file(store, name), 100)
        assert found(check(store, repair=False)) == [(Fault.DAMAGED, name, False)]

    def test_a_missing_file_is_found(self, store: Store) -> None:
        name = put(store, LARGE)
        stored_file(store, name).unlink()
        assert found(check(store, repair=True)) == [(Fault.MISSING, name, False)]

    def test_damage_inside_a_row_is_found_and_quarantined(self, store: Store) -> None:
        name = put(store, b"small")
        with store.write() as tx:
            tx.execute(update(tables.blob).values(content=b"smell"))
        assert found(check(store, repair=True)) == [(Fault.DAMAGED, name, False)]
        assert (store.folder / QUARANTINE / name).read_bytes() == b"smell"
        with store.read() as connection, pytest.raises(BlobError):
            store.blobs.read(connection, name)
        put(store, b"small")
        assert found(check(store, repair=False)) == []

    @pytest.mark.parametrize("content", [b"small", LARGE])
    def test_what_nothing_needs_is_forgotten_once_it_is_old(self, store: Store, content: bytes) -> None:
        name = put(store, content, named=False)
        with store.write() as tx:
            tx.execute(update(tables.blob).values(content=None))
        stored_file(store, name).unlink(missing_ok=True)
        assert found(check(store, repair=True)) == [(Fault.MISSING, name, False)]  # perhaps it is to be named yet
        with store.write() as tx:
            tx.execute(update(tables.blob).values(created_at=datetime.now(UTC) - timedelta(days=2)))
        assert found(check(store, repair=False)) == [(Fault.MISSING, name, False)]
        assert found(check(store, repair=True)) == [(Fault.MISSING, name, True)]
        assert found(check(store, repair=False)) == []

    def test_what_the_configuration_needs_is_said(self, store: Store) -> None:
        name = put(store, LARGE, named=False)
        with store.write() as tx:
            configuration.add_revision(tx, actor="ada", plan={"file": name})
            tx.execute(update(tables.blob).values(created_at=datetime.now(UTC) - timedelta(days=2)))
        stored_file(store, name).unlink()
        (finding,) = check(store, repair=True)
        assert (finding.mended, finding.used_by) == (False, "the configuration or a revision of it")

    def test_what_is_forgotten_meanwhile_is_not_missed(self, store: Store) -> None:
        names = sorted(put(store, content * (INLINE + 1), named=False) for content in (b"a", b"b", b"c"))
        for name in names:
            stored_file(store, name).unlink()
        findings = check(store, repair=False)
        assert next(findings).subject == names[0]
        with store.write() as tx:
            tx.execute(delete(tables.blob).where(tables.blob.c.sha256 == names[1]))
        assert [finding.subject for finding in findings] == [names[2]]

    def test_a_stray_is_found_once_it_is_no_upload_any_more(self, store: Store) -> None:
        name = store.blobs.seal(LARGE).sha256
        assert found(check(store, repair=True)) == []
        yesterday = (datetime.now(UTC) - timedelta(days=2)).timestamp()
        os.utime(stored_file(store, name), (yesterday, yesterday))
        assert found(check(store, repair=False)) == [(Fault.STRAY, name, False)]
        assert found(check(store, repair=True)) == [(Fault.STRAY, name, True)]
        assert not stored_file(store, name).exists()

    def test_an_input_without_work_gets_it(self, store: Store) -> None:
        receipt = Receipt(mailbox=uuid4(), channel="sftp", native=False, name="a", sha256=put(store, b"a"), size=1)
        with store.write() as tx:
            receipts.add(tx, receipt)
        subject = f"receipt {receipt.uuid}"
        assert found(check(store, repair=False)) == [(Fault.FORGOTTEN, subject, False)]
        assert found(check(store, repair=True)) == [(Fault.FORGOTTEN, subject, True)]
        with store.write() as tx:
            (job,) = claims.claim(tx, "one/1", "receipt", "", count=2, limit=Limit(1), lease=timedelta(minutes=1))
        assert job.subject == str(receipt.uuid)
        assert found(check(store, repair=True)) == []
        with store.write() as tx:
            jobs.fail(tx, job, error="for good", retry_in=None)
        assert found(check(store, repair=True)) == []

    @pytest.mark.parametrize(("folder", "native"), [("coutbox", False), ("outbox", True)])
    def test_an_upload_whose_receipt_is_gone_is_accepted_once_more(
        self, store: Store, folder: str, native: bool
    ) -> None:
        mailbox, name = uuid4(), put(store, b"an order")
        lost = Receipt(mailbox=mailbox, channel="sftp", native=native, name="a.edi", sha256=name, size=8)
        with store.write() as tx:
            receipts.add(tx, lost)
            jobs.add(tx, "receipt", lost.uuid)
            files.put(tx, mailbox, folder, "a.edi", sha256=name, size=8, receipt=lost.uuid)
        assert found(check(store, repair=True)) == []
        with store.write() as tx:
            tx.execute(delete(tables.job))
            tx.execute(delete(tables.receipt))
        subject = f"file {folder}/a.edi of mailbox {mailbox}"
        assert found(check(store, repair=False)) == [(Fault.FORGOTTEN, subject, False)]
        assert found(check(store, repair=True)) == [(Fault.FORGOTTEN, subject, True)]
        with store.write() as tx:
            (job,) = claims.claim(tx, "one/1", "receipt", "", count=2, limit=Limit(1), lease=timedelta(minutes=1))
            again = receipts.get(tx, UUID(job.subject))
            (file,) = files.page(tx, mailbox, folder, "")
        assert (again.mailbox, again.name, again.sha256, again.native) == (mailbox, "a.edi", name, native)
        assert file.receipt == again.uuid
        assert found(check(store, repair=True)) == []

    def test_failures_that_nobody_is_told_of_are_told(self, store: Store) -> None:
        mailbox = uuid4()
        with store.write() as tx:
            assert digests.note(tx, mailbox, uuid4())  # and the job that was to tell of it is gone
        assert found(check(store, repair=True)) == [(Fault.FORGOTTEN, f"digest {mailbox}", True)]
        assert found(check(store, repair=True)) == []

    def test_a_post_gets_its_job_in_the_queue_of_its_partner(self, store: Store) -> None:
        message_id = "<1-2-3@acme.example>"
        post = StoredPost(
            message_id=message_id,
            mailbox=uuid4(),
            envelope=uuid4(),
            conversion=None,
            sha256=put(store, b"x"),
            file_name="a",
            content_type="",
            subject="",
        )
        with store.write() as tx:
            posts.add(tx, post)
            posts.add(tx, replace(post, message_id="<at work@acme.example>", state="sent"))
            jobs.add(tx, "post", "<at work@acme.example>")
        assert found(check(store, repair=True)) == [(Fault.FORGOTTEN, f"post {message_id}", True)]
        queue = jobs.queue_of("post", post.mailbox)
        with store.write() as tx:
            (job,) = claims.claim(tx, "one/1", "post", queue, count=2, limit=Limit(1), lease=timedelta(minutes=1))
        assert job.subject == message_id

    def test_a_backlog_is_gone_through_in_pages(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(checking_work, "_PAGE_OF_SUBJECTS", 2)
        sha256 = put(store, b"a")
        known = [
            Receipt(mailbox=uuid4(), channel="sftp", native=False, name="a", sha256=sha256, size=1) for _ in range(9)
        ]
        with store.write() as tx:
            for number, receipt in enumerate(known):
                receipts.add(tx, receipt)
                if number % 3 == 0:
                    jobs.add(tx, "receipt", receipt.uuid)
        forgotten = sorted(str(receipt.uuid) for number, receipt in enumerate(known) if number % 3)
        assert [finding.subject for finding in check(store, repair=True)] == [f"receipt {uuid}" for uuid in forgotten]
        assert found(check(store, repair=False)) == []
