"""What becomes of a message that waits for its asynchronous MDN, in a real store."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from reconciler.errors import LeaseLostError
from reconciler.jobs.as2_intake import StoreIntake
from reconciler.jobs.directory import Directory
from reconciler.jobs.job import ATTEMPTS, FinalError
from reconciler.jobs.posting import MDN_DEADLINE, Posting
from reconciler.model.key import Key
from reconciler.protocols.as2.ports import Answer, Incoming, MdnOutcome, MdnVerdict, Outcome, Outgoing, Post, Sent
from reconciler.protocols.protocol import Partner
from reconciler.service.workspace import Workspace
from reconciler.store import claims, exchanges, jobs, posts
from reconciler.store.destinations import Limit
from reconciler.store.job_states import JobState
from reconciler.store.jobs import Job, JobRow
from reconciler.store.posts import StoredPost

QUICKSTART = Path(__file__).parents[3] / "examples/quickstart"
SELLER = Key.parse("accounts.globex.mailboxes.sales-as2")


class Site:
    """A store with a message to post, whose MDN is asked for asynchronously."""

    def __init__(self, workspace: Workspace) -> None:
        self.store = workspace.store
        self.directory = Directory(self.store)
        mailbox = self.directory.current().uuid(SELLER)
        assert mailbox is not None
        self.mailbox = mailbox
        self.intake = StoreIntake(self.store, self.directory, self.directory.content, lambda: None)
        self.posting = Posting(self.store, self.directory, {"as2": self.post})
        self.answers: list[MdnOutcome] = []
        self.loses_its_lease = False
        sealed = self.store.blobs.seal(b"UNB")
        with self.store.write() as tx:
            self.store.blobs.put(tx, sealed)
            posts.add(
                tx,
                StoredPost(
                    message_id="7@acme",
                    mailbox=mailbox,
                    envelope=uuid4(),
                    conversion=None,
                    sha256=sealed.sha256,
                    file_name="a.edi",
                    content_type="application/edifact",
                    subject="",
                ),
            )
            jobs.add(tx, "post", "7@acme", queue="")

    def post(self, _partner: Partner, post: Post) -> Sent:
        """Take the message; the MDNs of `answers` come before the answer to the post."""
        for outcome in self.answers:
            self.settle(outcome)
        if self.loses_its_lease:
            with self.store.write() as tx:
                tx.exec_driver_sql("UPDATE job SET lease_owner = 'there', claims = claims + 1")
        wire = Outgoing(started_at=datetime.now(UTC), seconds=0.1, headers={}, wire_size=len(post.payload), status=200)
        return Sent(mic="bWlj", mic_algorithm="sha256", wire=wire)

    def settle(self, outcome: MdnOutcome) -> None:
        incoming = Incoming(
            mailbox=self.mailbox,
            as2_from="GLOBEX-ERP",
            as2_to="GLOBEX-SALES",
            message_id="7@acme",
            outcome=Outcome.ACCEPTED,
            started_at=datetime.now(UTC),
            headers={},
            wire_size=1,
            mdn=Answer(200, {}, b""),
        )
        self.intake.settle("7@acme", MdnVerdict(outcome, "said so"), incoming)

    def claim(self) -> Job:
        with self.store.write() as tx:
            (job,) = claims.claim(tx, "here", "post", "", count=1, limit=Limit(1), lease=timedelta(minutes=1))
            return job

    def job(self) -> JobRow:
        with self.store.read() as connection:
            (row,) = jobs.listed(connection, list(JobState), limit=9)
        return row

    def state(self) -> str:
        with self.store.read() as connection:
            return posts.get(connection, "7@acme").state


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    folder = tmp_path / "quickstart"
    shutil.copytree(QUICKSTART, folder)
    account = folder / "accounts/globex.yaml"
    account.write_text(
        account.read_text().replace("self_id: GLOBEX-SALES", "self_id: GLOBEX-SALES\n            mdn: async")
    )
    workspace = Workspace.open(folder)
    desired = workspace.load()
    workspace.apply(workspace.plan(desired), desired, actor="test")
    yield Site(workspace)
    workspace.close()


def test_an_mdn_is_awaited_to_its_deadline(site: Site) -> None:
    site.posting.handle(site.claim())
    row = site.job()
    assert (row.state, site.state()) == (JobState.RETRYING, "sent")
    assert row.run_at - datetime.now(UTC) > 0.9 * MDN_DEADLINE
    site.settle(MdnOutcome.DOUBTFUL)
    assert site.state() == "sent"
    site.settle(MdnOutcome.CONFIRMED)
    assert site.state() == "delivered"
    # However soon it came: nothing that keeps the order waits an hour for this job.
    assert site.job().state is JobState.READY


def test_a_last_try_without_an_mdn_is_final(site: Site) -> None:
    with pytest.raises(FinalError, match="no MDN came"):
        site.posting.handle(replace(site.claim(), failures=ATTEMPTS["post"] - 1))


def test_an_mdn_that_is_faster_than_the_answer_ends_the_job(site: Site) -> None:
    site.answers = [MdnOutcome.DOUBTFUL, MdnOutcome.CONFIRMED]
    site.posting.handle(site.claim())
    with site.store.read() as connection:
        (row,) = jobs.listed(connection, [JobState.DONE], limit=9)
    assert (row.subject, site.state()) == ("7@acme", "delivered")


def test_a_refusal_that_is_faster_than_the_answer_is_final(site: Site) -> None:
    site.answers = [MdnOutcome.REJECTED]
    with pytest.raises(FinalError, match="said so"):
        site.posting.handle(site.claim())


def test_an_mdn_that_comes_while_its_message_is_given_up_is_the_last_word(site: Site) -> None:
    job = site.claim()
    site.settle(MdnOutcome.CONFIRMED)
    site.posting.give_up(job, "no MDN came")
    with site.store.read() as connection:
        (row,) = jobs.listed(connection, [JobState.DONE], limit=9)
    assert (row.subject, site.state()) == ("7@acme", "delivered")


def test_who_loses_its_lease_while_it_posts_writes_nothing(site: Site) -> None:
    """Another posts the same message meanwhile; what the MDN is held against is what that one signed."""
    site.loses_its_lease = True
    with pytest.raises(LeaseLostError):
        site.posting.handle(site.claim())
    assert site.state() == "waiting"
    with site.store.read() as connection:
        assert list(exchanges.of_message(connection, site.mailbox, "7@acme")) == []
