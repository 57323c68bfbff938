"""Dead letters on every database: run again under the same identity, or dropped."""

from datetime import timedelta
from uuid import uuid4

import pytest

from reconciler.errors import NotFoundError, ReconcilerError
from reconciler.jobs import dead_letters
from reconciler.model.rule import Direction
from reconciler.store import claims, conversions, jobs, mails, posts
from reconciler.store.conversions import Conversion, ConversionStatus
from reconciler.store.database import Store
from reconciler.store.destinations import Limit
from reconciler.store.job_states import JobState
from reconciler.store.jobs import JobKind, JobRow
from reconciler.store.mails import StoredMail
from reconciler.store.posts import StoredPost


def dead(store: Store, kind: JobKind, subject: str) -> int:
    with store.write() as tx:
        jobs.add(tx, kind, subject)
        (job,) = claims.claim(tx, "one/1", kind, "", count=1, limit=Limit(1), lease=timedelta(minutes=1))
        jobs.fail(tx, job, error="for good", retry_in=None)
    return job.number


def row(store: Store, number: int) -> JobRow:
    with store.read() as connection:
        found = jobs.find(connection, number)
    assert found is not None
    return found


class TestRetrying:
    def test_a_mail_waits_again(self, store: Store) -> None:
        with store.write() as tx:
            mails.add(tx, StoredMail(message_id="<1>", recipient="a@x", template="arrival", data={}, state="failed"))
        number = dead(store, "mail", "<1>")
        with store.write() as tx:
            dead_letters.retry(tx, number)
        assert row(store, number).state is JobState.READY
        with store.read() as connection:
            assert mails.get(connection, "<1>").state == "waiting"

    def test_a_post_waits_again_and_so_does_its_log_record(self, store: Store) -> None:
        sealed = store.blobs.seal(b"payload")
        with store.write() as tx:
            sha256 = store.blobs.put(tx, sealed)
        record = Conversion(
            status=ConversionStatus.FAILED,
            direction=Direction.IN,
            mailbox=uuid4(),
            rule=None,
            file_name="f",
            input=sha256,
        )
        post = StoredPost(
            message_id="1@x",
            mailbox=record.mailbox,
            envelope=uuid4(),
            conversion=record.uuid,
            sha256=sha256,
            file_name="f",
            content_type="",
            subject="",
            state="failed",
        )
        with store.write() as tx:
            conversions.put(tx, record)
            posts.add(tx, post)
        number = dead(store, "post", "1@x")
        with store.write() as tx:
            dead_letters.retry(tx, number)
        assert row(store, number).state is JobState.READY
        with store.read() as connection:
            assert posts.get(connection, "1@x").state == "waiting"

    def test_what_lives_is_left_alone(self, store: Store) -> None:
        number = dead(store, "receipt", str(uuid4()))
        with store.write() as tx:
            dead_letters.retry(tx, number)
        with store.write() as tx, pytest.raises(ReconcilerError, match="is ready, not dead"):
            dead_letters.drop(tx, number)

    def test_what_is_not_there_is_said(self, store: Store) -> None:
        with store.write() as tx, pytest.raises(NotFoundError, match="job list"):
            dead_letters.retry(tx, 4711)


class TestDropping:
    def test_what_is_dropped_is_done_with(self, store: Store) -> None:
        number = dead(store, "receipt", str(uuid4()))
        with store.write() as tx:
            dead_letters.drop(tx, number)
        assert row(store, number).state is JobState.DONE
