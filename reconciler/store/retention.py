"""Forgetting: payloads that nothing names any more, and jobs that were done long ago.

No index knows who names a payload: it would be written for every envelope, to be read once in a payload's life. So the
database compares all payloads with all names at once, reading each table once for thousands of payloads.

Collecting takes the row first, which locks it, then the bytes, and commits last. An upload of the same bytes waits for
that lock when it names its payload, and then looks whether the bytes are still there (see `Blobs.put`). An upload since
the comparison has made the payload young, so that it is not taken; who names it otherwise is stopped by a foreign key,
or stops the collector.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Column, CompoundSelect, Connection, Select, and_, delete, except_, func, select
from sqlalchemy.exc import IntegrityError

from reconciler.store import configuration, tables
from reconciler.store.blobs import YOUNG
from reconciler.store.database import Store
from reconciler.store.job_states import JobState
from reconciler.store.jobs import is_in
from reconciler.store.upsert import insert_if_absent

BATCH = 500
"""Rows that are forgotten in one transaction."""

_PAGE = 10_000
"""Payloads that one comparison finds at the most."""

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
    with store.read() as connection:
        kept = configured(connection)
    number = size = 0
    after = ""
    while True:
        with store.read() as connection:
            page = connection.execute(_unnamed(after, limit)).scalars().all()
        for taken in _take(store, [name for name in page if name not in kept], limit):
            number, size = number + 1, size + taken
        if len(page) < _PAGE:
            return Collected(number, size)
        after = page[-1]


def forget_payload(store: Store, name: str) -> bool:
    """Forget one payload, if it is no young one and nothing names it; say whether it was."""
    return len(list(_take(store, [name], datetime.now(UTC) - 2 * YOUNG))) == 1


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


def naming_columns() -> list[Column[str]]:
    """Return the columns that name payloads; what the configuration names stands in none."""
    return [
        column
        for table in tables.metadata.sorted_tables
        for column in table.columns
        if any(key.column.table is tables.blob for key in column.foreign_keys)
    ]


def configured(connection: Connection) -> set[str]:
    """Return the payloads that the configuration names or ever named, so that each revision can be had again."""
    found = configuration.read_state(connection).hashes()
    plans = connection.execute(select(tables.revision.c.plan)).scalars()
    return set(found) | {name for plan in plans for name in _HASH.findall(str(plan))}


def _unnamed(after: str, limit: datetime) -> CompoundSelect[str]:
    """Return the query for the next payloads that are as old and that no row names, in the order of their names."""
    blob = tables.blob.c
    old = select(blob.sha256.label("name")).where(blob.created_at < limit, blob.sha256 > after)
    named = (select(column).where(column > after) for column in naming_columns())
    return except_(old, *named).order_by("name").limit(_PAGE)


def _take(store: Store, names: Sequence[str], limit: datetime) -> Iterator[int]:
    """Forget those payloads that are still as old and that still nothing names, and yield the size of each."""
    if store.engine.dialect.name == "postgresql":
        # It looks through whole tables for each key, and nobody shall wait for a row while it does so for others.
        for name in names:
            alone: list[int] = []
            with suppress(IntegrityError), store.write() as tx:  # somebody names it, or does at this moment
                alone = _delete(store, tx, [name], limit)
            yield from alone
        return
    # Bytes in an object store take a call each to be dropped, for which everybody else waits.
    size = 10 if store.payloads_are_shared else BATCH
    for begin in range(0, len(names), size):
        batch = names[begin : begin + size]
        with store.write_unchecked() as tx:
            named = {name for column in naming_columns() for name in tx.execute(_of(column, batch)).scalars()}
            taken = list(_delete(store, tx, [name for name in batch if name not in named], limit))
        yield from taken


def _of(column: Column[str], names: Sequence[str]) -> Select[str]:
    return select(column).where(column.in_(names)).distinct()


def _delete(store: Store, tx: Connection, names: Sequence[str], limit: datetime) -> list[int]:
    blob = tables.blob.c
    old = delete(tables.blob).where(blob.sha256.in_(names), blob.created_at < limit)
    # SQLite 3.40 says of a content that is NULL that it IS NOT NULL here; its length is NULL.
    taken = tx.execute(old.returning(blob.sha256, blob.size, func.length(blob.content).label("length"))).all()
    for row in taken:
        if row.length is None:
            store.blobs.shelf.drop(row.sha256)
    return [row.size for row in taken]
