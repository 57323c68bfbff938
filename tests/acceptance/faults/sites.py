"""A gateway with orders to work off, and what must hold however that was disturbed."""

import shutil
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx
from sqlalchemy import BigInteger, delete, func, literal, select, update

from reconciler.jobs.acceptance import accept
from reconciler.model.key import Key
from reconciler.store import checking, configuration, conversions, jobs, tables
from reconciler.store.database import Store
from reconciler.store.job_states import PENDING, JobState
from reconciler.store.receipts import Receipt
from reconciler.store.search import LogFilter
from tests.acceptance.running_gateway import RunningGateway, await_that

ACME = "accounts.acme.mailboxes.orders"
SALES = "accounts.globex.mailboxes.sales"
ARCHIVE = "accounts.globex.mailboxes.archive"

_NATIVE = """<envelope templateUuid="8cb0f552-54ab-4b26-b0d6-a4b09bc68c18"
    templateVersion="66a2b510-738c-47ce-825b-864908dba8ec">
  <info><subject>{subject}</subject><expire after="{expires}"/></info>
  <documents><document id="d1">
    <field name="number">1</field>
    <field name="date">2026-11-21</field>
    <field name="delivery date">2026-11-28</field>
    <field name="buyer">4829900003227</field>
    <field name="supplier" recordUuid="38b9c688-d49b-4584-bfe1-67041bb9a687">4000002000035</field>
    <fieldgroup name="positions"><fieldset index="0">
      <field name="line">1</field><field name="product">4006381333931</field><field name="quantity">12</field>
    </fieldset></fieldgroup>
  </document></documents>
  <flow><roles><role id="buyer" mailboxUuid="{acme}"/><role id="supplier" mailboxUuid="{archive}"/></roles></flow>
</envelope>
"""


class Site(RunningGateway):
    """A gateway on a store of its own, or on the same one as another that it is `like`."""

    def __init__(
        self,
        folder: Path,
        *,
        url: str | None,
        payloads: str | None,
        like: "Site | None",
        state: Path | None,
        environment: Mapping[str, str] | None,
    ) -> None:
        super().__init__(folder, environment)
        self._keeps_order = False
        self._known: dict[tuple[str, str], str] = {}
        if state is not None:
            self.edit("reconciler.yaml", "state: .reconciler", f"state: {state}")
        if url is not None:
            shared = f"\npayloads: {payloads}" if payloads else ""
            self.edit("reconciler.yaml", "state: .reconciler", f"state: {url}{shared}")
        self.workspace.close()
        self.workspace = type(self.workspace).open(folder)
        self.sample = (folder / "samples" / "ORDERS_4711.edi").read_bytes()
        if like is None:
            self.apply()
        else:
            (folder / ".reconciler").mkdir(mode=0o700)
            shutil.copy(like.folder / ".reconciler" / "key", folder / ".reconciler" / "key")

    def credential(self, mailbox: str, field: str) -> str:
        """Return a credential as a partner knows it, database or not."""
        if (mailbox, field) not in self._known:
            self._known[mailbox, field] = super().credential(mailbox, field)
        return self._known[mailbox, field]

    @property
    def is_embedded(self) -> bool:
        return self.store.engine.dialect.name == "sqlite"

    @property
    def store(self) -> Store:
        return self.workspace.store

    def mailbox(self, address: str) -> UUID:
        with self.store.read() as connection:
            return configuration.mailbox_uuids(connection)[Key.parse(address)]

    def order(self, number: int) -> bytes:
        return self.sample.replace(b"4711", str(number).encode())

    def accept_orders(self, numbers: range) -> None:
        """Commit orders as if they had been uploaded."""
        self.accept({f"ORDERS_{number}.edi": self.order(number) for number in numbers})

    def accept(self, contents: Mapping[str, bytes]) -> None:
        """Commit files of these names as if Acme had uploaded them."""
        acme = self.mailbox(ACME)
        sealed = [(name, self.store.blobs.seal(content)) for name, content in contents.items()]
        with self.store.write() as tx:
            for name, each in sealed:
                self.store.blobs.put(tx, each)
                receipt = Receipt(
                    mailbox=acme, channel="sftp", native=False, name=name, sha256=each.sha256, size=each.size
                )
                accept(tx, receipt, queue=f"receipt/{acme}" if self._keeps_order else "")

    def send_expiring(self, ends: Mapping[str, timedelta]) -> None:
        """Send Globex's archive envelopes of these subjects, each of which expires so long from now."""
        for subject, after in ends.items():
            expires = (datetime.now(UTC) + after).isoformat()
            content = _NATIVE.format(
                subject=subject, expires=expires, acme=self.mailbox(ACME), archive=self.mailbox(ARCHIVE)
            )
            self.workspace.send(ACME, f"{subject}.xml", content.encode())

    def keep_order(self) -> None:
        """Have what Acme sends and Globex receives processed in its order."""
        self._keeps_order = True
        self.edit("accounts/acme.yaml", "notify_email: edi@acme.example ", "ordered: true #")
        self.edit(
            "accounts/globex.yaml",
            '4000002000011"]\n        integration: {enabled: true}',
            '4000002000011"]\n        integration: {enabled: true, ordered: true}',
        )
        self.apply()

    def has_ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def running(self, owner: str) -> list[int]:
        """Return the jobs that are held under leases of an owner whose name begins so."""
        row = tables.job.c
        with self.store.read() as connection:
            held = select(row.number).where(jobs.is_in(JobState.RUNNING), row.lease_owner.startswith(owner))
            return list(connection.execute(held).scalars())

    def done(self) -> int:
        with self.store.read() as connection:
            counted = select(func.count()).select_from(tables.job).where(jobs.is_in(JobState.DONE))
            return int(connection.execute(counted).scalar_one())

    def posts(self, state: str) -> int:
        with self.store.read() as connection:
            counted = select(func.count()).where(tables.post.c.state == state)
            return int(connection.execute(counted).scalar_one())

    def breaker_is_open(self, prefix: str) -> bool:
        row = tables.destination.c
        with self.store.read() as connection:
            opened = select(func.count()).where(row.name.startswith(prefix), row.open_until.is_not(None))
            return bool(connection.execute(opened).scalar_one())

    def pending(self) -> int:
        with self.store.read() as connection:
            return sum(count for (_, state), count in jobs.counts(connection).items() if state in PENDING)

    def await_processed(self, inputs: int) -> None:
        """Wait until so many inputs are processed, with everything that they led to but mail, which nobody takes."""

        def is_over() -> bool:
            with self.store.read() as connection:
                open_ = [kind for (kind, state), _ in jobs.counts(connection).items() if state in PENDING]
                done = connection.execute(
                    select(func.count()).select_from(tables.receipt).where(tables.receipt.c.state != "received")
                ).scalar_one()
            return set(open_) <= {"mail", "digest"} and done >= inputs

        await_that(is_over, "all inputs are processed", 180)

    def await_drained(self, seconds: float = 240) -> None:
        await_that(lambda: self.pending() == 0, "all work is done", seconds)

    def resting(self) -> int:
        with self.store.read() as connection:
            return sum(count for (_, state), count in jobs.counts(connection).items() if state is JobState.RETRYING)

    def end_rests(self) -> None:
        """Make due what rests because it saw its gateway die twice; nobody waits for that here."""
        with self.store.write() as tx:
            tx.execute(update(tables.job).where(jobs.is_in(JobState.RETRYING)).values(run_at=literal(0, BigInteger)))

    def is_ready(self) -> bool:
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.http_port}/readyz", trust_env=False, timeout=6)
        except httpx.HTTPError:
            return False
        return answer.status_code == 200

    def await_ready(self) -> float:
        """Wait until the gateway says that it is ready; return the moment."""
        await_that(self.is_ready, "the gateway is ready")
        return time.monotonic()

    def keep_conversions(self) -> None:
        """Lay down what the maps make of order 4711, for those who cannot wait for maps."""
        self.start()
        self.accept_orders(range(4711, 4712))
        self.await_drained()
        with self.store.read() as connection:
            for record in conversions.newest(connection, LogFilter(), limit=2):
                assert record.output is not None
                content = self.store.blobs.read(connection, record.output)
                (self.folder / f"{record.direction.value}.xml").write_bytes(content)
        self.kill()
        self.forget()

    def forget(self) -> None:
        """Empty the folders and the log, as if nothing had ever been exchanged."""
        with self.store.write() as tx:
            for table in reversed(tables.metadata.sorted_tables):
                if table.name in {"file", "word", "event", "arrival", "envelope", "conversion", "receipt", "job"}:
                    tx.execute(delete(table))

    def names(self, mailbox: str, folder: str) -> list[str]:
        with self.login(mailbox) as client:
            return client.listdir(f"/{folder}")

    def require_each_once(self, numbers: Sequence[int]) -> None:
        """Every order is one envelope and one file, nothing is dead, and the store is whole."""
        assert sorted(self.names(SALES, "cinbox")) == sorted(f"ORDER_{number}.xml" for number in numbers)
        with self.store.read() as connection:
            assert jobs.listed(connection, [JobState.DEAD], limit=10) == []
        assert len(self.workspace.envelopes(mailbox=ACME, limit=10 * len(numbers))) == len(numbers)
        records = self.workspace.log(limit=10 * len(numbers))
        assert Counter((record.direction, record.status) for record in records) == {
            ("out", "PROCESSED"): len(numbers),
            ("in", "PROCESSED"): len(numbers),
        }
        assert list(checking.check(self.store, repair=False)) == []
