"""Claiming jobs under leases, in batches, within the limits of their destinations.

A job without a queue is limited by nothing but the number of workers. All others belong to a destination, which has at
most so many running at once and is left alone after it failed too often; of an ordered queue only the first runs. All
statements look into the index of the state that they need, so a backlog or a history costs them nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Dialect,
    Integer,
    Text,
    bindparam,
    case,
    exists,
    false,
    literal_column,
    select,
    text,
    true,
    update,
)

from reconciler.store import destinations, tables
from reconciler.store.destinations import Limit
from reconciler.store.job_states import TRANSITIONS, JobEvent, JobState
from reconciler.store.jobs import Job, JobKind, is_in, ring
from reconciler.store.moment import NOW, microseconds, moment
from reconciler.store.statement import Statement

BATCH = 500
"""Jobs that come due, or are taken from the dead, in one statement at most."""

SUSPICIOUS = 2
"""Deaths after which a job is suspected: they count for all that the dead held."""

TRIALS = 2
"""Deaths of those who try a suspected job that condemn it: the first may have been somebody else's doing."""

SUSPICION = timedelta(seconds=10)
"""How long a gateway has to be up before it tries a suspected job."""

APART = timedelta(seconds=1)
"""How much longer each of several suspected jobs rests than the one before it, so that the deadly one dies alone."""

_WAITING = """
    WITH RECURSIVE waiting(kind, queue) AS (
        SELECT kinds.kind, (SELECT min(queue) FROM job WHERE state = 'ready' AND job.kind = kinds.kind)
        FROM ({kinds}) AS kinds
        UNION ALL
        SELECT waiting.kind,
            (SELECT min(queue) FROM job WHERE state = 'ready' AND job.kind = waiting.kind AND queue > waiting.queue)
        FROM waiting WHERE waiting.queue IS NOT NULL
    )
    SELECT waiting.kind, waiting.queue, (
        SELECT count(*) FROM job
        WHERE job.queue = waiting.queue AND job.queue <> '' AND job.state IN ('running', 'retrying')
        AND job.state = 'running'
    )
    FROM waiting LEFT JOIN destination ON destination.name = waiting.queue
    WHERE waiting.queue IS NOT NULL
    AND (destination.open_until IS NULL OR destination.open_until <= {now})
    AND (destination.next_at IS NULL OR destination.next_at <= {now})
"""
"""One step down the index for each queue that has jobs ready, however many jobs those are."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A queue that has jobs ready, and how many of it are running."""

    kind: JobKind
    queue: str
    running: int


def waiting(connection: Connection, kinds: Sequence[JobKind]) -> list[Waiting]:
    """Return the queues of these kinds from which something may be claimed now; takes no lock."""
    return [Waiting(*row) for row in _waiting(connection.dialect, tuple(kinds)).all(connection)]


@cache
def _waiting(dialect: Dialect, kinds: tuple[JobKind, ...]) -> Statement:
    listed = " UNION ALL ".join(f"SELECT CAST('{kind}' AS TEXT) AS kind" for kind in kinds)
    found = text(_WAITING.format(kinds=listed, now=NOW.compile(dialect=dialect)))
    return Statement(found.columns(kind=Text, queue=Text, running=Integer))


def claim(
    tx: Connection, owner: str, kind: JobKind, queue: str, *, count: int, limit: Limit, lease: timedelta
) -> list[Job]:
    """Lease up to `count` ready jobs of a queue, within the limit of its destination, the first to be done first."""
    if queue:
        count = min(count, destinations.room(tx, queue, limit))
    if count < 1:
        return []
    numbers = _first(tx, kind, queue, count)
    if not numbers:
        return []
    wanted = {f"number_{place}": number for place, number in enumerate(numbers)}
    rows = _leasing(len(numbers)).all(tx, wanted | {"owner": owner, "lease": microseconds(lease)})
    if queue:
        destinations.begun(tx, queue, limit)
    found = {
        number: Job(number, kind, subject, queue, claims, failures, owner, trace)
        for number, subject, claims, failures, trace in rows
    }
    return [found[number] for number in numbers if number in found]


def _first(tx: Connection, kind: JobKind, queue: str, count: int) -> list[int]:
    """Return the jobs to be claimed; of an ordered queue the first, once nothing before it is pending."""
    rows = _FIRST.all(tx, {"kind": kind, "queue": queue, "count": count})
    if any(is_held for _, _, is_held in rows):
        return []
    numbers = [number for number, _, _ in rows]
    return numbers[:1] if any(ordered for _, ordered, _ in rows) else numbers


_before = tables.job.alias("before")
_IS_HELD = exists(select(_before.c.number).where(destinations.is_held(_before, bindparam("queue"))))
"""Seen in the same moment as the first that is ready: what came due since then is neither, and would be overtaken."""
_FIRST = Statement(
    select(tables.job.c.number, tables.job.c.ordered, case((tables.job.c.ordered, _IS_HELD), else_=false()))
    .where(is_in(JobState.READY), tables.job.c.kind == bindparam("kind"), tables.job.c.queue == bindparam("queue"))
    .order_by(tables.job.c.priority, tables.job.c.number)
    .limit(bindparam("count", type_=Integer))
    .with_for_update(skip_locked=True)
)


@cache
def _leasing(count: int) -> Statement:
    """Return what leases so many jobs."""
    job = tables.job.c
    before, after = TRANSITIONS[JobEvent.CLAIM]
    lease = NOW + bindparam("lease", type_=BigInteger)
    numbers = [bindparam(f"number_{place}", type_=job.number.type) for place in range(count)]
    return Statement(
        update(tables.job)
        .where(job.number.in_(numbers), is_in(before))
        .values(state=after, lease_owner=bindparam("owner"), lease_until=lease, claims=job.claims + 1)
        .returning(job.number, job.subject, job.claims, job.failures, job.trace)
    )


def renew(tx: Connection, owner: str, jobs: Sequence[Job], lease: timedelta) -> None:
    """Prolong the leases of an owner on these jobs from now; one that is lost stays lost."""
    job = tables.job.c
    tx.execute(
        update(tables.job)
        .where(job.number.in_([held.number for held in jobs]), job.lease_owner == owner, is_in(JobState.RUNNING))
        .values(lease_until=moment(lease))
    )


def release_node(tx: Connection, node: str) -> int:
    """Free what earlier processes of a node held when they died, and say how many jobs that were.

    What is suspected already rests anew, so that it is no part of the death of a gateway that hardly lives.
    """
    freed = _free(tx, tables.job.c.lease_owner.startswith(f"{node}/", autoescape=True))
    _rest(tx, JobState.RETRYING, true(), {}, blamed=false())
    return freed


def give_back(tx: Connection, owner: str) -> None:
    """Free what its holder has begun and stops before it has ended: to be claimed at once, and no death is counted."""
    job = tables.job.c
    before, after = TRANSITIONS[JobEvent.RELEASE]
    unblamed = case((_IS_TRIED, job.claims - 2 + _UNBEGUN), else_=job.claims - 1)
    freed = tx.execute(
        update(tables.job)
        .where(job.lease_owner == owner, is_in(before))
        .values(state=after, lease_owner=None, lease_until=None, claims=unblamed)
    )
    if freed.rowcount:
        ring(tx)


def is_anything_overdue(connection: Connection) -> bool:
    """Say whether a job has come due or a lease has ended; takes no lock."""
    return any(_OVERDUE.first(connection) or ())


def come_due(tx: Connection) -> int:
    """Make ready what has waited for its time, up to a batch, and say how many jobs that were."""
    return _move(tx, JobEvent.COME_DUE, _DUE)


def reap(tx: Connection) -> int:
    """Free what is held under leases that have ended, up to a batch, and say how many jobs that were."""
    return _free(tx, _LAPSED)


_ACCOUNT = tables.job.c.claims - tables.job.c.failures
_IS_SUSPECTED = _ACCOUNT.between(SUSPICIOUS, SUSPICIOUS + 2 * TRIALS - 1)
"""A trial counts two: that it is claimed, and that it is begun. Once the last has begun, it is more than suspected."""
_IS_TRIED = _ACCOUNT > SUSPICIOUS
_UNBEGUN = (_ACCOUNT - SUSPICIOUS) % 2
"""1 for what is claimed to be tried, and 0 for what is being tried."""
_other = tables.job.alias("other")
_WAS_HELD_ALONE = ~exists(
    select(_other.c.number).where(
        _other.c.state == literal_column(f"'{JobState.RUNNING}'"),
        _other.c.lease_owner == tables.job.c.lease_owner,
        _other.c.number != tables.job.c.number,
    )
)
"""Of leases that lapse one after the other the last looks so, too: its job then has one trial instead of two."""
_tried = tables.job.alias("tried")
_ONE_IS_TRIED = exists(
    select(_tried.c.number).where(
        _tried.c.state == literal_column(f"'{JobState.RUNNING}'"), _tried.c.claims - _tried.c.failures > SUSPICIOUS
    )
)
"""However long it takes, no other suspected job is tried meanwhile: a death would be put to its account, too."""
_DUE = is_in(JobState.RETRYING) & (tables.job.c.run_at <= NOW) & ~(_IS_SUSPECTED & _ONE_IS_TRIED)
_LAPSED = is_in(JobState.RUNNING) & (tables.job.c.lease_until < NOW)
_OVERDUE = Statement(select(exists().where(_DUE), exists().where(_LAPSED)))


def _free(tx: Connection, which: ColumnElement[bool]) -> int:
    """Take jobs from holders that died: to be claimed at once, or after a rest by those that saw a second death.

    Whoever ends a gateway many times in a row must not find the same jobs at its head each time, and take them for the
    cause. A second death of one that its gateway held alone is nobody else's: it counts as one in a trial.
    """
    before, after = TRANSITIONS[JobEvent.SUSPECT]
    values = {"state": after, "lease_owner": None, "lease_until": None}
    # First, while it can still be seen what else they held.
    rested = _rest(tx, before, which, values, blamed=~_IS_TRIED & _WAS_HELD_ALONE)
    return rested + _move(tx, JobEvent.RELEASE, which & ~_IS_SUSPECTED)


def _rest(
    tx: Connection,
    state: JobState,
    which: ColumnElement[bool],
    values: Mapping[str, object],
    *,
    blamed: ColumnElement[bool],
) -> int:
    """Have suspected jobs come due one after the other, up to a batch, and say how many those are.

    A death counts for all that its gateway held. If they were tried together again, the next would condemn them all.
    """
    job = tables.job.c
    suspected = (
        select(job.number, case((blamed, 2), else_=0))
        .where(is_in(state), _IS_SUSPECTED, which)
        .order_by(job.number)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    rests = [
        {"suspect": number, "rest": microseconds(SUSPICION + APART * place), "blame": blame}
        for place, (number, blame) in enumerate(tx.execute(suspected))
    ]
    if rests:
        run_at = NOW + bindparam("rest", type_=BigInteger)
        # What was only claimed to be tried is as it was before.
        claims = job.claims - _UNBEGUN + bindparam("blame", type_=Integer)
        rested = {"run_at": run_at, "claims": claims, **values}
        tx.execute(update(tables.job).where(job.number == bindparam("suspect")).values(rested), rests)
    return len(rests)


def _move(tx: Connection, event: JobEvent, which: ColumnElement[bool]) -> int:
    before, after = TRANSITIONS[event]
    job = tables.job.c
    numbers = select(job.number).where(is_in(before), which).limit(BATCH).with_for_update(skip_locked=True)
    moved: int = tx.execute(
        update(tables.job)
        .where(job.number.in_(numbers.scalar_subquery()), is_in(before))
        .values(state=after, lease_owner=None, lease_until=None)
    ).rowcount
    if moved:
        ring(tx)
    return moved
