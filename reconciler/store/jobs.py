"""What is still to be done, as rows that are claimed under a lease and finished with their effects."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, insert, or_, select, update

from reconciler.errors import LeaseLostError
from reconciler.store import tables

JobKind = Literal["receipt", "arrival", "post", "mail"]
JobState = Literal["ready", "running", "done", "dead"]


@dataclass(frozen=True, slots=True)
class Job:
    """A job under a lease: `subject` names the row that is to be worked on, `claims` fences what its holder writes.

    `failures` counts the attempts that ended with an error; claims beyond them ended with the worker's death.
    """

    number: int
    kind: JobKind
    subject: str
    claims: int
    failures: int
    owner: str


def add(tx: Connection, kind: JobKind, subject: UUID | str, *, delay: timedelta = timedelta()) -> None:
    """Have something done after this transaction commits, `delay` later at the earliest."""
    now = datetime.now(UTC)
    tx.execute(
        insert(tables.job).values(
            kind=kind,
            subject=str(subject),
            state="ready",
            run_at=now + delay,
            claims=0,
            failures=0,
            error="",
            created_at=now,
        )
    )


def _due(kinds: Sequence[JobKind], now: datetime) -> ColumnElement[bool]:
    job = tables.job.c
    ready = and_(job.state == "ready", job.run_at <= now)
    abandoned = and_(job.state == "running", job.lease_until < now)
    return and_(job.kind.in_(kinds), or_(ready, abandoned))


def is_any_due(connection: Connection, kinds: Sequence[JobKind]) -> bool:
    """Say whether there is a job of these kinds to claim; takes no lock."""
    query = select(tables.job.c.number).where(_due(kinds, datetime.now(UTC))).limit(1)
    return connection.execute(query).first() is not None


def claim(tx: Connection, owner: str, kinds: Sequence[JobKind], lease: timedelta) -> Job | None:
    """Lease the job of these kinds that has been due longest, or one whose lease ran out; None when there is none."""
    now = datetime.now(UTC)
    job = tables.job.c
    first = select(job.number).where(_due(kinds, now)).order_by(job.run_at).limit(1)
    number = tx.execute(first.with_for_update(skip_locked=True)).scalar()
    if number is None:
        return None
    row = tx.execute(
        update(tables.job)
        .where(job.number == number)
        .values(state="running", lease_owner=owner, lease_until=now + lease, claims=job.claims + 1)
        .returning(job.kind, job.subject, job.claims, job.failures)
    ).one()
    return Job(number, row.kind, row.subject, row.claims, row.failures, owner)


def renew(tx: Connection, job: Job, lease: timedelta) -> None:
    """Prolong the lease from now. Raises LeaseLostError when another holds the job."""
    _fenced(tx, job, lease_until=datetime.now(UTC) + lease)


def finish(tx: Connection, job: Job) -> None:
    """End a job, in the transaction of its effects. Raises LeaseLostError when another holds it."""
    _fenced(tx, job, state="done", lease_owner=None, lease_until=None)


def put_off(tx: Connection, job: Job, *, until: datetime) -> None:
    """Give the job back untouched, to be claimed at `until`; counts as no attempt."""
    _fenced(tx, job, state="ready", lease_owner=None, lease_until=None, run_at=until, claims=job.failures)


def fail(tx: Connection, job: Job, *, error: str, retry_at: datetime | None) -> None:
    """Record a failed attempt: to be claimed again at `retry_at`, or dead without one."""
    state: JobState = "ready" if retry_at else "dead"
    failures = job.failures + 1
    _fenced(
        tx,
        job,
        state=state,
        lease_owner=None,
        lease_until=None,
        error=error,
        failures=failures,
        claims=failures,
        **({"run_at": retry_at} if retry_at else {}),
    )


def _fenced(tx: Connection, job: Job, **values: object) -> None:
    row = tables.job.c
    held = and_(row.number == job.number, row.lease_owner == job.owner, row.claims == job.claims)
    if tx.execute(update(tables.job).where(held, row.state == "running").values(**values)).rowcount != 1:
        raise LeaseLostError(f"the lease on job {job.number} went to another worker")


SUSPICION = (timedelta(), timedelta(seconds=2), timedelta(seconds=10))
"""How long a job waits after the first, second and third death of its worker."""


def release_all(tx: Connection) -> int:
    """Make every running job claimable, and say how many; for a store that has one gateway only.

    A job that saw its worker die more than once waits a little: whoever restarts a gateway many times in a row must
    not find the same jobs at its head each time, and take them for the cause.
    """
    job = tables.job.c
    running = tx.execute(select(job.number, job.claims, job.failures).where(job.state == "running")).all()
    for row in running:
        deaths = max(1, min(row.claims - row.failures, len(SUSPICION)))
        tx.execute(
            update(tables.job)
            .where(job.number == row.number)
            .values(
                state="ready",
                lease_owner=None,
                lease_until=None,
                run_at=datetime.now(UTC) + SUSPICION[deaths - 1],
            )
        )
    return len(running)


def revive(tx: Connection, kind: JobKind, subject: UUID | str) -> bool:
    """Make a dead job ready again, from its first attempt; say whether there was one."""
    job = tables.job.c
    found = tx.execute(
        update(tables.job)
        .where(job.kind == kind, job.subject == str(subject), job.state == "dead")
        .values(state="ready", claims=0, failures=0, run_at=datetime.now(UTC))
    )
    return found.rowcount > 0


def hasten(tx: Connection, kind: JobKind, subject: UUID | str) -> None:
    """Make a job that waits for its time due now."""
    job = tables.job.c
    tx.execute(
        update(tables.job)
        .where(job.kind == kind, job.subject == str(subject), job.state == "ready")
        .values(run_at=datetime.now(UTC))
    )
