"""Checking a store: every row against every payload, and every input against the work that is to be done with it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from shutil import copyfileobj

from sqlalchemy import ColumnElement, Table, and_, exists, func, select, update

from reconciler.errors import BlobError
from reconciler.model.source_file import digest
from reconciler.store import configuration, jobs, notice_tables, receipts, tables
from reconciler.store.database import Store
from reconciler.store.job_states import JobState
from reconciler.store.jobs import JobKind, is_in
from reconciler.store.receipts import Receipt
from reconciler.store.retention import STRAY, collect_strays, unnamed
from reconciler.store.shelf import CHUNK

QUARANTINE = "quarantine"
"""The subfolder of the store's folder for bytes that are not what their name says."""

_PAGE = 500


class Fault(StrEnum):
    """What can be wrong."""

    MISSING = "missing payload"
    DAMAGED = "damaged payload"
    STRAY = "payload that no row names"
    FORGOTTEN = "accepted, and no work stands for it"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong: with which payload or input, and whether it was mended. `used_by` says what needs it."""

    fault: Fault
    subject: str
    mended: bool
    used_by: str = ""


def check(store: Store, *, repair: bool) -> Iterator[Finding]:
    """Yield everything that is wrong; with `repair`, mend what can be, and put damaged bytes into quarantine.

    What is missing or damaged cannot be mended from here: it is delivered to nobody, and is whole again once the same
    bytes are received once more.
    """
    yield from _payloads(store, repair=repair)
    yield from _configured(store)
    yield from _strays(store, repair=repair)
    yield from _unreceived(store, repair=repair)
    for kind, table, waits in _WORK:
        yield from _forgotten(store, kind, table, waits, repair=repair)


def _payloads(store: Store, *, repair: bool) -> Iterator[Finding]:
    blob = tables.blob.c
    after = ""
    while True:
        with store.read() as connection:
            query = select(blob.sha256, blob.content).where(blob.sha256 > after).order_by(blob.sha256).limit(_PAGE)
            page = connection.execute(query).all()
        if not page:
            return
        after = page[-1].sha256
        for row in page:
            fault = _fault(store, row.sha256, row.content)
            if fault is not None:
                damaged = fault is Fault.DAMAGED
                if repair and damaged:
                    _set_aside(store, row.sha256, row.content)
                yield Finding(fault, row.sha256, repair and damaged, _used_by(store, row.sha256))


def _fault(store: Store, name: str, content: bytes | None) -> Fault | None:
    if content is not None:
        return None if digest(content) == name else Fault.DAMAGED
    try:
        with store.read() as connection, store.blobs.open(connection, name, afresh=True):
            return None
    except BlobError:
        return Fault.DAMAGED if store.blobs.shelf.holds(name) else Fault.MISSING


def _set_aside(store: Store, name: str, content: bytes | None) -> None:
    """Copy damaged bytes into quarantine, then take them out of the store."""
    folder = store.folder / QUARANTINE
    folder.mkdir(mode=0o700, exist_ok=True)
    with (folder / name).open("wb") as target:
        if content is not None:
            target.write(content)
        else:
            with store.blobs.shelf.open(name) as source:
                copyfileobj(source, target, CHUNK)
        target.flush()
        os.fsync(target.fileno())
    if content is None:
        store.blobs.shelf.drop(name)
    else:
        # From now on it is looked for on the shelf, where the same bytes are laid down when they come again.
        with store.write() as tx:
            tx.execute(update(tables.blob).where(tables.blob.c.sha256 == name).values(content=None))


def _used_by(store: Store, name: str) -> str:
    with store.read() as connection:
        if connection.execute(select(exists().where(tables.blob.c.sha256 == name, unnamed()))).scalar_one():
            return ""
        users = [
            f"{number} {table.name}.{column.name}"
            for table in tables.metadata.sorted_tables
            for column in table.columns
            if any(key.column.table is tables.blob for key in column.foreign_keys)
            and (number := connection.execute(select(func.count()).where(column == name)).scalar_one())
        ]
    return ", ".join(users)


def _configured(store: Store) -> Iterator[Finding]:
    """Yield the files of the configuration that no row has."""
    with store.read() as connection:
        for name in sorted(configuration.read_state(connection).hashes()):
            found = connection.execute(select(tables.blob.c.sha256).where(tables.blob.c.sha256 == name)).first()
            if found is None:
                yield Finding(Fault.MISSING, name, mended=False, used_by="the configuration")


def _strays(store: Store, *, repair: bool) -> Iterator[Finding]:
    old = datetime.now(UTC) - STRAY
    found = []
    for lying in store.blobs.shelf.lying():
        with store.read() as connection:
            row = connection.execute(select(tables.blob.c.sha256).where(tables.blob.c.sha256 == lying.name)).first()
        if row is None and lying.modified_at < old:  # a younger one may be an upload on its way
            found.append(lying.name)
    if repair and found:
        collect_strays(store)
    yield from (Finding(Fault.STRAY, name, mended=repair) for name in found)


def _unreceived(store: Store, *, repair: bool) -> Iterator[Finding]:
    """Yield the files that were accepted and whose receipt is gone; with `repair`, they are accepted once more."""
    file = tables.file.c
    lost = and_(file.receipt.is_not(None), ~exists().where(tables.receipt.c.uuid == file.receipt))
    with store.read() as connection:
        found = connection.execute(select(tables.file).where(lost).order_by(file.mailbox, file.folder, file.name)).all()
    for row in found:
        mended = False
        if repair:
            receipt = Receipt(
                mailbox=row.mailbox,
                channel="sftp",
                native=row.folder == "outbox",
                name=row.name,
                sha256=row.sha256,
                size=row.size,
            )
            with store.write() as tx:
                place = and_(file.mailbox == row.mailbox, file.folder == row.folder, file.name == row.name)
                anew = update(tables.file).where(place, lost).values(receipt=receipt.uuid)
                mended = tx.execute(anew).rowcount == 1
                if mended:
                    receipts.add(tx, receipt)
                    jobs.add(tx, "receipt", receipt.uuid)
        yield Finding(Fault.FORGOTTEN, f"file {row.folder}/{row.name} of mailbox {row.mailbox}", mended=mended)


_WORK: tuple[tuple[JobKind, Table, ColumnElement[bool]], ...] = (
    ("receipt", tables.receipt, tables.receipt.c.state == "received"),
    ("arrival", tables.arrival, tables.arrival.c.state == "received"),
    ("post", tables.post, tables.post.c.state.in_(("waiting", "sent"))),
    ("mail", notice_tables.mail, notice_tables.mail.c.state == "waiting"),
    ("digest", notice_tables.digest, notice_tables.digest.c.waiting > 0),
)
"""Which rows have work to be done, of which kind, and when."""


def _forgotten(
    store: Store, kind: JobKind, table: Table, waits: ColumnElement[bool], *, repair: bool
) -> Iterator[Finding]:
    """Yield the rows that wait for work that no job stands for."""
    (key,) = table.primary_key
    job = tables.job.c
    at_work = select(job.subject).where(job.kind == kind, ~is_in(JobState.DONE))
    with store.read() as connection:
        known = set(connection.execute(at_work).scalars())
        waiting = connection.execute(select(key).where(waits)).scalars().all()
    for subject in waiting:
        if str(subject) in known:
            continue
        if repair:
            with store.write() as tx:
                jobs.add(tx, kind, subject)
        yield Finding(Fault.FORGOTTEN, f"{kind} {subject}", mended=repair)
