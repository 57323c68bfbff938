"""Destinations: partners and ordered mailboxes, whose limits hold over all nodes because their rows are locked.

A destination that failed five times in a row is left alone for a while (its breaker is open); then one job at a time
finds out whether it answers again.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, Connection, FromClause, and_, func, literal_column, or_, select, update

from reconciler.store import tables
from reconciler.store.job_states import JobState
from reconciler.store.moment import NOW, moment
from reconciler.store.upsert import insert_if_absent

BREAKER_AFTER = 5
"""Failures in a row after which a destination is left alone."""

FIRST_REST = timedelta(seconds=15)
LONGEST_REST = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Limit:
    """How many jobs of a destination run at once, and how many begin in a minute at most (None: as many as may run)."""

    concurrency: int
    per_minute: int | None = None


def rest(failures: int) -> timedelta | None:
    """Return how long a destination is left alone after so many failures in a row, or None when it is not. Pure."""
    if failures < BREAKER_AFTER:
        return None
    pause: timedelta = min(FIRST_REST * 2 ** min(failures - BREAKER_AFTER, 20), LONGEST_REST)
    return pause


def room(tx: Connection, name: str, limit: Limit) -> int:
    """Lock a destination and return how many of its jobs may begin now; 0 as well when another node is looking."""
    failures = _locked(tx, name)
    if failures is None:
        insert_if_absent(tx, tables.destination, {"name": name, "failures": 0})
        failures = _locked(tx, name)
    if failures is None:
        return 0
    concurrency = 1 if failures >= BREAKER_AFTER else limit.concurrency
    is_running = and_(is_held(tables.job, name), tables.job.c.state == JobState.RUNNING)
    free = concurrency - tx.execute(select(func.count()).where(is_running)).scalar_one()
    return max(0, min(free, 1) if limit.per_minute else free)


def begun(tx: Connection, name: str, limit: Limit) -> None:
    """Say that a job of a destination with a rate began: the next may when its share of the minute is over."""
    if limit.per_minute:
        pause = timedelta(minutes=1) / limit.per_minute
        tx.execute(update(tables.destination).where(tables.destination.c.name == name).values(next_at=moment(pause)))


def is_troubled(connection: Connection, name: str) -> bool:
    """Say whether a destination failed when it was tried last."""
    row = tables.destination.c
    return connection.execute(select(row.name).where(row.name == name, row.failures > 0)).first() is not None


def answered(tx: Connection, name: str) -> None:
    """Say that a destination answered, so that it is tried as usual again."""
    tx.execute(update(tables.destination).where(tables.destination.c.name == name).values(failures=0, open_until=None))


def failed(tx: Connection, name: str) -> timedelta | None:
    """Say that a destination did not answer; return for how long it is left alone now, if it is."""
    insert_if_absent(tx, tables.destination, {"name": name, "failures": 0})
    row = tables.destination.c
    failures = tx.execute(
        update(tables.destination).where(row.name == name).values(failures=row.failures + 1).returning(row.failures)
    ).scalar_one()
    pause = rest(failures)
    if pause is not None:
        tx.execute(update(tables.destination).where(row.name == name).values(open_until=moment(pause)))
    return pause


def is_held(table: FromClause, name: str | ColumnElement[str]) -> ColumnElement[bool]:
    """Return the condition that a job of a destination is running or retrying, as its index serves it."""
    job = table.c
    held = job.state.in_([literal_column("'running'"), literal_column("'retrying'")])
    return and_(job.queue == name, job.queue != literal_column("''"), held)


def _locked(tx: Connection, name: str) -> int | None:
    """Lock a destination until the transaction ends; return its failures, or None where it cannot be had now."""
    row = tables.destination.c
    query = select(row.failures).where(
        row.name == name,
        or_(row.open_until.is_(None), row.open_until <= NOW),
        or_(row.next_at.is_(None), row.next_at <= NOW),
    )
    failures: int | None = tx.execute(query.with_for_update(skip_locked=True)).scalar()
    return failures
