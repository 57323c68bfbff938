"""A machine that uploads, applies, kills, restarts, retries, renames in any order, and what holds after each step."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import Connection, func, select

from reconciler.errors import LeaseLostError, ReconcilerError
from reconciler.jobs.directory import Directory
from reconciler.jobs.folders import StoreFolders
from reconciler.jobs.job import is_poisoned, is_suspected
from reconciler.jobs.receiving import Receiving
from reconciler.jobs.sending import Sending
from reconciler.model.key import Key
from reconciler.protocols.sftp.folders import BOUNDLESS
from reconciler.service.workspace import Workspace
from reconciler.store import checking, claims, configuration, conversions, jobs, tables
from reconciler.store.conversions import ConversionStatus
from reconciler.store.destinations import Limit
from reconciler.store.job_states import JobState
from reconciler.store.jobs import Job
from reconciler.store.search import LogFilter
from tests.acceptance.faults.dying import Canned, renumbered
from tests.acceptance.faults.sites import ACME, SALES, Site

TEMPLATE = TemporaryDirectory(prefix="reconciler-model-")
NODE = "here"


class Killed(BaseException):
    """The process is dead from here on."""


def template() -> Path:
    """Return an applied site that was worked on once, so that its conversions can be told again."""
    folder = Path(TEMPLATE.name) / "site"
    if not folder.exists():
        site = Site(folder, url=None, payloads=None, like=None, state=None, environment=None)
        site.keep_conversions()
        site.close()
    return folder


class Exchange(RuleBasedStateMachine):
    """Acme uploads, Globex receives, and one process works, dies and comes back. The model: what was acknowledged."""

    @initialize()
    def start(self) -> None:
        self.home = TemporaryDirectory(prefix="reconciler-model-")
        folder = Path(self.home.name) / "site"
        shutil.copytree(template(), folder)
        self.folder = folder
        self.sample = (folder / "samples" / "ORDERS_4711.edi").read_bytes()
        self.canned = Canned((folder / "out.xml").read_bytes(), (folder / "in.xml").read_bytes())
        self.lives = 0
        self.number = 5000
        self.acknowledged: set[int] = set()
        self.sales_is_on = True
        self.be_born()

    def be_born(self) -> None:
        """Begin the next life: nothing is known but what is in the store."""
        self.lives += 1
        self.workspace = Workspace.open(self.folder)
        self.store = self.workspace.store
        directory = Directory(self.store)
        with self.store.read() as connection:
            uuids = configuration.mailbox_uuids(connection)
        self.acme, self.sales = uuids[Key.parse(ACME)], uuids[Key.parse(SALES)]
        self.folders = StoreFolders(self.store, lambda: None)
        self.handlers: dict[str, Sending | Receiving] = {
            "receipt": Sending(self.store, directory, self.canned),
            "arrival": Receiving(self.store, directory, self.canned),
        }
        with self.store.write() as tx:
            claims.release_node(tx, NODE)

    def teardown(self) -> None:
        if hasattr(self, "workspace"):
            self.workspace.close()
            self.home.cleanup()

    def claim(self, count: int) -> list[Job]:
        found: list[Job] = []
        with self.store.write() as tx:
            for kind in self.handlers:
                found += claims.claim(
                    tx,
                    f"{NODE}/{self.lives}",
                    kind,  # type: ignore[arg-type]  # the kinds that there are handlers for
                    "",
                    count=count,
                    limit=Limit(count),
                    lease=timedelta(seconds=30),
                )
        return found

    def begun(self, job: Job) -> Job:
        if not is_suspected(job):
            return job
        with self.store.write() as tx:
            return jobs.begin_trial(tx, job)

    def die(self) -> None:
        self.workspace.close()
        self.be_born()

    # --- what may happen -----------------------------------------------------------------------------------------

    @rule(good=st.booleans())
    def upload(self, good: bool) -> None:
        self.number += 1
        name = f"ORDERS_{self.number}.edi"
        content = renumbered(self.sample, str(self.number)) if good else f"no order {self.number}".encode()
        file = self.folders.upload(
            self.acme, "coutbox", name if good else f"{self.number}.txt", exclusive=False, keep=False, room=BOUNDLESS
        )
        file.write(0, content)
        file.commit()
        self.acknowledged.add(self.number)

    @rule()
    def begin_an_upload_and_die(self) -> None:
        file = self.folders.upload(self.acme, "coutbox", "ORDERS_1.edi", exclusive=False, keep=False, room=BOUNDLESS)
        file.write(0, b"UNA")
        self.die()

    @rule(count=st.integers(1, 4))
    def work(self, count: int) -> None:
        for job in self.claim(count):
            handler = self.handlers[job.kind]
            if is_poisoned(job):
                handler.give_up(job, "it ended its worker each time")
            else:
                handler.handle(self.begun(job))

    @rule()
    def claim_and_die(self) -> None:
        self.claim(3)
        self.die()

    @rule(after=st.booleans())
    def die_at_a_commit(self, after: bool) -> None:
        """Die when the effects of a job are about to be committed, or have just been."""
        write = self.store.write

        @contextmanager
        def deadly() -> Iterator[Connection]:
            with write() as tx:
                yield tx
                if not after:
                    raise Killed
            raise Killed

        claimed = [job for job in self.claim(1) if not is_poisoned(job)]
        self.store.write = deadly  # type: ignore[method-assign]
        for job in claimed[:1]:
            with suppress(Killed):
                self.handlers[job.kind].handle(self.begun(job))
        self.die()

    @rule()
    def lose_a_lease(self) -> None:
        """Another takes the job over while its holder is paused; what that holder then does comes to nothing."""
        for job in [job for job in self.claim(1) if not is_poisoned(job)][:1]:
            with self.store.write() as tx:
                tx.exec_driver_sql("UPDATE job SET lease_until = 1 WHERE number = ?", (job.number,))
                claims.reap(tx)
            with suppress(LeaseLostError):
                self.handlers[job.kind].handle(job)
                raise AssertionError("a lease that was lost commits nothing")

    @rule()
    def stop_before_the_end(self) -> None:
        """Give back what does not end in time; what is still done with it then comes to nothing."""
        for job in [job for job in self.claim(1) if not is_poisoned(job)][:1]:
            begun = self.begun(job)
            with self.store.write() as tx:
                claims.give_back(tx, job.owner)
            with suppress(LeaseLostError):
                self.handlers[job.kind].handle(begun)
                raise AssertionError("what was given back commits nothing")

    @rule()
    def time_passes(self) -> None:
        with self.store.write() as tx:
            tx.exec_driver_sql("UPDATE job SET run_at = 1 WHERE state = 'retrying'")
            claims.come_due(tx)
            tx.exec_driver_sql("UPDATE job SET lease_until = 1 WHERE state = 'running'")
            claims.reap(tx)

    @rule()
    def apply(self) -> None:
        self.sales_is_on = not self.sales_is_on
        self.workspace.switch(f"{SALES}.integration", on=self.sales_is_on, actor="test", reason="the model")

    @precondition(lambda self: self.failed())
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        with suppress(ReconcilerError):  # it runs again already
            self.workspace.reprocess(data.draw(st.sampled_from(self.failed())))

    @precondition(lambda self: self.in_error())
    @rule(data=st.data())
    def rename(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self.in_error()))
        self.folders.rename(self.acme, ("error", name), ("coutbox", name), replace=False)

    # --- what is looked at ---------------------------------------------------------------------------------------

    def failed(self) -> list[UUID]:
        with self.store.read() as connection:
            found = conversions.newest(connection, LogFilter(status=ConversionStatus.FAILED.value), limit=100)
        return sorted(record.uuid for record in found)

    def in_error(self) -> list[str]:
        names = [entry.name for entry in self.folders.entries(self.acme, "error")]
        return sorted(name for name in names if not name.endswith(".error.txt"))

    @invariant()
    def every_input_is_where_it_should_be(self) -> None:
        """Each acknowledged input waits with work to be done, or has ended with one envelope or one failed record."""
        with self.store.read() as connection:
            receipts = connection.execute(select(tables.receipt)).all()
            found = {int("".join(filter(str.isdigit, row.name))): row for row in receipts}
            assert len(receipts) == len(found)
            assert set(found) == self.acknowledged
            records = connection.execute(select(tables.conversion).where(tables.conversion.c.direction == "out")).all()
            by_receipt = {row.receipt: row for row in records}
            assert len(by_receipt) == len(records)
            for row in receipts:
                record = by_receipt.get(row.uuid)
                if row.state == "received":
                    assert self.pending(connection, "receipt", row.uuid) == 1
                else:
                    assert self.pending(connection, "receipt", row.uuid) == 0
                    assert record is not None
                    assert len(record.envelopes) == (row.state == "done")
            envelopes = connection.execute(select(func.count()).select_from(tables.envelope)).scalar_one()
            assert envelopes == sum(len(row.envelopes) for row in records)

    @invariant()
    def every_envelope_is_delivered_once(self) -> None:
        with self.store.read() as connection:
            arrivals = connection.execute(select(tables.arrival)).all()
            for row in arrivals:
                assert self.pending(connection, "arrival", row.uuid) == (row.state == "received")
            delivered = sum(row.state == "delivered" for row in arrivals)
            query = select(tables.file.c.name).where(tables.file.c.mailbox == self.sales)
            names = list(connection.execute(query.where(tables.file.c.folder == "cinbox")).scalars())
        assert len(names) == delivered
        assert len(set(names)) == len(names)

    @invariant()
    def the_store_is_whole(self) -> None:
        assert list(checking.check(self.store, repair=False)) == []

    @staticmethod
    def pending(connection: Connection, kind: str, subject: UUID) -> int:
        row = tables.job.c
        is_pending = jobs.is_in(JobState.READY, JobState.RUNNING, JobState.RETRYING)
        counted = select(func.count()).select_from(tables.job).where(row.kind == kind, row.subject == str(subject))
        return int(connection.execute(counted.where(is_pending)).scalar_one())


TestExchange = Exchange.TestCase
TestExchange.settings = settings(
    max_examples=20, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
