"""What is still to be done, as rows: added, finished with their effects, failed, given up, retried, dropped."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Literal
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    RowMapping,
    and_,
    bindparam,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from reconciler.errors import LeaseLostError
from reconciler.store import tables, trace
from reconciler.store.job_states import TRANSITIONS, JobEvent, JobState
from reconciler.store.moment import NOW, microseconds
from reconciler.store.statement import Statement
from reconciler.store.upsert import Insert, insert_into
from reconciler.store.wake import CHANNEL

JobKind = Literal["receipt", "arrival", "post", "mdn", "mail", "digest", "expiry"]

IN_A_HURRY = -1
"""The priority of what a person waits for; 0 is usual, and lower goes first."""

_DELAY = bindparam("delay", type_=BigInteger)
_RING = Statement(select(func.pg_notify(CHANNEL, "")))


@dataclass(frozen=True, slots=True)
class Job:
    """A job under a lease: `subject` names the row that is to be worked on, `claims` fences what its holder writes.

    `queue` is the destination that it belongs to, or empty. `failures` counts the attempts that ended with an error;
    claims beyond them ended with the worker's death, and a suspected job's trial counts as one more. `at_hand` is what
    its adder, just now in this process, knows of the subject, so that it need not be read.
    """

    number: int
    kind: JobKind
    subject: str
    queue: str
    claims: int
    failures: int
    owner: str
    trace: str = ""
    at_hand: object = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as people see it."""

    number: int
    kind: JobKind
    subject: str
    queue: str
    state: JobState
    failures: int
    error: str
    run_at: datetime
    created_at: datetime


def add(
    tx: Connection,
    kind: JobKind,
    subject: UUID | str,
    *,
    queue: str = "",
    ordered: bool = False,
    priority: int = 0,
    delay: timedelta = timedelta(),
    key: str | None = None,
) -> bool:
    """Have something done after this transaction commits, `delay` later at the earliest.

    `queue` names the destination whose limits hold for it; `ordered`, that it waits for the jobs that were added to
    that queue before it. False, and nothing added, while a job of this kind with this `key` is pending.
    """
    row = {
        "kind": kind,
        "subject": str(subject),
        "queue": queue,
        "ordered": ordered,
        "priority": 0 if ordered else priority,
        "key": key,
        "state": JobState.RETRYING if delay else JobState.READY,
        "delay": microseconds(delay),
        "trace": trace.current() or trace.new(),
    }
    if key is None:
        _ADD.send(tx, row)
    elif _ADD.run(tx, row) == 0:
        return False
    ring(tx)
    return True


def begin(
    tx: Connection, kind: JobKind, subject: UUID | str, *, owner: str, lease: timedelta, at_hand: object = None
) -> Callable[[], Job]:
    """Add a job that its adder does next, under a lease from the first moment on: nobody has to look for it.

    What this returns returns the job, once the transaction has ended.
    """
    of_trace = trace.current() or trace.new()
    row = {"kind": kind, "subject": str(subject), "owner": owner, "lease": microseconds(lease), "trace": of_trace}
    begun = _BEGIN.later(tx, row)

    def job() -> Job:
        found = begun.first()
        if found is None:
            raise AssertionError("an INSERT that returns the row returned none")
        return Job(found[0], kind, str(subject), "", 1, 0, owner, of_trace, at_hand)

    return job


def _addition(dialect: str) -> Insert:
    fresh = {"claims": 0, "failures": 0, "error": "", "created_at": NOW, "run_at": NOW + _DELAY}
    names = ("kind", "subject", "queue", "ordered", "priority", "key", "state", "trace")
    given: dict[str, object] = {name: bindparam(name) for name in names}
    return insert_into(dialect, tables.job).values(**given, **fresh).on_conflict_do_nothing()


_ADD = Statement(_addition)
_BEGIN = Statement(
    insert(tables.job)
    .values(
        **{name: bindparam(name) for name in ("kind", "subject", "trace")},
        queue="",
        ordered=False,
        priority=0,
        failures=0,
        error="",
        created_at=NOW,
        run_at=NOW,
        state=TRANSITIONS[JobEvent.CLAIM][1],
        claims=1,
        lease_owner=bindparam("owner"),
        lease_until=NOW + bindparam("lease", type_=BigInteger),
    )
    .returning(tables.job.c.number)
)


def ring(tx: Connection) -> None:
    """Wake the workers of all nodes when this transaction commits, where the database can do that."""
    if tx.dialect.name == "postgresql":
        _RING.send(tx)


def queue_of(kind: JobKind, mailbox: UUID) -> str:
    """Return the queue of a mailbox's jobs of a kind, for which the limits of that mailbox hold."""
    return f"{kind}/{mailbox}"


def is_in(*states: JobState) -> ColumnElement[bool]:
    """Return the condition that a job is in one of these states, as literals: only then partial indexes serve it."""
    return or_(*(tables.job.c.state == literal_column(f"'{state}'") for state in states))


def finish(tx: Connection, job: Job) -> None:
    """End a job, in the transaction of its effects. Raises LeaseLostError when another holds it."""
    _fenced(tx, job, JobEvent.FINISH, key=None)


def put_off(tx: Connection, job: Job, *, delay: timedelta) -> None:
    """Give the job back untouched, to be claimed `delay` from now; counts as no attempt."""
    _fenced(tx, job, JobEvent.PUT_OFF, delay=delay, claims=job.failures)


def release(tx: Connection, job: Job) -> None:
    """Give back a job that was claimed and not begun."""
    _fenced(tx, job, JobEvent.RELEASE, claims=job.claims - 1)


def fail(tx: Connection, job: Job, *, error: str, retry_in: timedelta | None) -> None:
    """Record a failed attempt: to be claimed again after `retry_in`, or dead without one."""
    failures = job.failures + 1
    event = JobEvent.GIVE_UP if retry_in is None else JobEvent.FAIL
    _fenced(tx, job, event, delay=retry_in, error=error, failures=failures, claims=failures)


def begin_trial(tx: Connection, job: Job) -> Job:
    """Say that a suspected job is begun: only from here on is the death of its holder put to its account.

    Returns it as it is held now. Raises LeaseLostError when another holds it.
    """
    tried = replace(job, claims=job.claims + 1)
    _require_held(_TRY.run(tx, {**_holder(job), "claims": tried.claims}), job)
    return tried


def _fenced(tx: Connection, job: Job, event: JobEvent, *, delay: timedelta | None = None, **values: object) -> None:
    due = {} if delay is None else {"delay": microseconds(delay)}
    changed = _change(event, tuple(values), is_delayed=bool(due)).run(tx, {**_holder(job), **due, **values})
    _require_held(changed, job)


def require_held(tx: Connection, job: Job) -> None:
    """Fence what a transaction writes by a job that it does not end. Raises LeaseLostError when another holds it."""
    _require_held(len(_HOLD.all(tx, _holder(job))), job)


def _require_held(changed: int, job: Job) -> None:
    if changed != 1:
        raise LeaseLostError(f"the lease on job {job.number} went to another worker")


def _holder(job: Job) -> dict[str, object]:
    return {"held_number": job.number, "held_owner": job.owner, "held_claims": job.claims}


def _held(before: JobState) -> ColumnElement[bool]:
    """Return the condition that a job is under this very claim, and nobody else's."""
    row = tables.job.c
    return and_(
        row.number == bindparam("held_number"),
        row.lease_owner == bindparam("held_owner"),
        row.claims == bindparam("held_claims"),
        is_in(before),
    )


@cache
def _change(event: JobEvent, names: tuple[str, ...], *, is_delayed: bool) -> Statement:
    """Return what changes a job for its holder, who holds it no more."""
    before, after = TRANSITIONS[event]
    values: dict[str, object] = {"state": after, "lease_owner": None, "lease_until": None} | {
        name: bindparam(name) for name in names
    }
    due = {"run_at": NOW + _DELAY} if is_delayed else {}
    return Statement(update(tables.job).where(_held(before)).values(values | due))


_HOLD = Statement(select(tables.job.c.number).where(_held(JobState.RUNNING)).with_for_update())
_TRY = Statement(update(tables.job).where(_held(JobState.RUNNING)).values(claims=bindparam("claims")))


def revive(tx: Connection, kind: JobKind, subject: UUID | str) -> bool:
    """Make a dead job ready again, from its first attempt and ahead of others; say whether there was one."""
    job = tables.job.c
    before, after = TRANSITIONS[JobEvent.REVIVE]
    found = tx.execute(
        update(tables.job)
        .where(job.kind == kind, job.subject == str(subject), is_in(before))
        .values(state=after, claims=0, failures=0, priority=IN_A_HURRY, run_at=NOW)
    )
    ring(tx)
    return found.rowcount > 0


def drop(tx: Connection, number: int) -> bool:
    """Let a dead job be: nobody will retry it; say whether it was one."""
    before, after = TRANSITIONS[JobEvent.DROP]
    return (
        tx.execute(update(tables.job).where(tables.job.c.number == number, is_in(before)).values(state=after)).rowcount
        == 1
    )


def hasten(tx: Connection, kind: JobKind, subject: UUID | str) -> None:
    """Make a job that waits for its time due now."""
    job = tables.job.c
    before, after = TRANSITIONS[JobEvent.COME_DUE]
    tx.execute(
        update(tables.job)
        .where(job.kind == kind, job.subject == str(subject), is_in(before))
        .values(state=after, run_at=NOW)
    )
    ring(tx)


def listed(connection: Connection, states: Sequence[JobState], *, limit: int, offset: int = 0) -> list[JobRow]:
    """Return up to `limit` jobs in these states, oldest first."""
    query = select(tables.job).where(is_in(*states)).order_by(tables.job.c.number).limit(limit).offset(offset)
    return [_row(row) for row in connection.execute(query).mappings()]


def find(connection: Connection, number: int) -> JobRow | None:
    """Return a job, or None."""
    row = connection.execute(select(tables.job).where(tables.job.c.number == number)).mappings().first()
    return None if row is None else _row(row)


def _row(row: RowMapping) -> JobRow:
    values = {name: row[name] for name in JobRow.__slots__}
    return JobRow(**values | {"state": JobState(row["state"])})


def hurried(connection: Connection) -> int:
    """Return how many jobs that a person asked for are not done yet."""
    job = tables.job.c
    pending = is_in(JobState.READY, JobState.RUNNING, JobState.RETRYING)
    query = select(func.count()).select_from(tables.job).where(pending, job.priority == IN_A_HURRY)
    return connection.execute(query).scalar_one()


def oldest_ready(connection: Connection) -> dict[str, datetime]:
    """Return since when the oldest job that could be worked on has waited, by kind."""
    job = tables.job.c
    query = select(job.kind, func.min(job.run_at).label("since")).where(is_in(JobState.READY)).group_by(job.kind)
    return {row.kind: row.since for row in connection.execute(query)}


def counts(connection: Connection) -> dict[tuple[str, JobState], int]:
    """Return how many jobs there are that are not done, by kind and state."""
    job = tables.job.c
    states = [state for state in JobState if state is not JobState.DONE]
    query = select(job.kind, job.state, func.count()).where(is_in(*states)).group_by(job.kind, job.state)
    return {(kind, JobState(state)): number for kind, state, number in connection.execute(query)}
