"""Forgetting: payloads that nothing names any more, and jobs that were done long ago.

Collecting takes the row first, which locks it, then the bytes, and commits last. An upload of the same bytes waits for
that lock when it names its payload, and then looks whether the bytes are still there (see `Blobs.put`).
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, select
from sqlalchemy.exc import IntegrityError

from reconciler.store import configuration, tables
from reconciler.store.blobs import YOUNG
from reconciler.store.database import Store
from reconciler.store.job_states import JobState
from reconciler.store.jobs import is_in
from reconciler.store.upsert import insert_if_absent

BATCH = 500
"""Rows that are looked at in one statement."""

STRAY = timedelta(days=1)
"""The age at which bytes that no row names are no upload on its way any more."""

_HASH = re.compile(r"\b[0-9a-f]{64}\b")


@dataclass(frozen=True, slots=True)
class Collected:
    """What was forgotten: payloads, and their bytes."""

    payloads: int
    size: int


def collect(store: Store, *, older_than: timedelta) -> Collected:
    """Forget the payloads that are older and that nothing names."""
    limit = datetime.now(UTC) - max(older_than, 2 * YOUNG)
    blob = tables.blob.c
    number = size = 0
    after = ""
    with store.read() as connection:
        configured = _configured(connection)
    while True:
        with store.read() as connection:
            old = and_(blob.created_at < limit, blob.sha256 > after, unnamed())
            page = connection.execute(
                select(blob.sha256, blob.size).where(old).order_by(blob.sha256).limit(BATCH)
            ).all()
        if not page:
            return Collected(number, size)
        after = page[-1].sha256
        for row in page:
            if row.sha256 not in configured and _take(store, row.sha256, limit):
                number, size = number + 1, size + row.size


def collect_strays(store: Store, *, older_than: timedelta = STRAY) -> Collected:
    """Forget the bytes of uploads that ended before a row named them."""
    limit = datetime.now(UTC) - older_than
    number = size = 0
    for lying in store.blobs.shelf.lying():
        if lying.modified_at >= limit:
            continue
        with store.write() as tx:
            row = {"sha256": lying.name, "size": lying.size, "content": None, "created_at": datetime.now(UTC)}
            # Who names these bytes now waits for this row, and then finds that they are gone.
            if insert_if_absent(tx, tables.blob, row):
                store.blobs.shelf.drop(lying.name)
                tx.execute(delete(tables.blob).where(tables.blob.c.sha256 == lying.name))
                number, size = number + 1, size + lying.size
    return Collected(number, size)


def forget_done_jobs(store: Store, *, older_than: timedelta) -> int:
    """Forget what was done before, and say how many jobs that were; the log and the envelopes remember."""
    job = tables.job.c
    done = and_(is_in(JobState.DONE), job.created_at < datetime.now(UTC) - older_than)
    total = 0
    while True:
        with store.write() as tx:
            old = select(job.number).where(done).order_by(job.number).limit(BATCH)
            forgotten = tx.execute(delete(tables.job).where(job.number.in_(old.scalar_subquery()))).rowcount
        total += forgotten
        if forgotten < BATCH:
            return total


def unnamed() -> ColumnElement[bool]:
    """Return the condition that no row names a payload; what the configuration names stands in no column."""
    blob = tables.blob.c
    named = (
        exists().where(column == blob.sha256)
        for table in tables.metadata.sorted_tables
        for column in table.columns
        if any(key.column.table is tables.blob for key in column.foreign_keys)
    )
    return and_(*(~each for each in named))


def _configured(connection: Connection) -> set[str]:
    """Return the payloads that the configuration names or ever named, so that each revision can be had again."""
    found = configuration.read_state(connection).hashes()
    plans = connection.execute(select(tables.revision.c.plan)).scalars()
    return set(found) | {name for plan in plans for name in _HASH.findall(str(plan))}


def _take(store: Store, name: str, limit: datetime) -> bool:
    blob = tables.blob.c
    try:
        with store.write() as tx:
            taken = delete(tables.blob).where(blob.sha256 == name, blob.created_at < limit, unnamed())
            if tx.execute(taken).rowcount == 0:
                return False
            store.blobs.shelf.drop(name)
            return True
    except IntegrityError:
        return False  # somebody named it at this moment
