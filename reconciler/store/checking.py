"""Checking a store: every row against every payload, and every input against the work that is to be done with it."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from shutil import copyfileobj

from sqlalchemy import func, literal, select, union_all, update

from reconciler.errors import BlobError
from reconciler.model.source_file import digest
from reconciler.store import configuration, tables
from reconciler.store.checking_work import files_without_receipt, messages_without_receipt, work_without_job
from reconciler.store.database import Store
from reconciler.store.finding import Fault, Finding
from reconciler.store.retention import STRAY, collect_strays, configured, forget_payload, naming_columns
from reconciler.store.shelf import CHUNK

QUARANTINE = "quarantine"
"""The subfolder of the store's folder for bytes that are not what their name says."""

_HEALING = "It is whole again once the same bytes are received once more; then run again what failed for want of it."

_CALLED = (
    (tables.receipt.c.sha256, tables.receipt.c.name),
    (tables.file.c.sha256, tables.file.c.name),
    (tables.attachment.c.sha256, tables.attachment.c.name),
    (tables.post.c.sha256, tables.post.c.file_name),
    (tables.conversion.c.input, tables.conversion.c.file_name),
)
"""Which columns say how a payload was called, by the column that names it; those that know it first come first."""

_PAGE = 500


def check(store: Store, *, repair: bool) -> Iterator[Finding]:
    """Yield everything that is wrong; with `repair`, mend what can be, and put damaged bytes into quarantine.

    What is missing or damaged cannot be mended from here: it is delivered to nobody, and is whole again once the same
    bytes are received once more.
    """
    yield from _payloads(store, repair=repair)
    yield from _configured(store)
    yield from _strays(store, repair=repair)
    yield from files_without_receipt(store, repair=repair)
    yield from messages_without_receipt(store, repair=repair)
    yield from work_without_job(store, repair=repair)


def _payloads(store: Store, *, repair: bool) -> Iterator[Finding]:
    blob = tables.blob.c
    users = _Users(store)
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
            if fault is not None and _is_known(store, row.sha256):
                yield _ended(store, fault, row.sha256, row.content, users, repair=repair)


def _ended(store: Store, fault: Fault, name: str, content: bytes | None, users: "_Users", *, repair: bool) -> Finding:
    """Return what was found about a payload, after doing about it what can be done."""
    used_by = users.of(name)
    healing = _HEALING if used_by else "Nothing needs it: it is forgotten when it is a day old."
    if not repair:
        way = "`fsck --repair` puts it into quarantine. " if fault is Fault.DAMAGED else ""
        return Finding(fault, name, mended=False, used_by=used_by, remedy=way + healing)
    done = ""
    if fault is Fault.DAMAGED:
        done = f"Its bytes are in {_set_aside(store, name, content)}. "
    if not used_by and forget_payload(store, name):
        return Finding(fault, name, mended=True, remedy=f"{done}Nothing needs it: it was forgotten.")
    return Finding(fault, name, mended=False, used_by=used_by, remedy=done + healing)


def _fault(store: Store, name: str, content: bytes | None) -> Fault | None:
    if content is not None:
        return None if digest(content) == name else Fault.DAMAGED
    try:
        with store.read() as connection, store.blobs.open(connection, name, afresh=True):
            return None
    except BlobError:
        return Fault.DAMAGED if store.blobs.shelf.holds(name) else Fault.MISSING


def _is_known(store: Store, name: str) -> bool:
    """Say whether a payload has its row still: house-keeping may have forgotten it since the row was read."""
    with store.read() as connection:
        return connection.execute(select(tables.blob.c.sha256).where(tables.blob.c.sha256 == name)).first() is not None


def _set_aside(store: Store, name: str, content: bytes | None) -> Path:
    """Copy damaged bytes into quarantine, then take them out of the store; return where they are now."""
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
        # The same bytes are put into the row when they come again.
        with store.write() as tx:
            tx.execute(update(tables.blob).where(tables.blob.c.sha256 == name).values(content=None))
    return folder / name


class _Users:
    """What needs a payload, counted for those that something is wrong with."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @cached_property
    def _configured(self) -> set[str]:
        with self._store.read() as connection:
            return configured(connection)

    def of(self, name: str) -> str:
        """Return how a payload was called, how often columns name it, and whether a configuration does; or nothing."""
        counts = [
            select(literal(f"{column.table.name}.{column.name}"), func.count()).where(column == name)
            for column in naming_columns()
        ]
        with self._store.read() as connection:
            found = [f"{number} {column}" for column, number in connection.execute(union_all(*counts)) if number]
            queries = (select(called).where(column == name).limit(1) for column, called in _CALLED)
            names = (connection.execute(query).scalar() for query in queries)
            called = next((f" ({each})" for each in names if each), "") if found else ""
        needed = ["the configuration or a revision of it"] if name in self._configured else []
        return ", ".join([*found, *needed]) + called


def _configured(store: Store) -> Iterator[Finding]:
    """Yield the files of the configuration that no row has."""
    with store.read() as connection:
        names = sorted(configuration.read_state(connection).hashes())
    for name in names:
        if not _is_known(store, name):
            yield Finding(Fault.MISSING, name, mended=False, used_by="the configuration", remedy=_HEALING)


def _strays(store: Store, *, repair: bool) -> Iterator[Finding]:
    old = datetime.now(UTC) - STRAY
    # A younger one may be an upload on its way.
    lying = (each.name for each in store.blobs.shelf.lying() if each.modified_at < old)
    found = [name for name in lying if not _is_known(store, name)]
    if repair and found:
        collect_strays(store)
    remedy = "It was removed." if repair else "House-keeping removes it, and so does `fsck --repair`."
    yield from (Finding(Fault.STRAY, name, mended=repair, remedy=remedy) for name in found)
