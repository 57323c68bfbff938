"""A backup: everything that the store remembers, as of one moment, in one file; and a store made of such a file.

The file is a zip: `manifest.json`, `tables/NAME.jsonl` and, for payloads that lie outside the database,
`payloads/SHA256`. It is the same for every database. Secrets are in it as the database has them: encrypted.
"""

import json
import os
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from shutil import copyfileobj
from typing import IO, Any
from uuid import UUID
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

from sqlalchemy import Column, Connection, LargeBinary, Table, Uuid, func, insert, select
from sqlalchemy.exc import DataError, IntegrityError

from reconciler.errors import BlobError, ReconcilerError
from reconciler.store import access_tables, configuration, notice_tables, tables
from reconciler.store.database import Store
from reconciler.store.moment import Moment
from reconciler.store.schema_version import HEAD
from reconciler.store.shelf import sync_folder

FORMAT = 1
BATCH = 1000
CHUNK = 1 << 20
TRIES = 3

_LEFT_OUT = frozenset({tables.lease.name, access_tables.session.name})
"""Who is at work and who is signed in is no longer true when a backup is restored."""

_UNREADABLE = (BadZipFile, BlobError, zlib.error, EOFError, OSError, RuntimeError, ValueError, TypeError, LookupError)
"""What a damaged or foreign file raises: zipfile's own errors are only some of what it raises."""

del notice_tables  # imported for the tables that it adds to the metadata


@dataclass(frozen=True, slots=True)
class Extent:
    """How much a backup holds: the newest revision, rows, payloads outside the database, and their bytes."""

    revision: int
    rows: int
    payloads: int
    size: int


class _MissingError(Exception):
    """A payload was forgotten between the moment of the backup and its copying."""


def back_up(store: Store, path: Path) -> Extent:
    """Write a backup, whole and durable when this returns; the gateway may run. Raises ReconcilerError."""
    draft = path.with_name(f".{path.name}.part")
    with store.locked("backup", wait=False):
        for _ in range(TRIES):
            try:
                draft.unlink(missing_ok=True)  # what a backup left that was killed
                with os.fdopen(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    extent = _write(store, file)
                    file.flush()
                    os.fsync(file.fileno())
                draft.rename(path)
                sync_folder(path.parent)
            except _MissingError:
                continue  # house was being kept; the next moment is as good
            except OSError as error:
                raise ReconcilerError(f"The backup {path} cannot be written: {error.strerror or error}") from None
            else:
                return extent
            finally:
                draft.unlink(missing_ok=True)
    raise ReconcilerError("A payload that rows name is missing, so there is no whole backup. See: reconciler fsck")


def _write(store: Store, file: IO[bytes]) -> Extent:
    number = size = rows = 0
    with ZipFile(file, "w", ZIP_DEFLATED) as zipped:
        with store.read() as connection:
            revision = configuration.current_revision(connection)
            for table in _tables():
                with zipped.open(f"tables/{table.name}.jsonl", "w", force_zip64=True) as target:
                    for row in _rows(connection, table):
                        target.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
                        rows += 1
            lying = select(tables.blob.c.sha256, tables.blob.c.size).where(tables.blob.c.content.is_(None))
            payloads = connection.execute(lying.order_by(tables.blob.c.sha256)).all()
        # Bytes never change and are durable before a row names them: those of that moment are still there.
        for name, length in payloads:
            _copy(store, zipped, name)
            number, size = number + 1, size + length
        manifest = {
            "format": FORMAT,
            "schema": HEAD,
            "made_at": datetime.now(UTC).isoformat(),
            "revision": revision,
            "rows": rows,
            "payloads": number,
        }
        # Written last: a file without it was cut short.
        zipped.writestr("manifest.json", json.dumps(manifest, indent=2))
    return Extent(revision, rows, number, size)


def _copy(store: Store, zipped: ZipFile, name: str) -> None:
    try:
        payload = store.blobs.shelf.open(name)
    except FileNotFoundError:
        raise _MissingError from None
    with payload, zipped.open(f"payloads/{name}", "w", force_zip64=True) as target:
        copyfileobj(payload, target, CHUNK)


def restore(store: Store, path: Path) -> Extent:
    """Fill an empty store from a backup, all or nothing. Raises ReconcilerError when either is not what it must be."""
    try:
        with ZipFile(path) as zipped:
            promised = _promised(zipped)
            with store.read() as connection:
                _require_empty(connection)
            names = [name for name in zipped.namelist() if name.startswith("payloads/")]
            size = sum(_lay(store, zipped, name) for name in names)
            with store.write() as tx:
                _require_empty(tx)
                rows = sum(_fill(tx, zipped, table) for table in _tables())
                found = replace(promised, rows=rows, payloads=len(names))
                if found != promised:
                    raise ValueError("it has not all that its manifest names")
    except _UNREADABLE as error:
        raise ReconcilerError(f"The backup {path} cannot be read: {error}") from None
    except (IntegrityError, DataError) as error:
        reason = str(error.orig).partition("\n")[0]
        raise ReconcilerError(f"The backup {path} cannot be read: its rows do not fit together: {reason}") from None
    return replace(found, size=size)


def _require_empty(connection: Connection) -> None:
    if any(connection.execute(select(func.count()).select_from(table)).scalar() for table in _tables()):
        raise ReconcilerError(
            "The store is not empty, and a backup is restored into an empty one only: move it away first."
        )


def _promised(zipped: ZipFile) -> Extent:
    """Return what the manifest says that the backup has; not the size, which it does not say."""
    if "manifest.json" not in zipped.namelist():
        raise ValueError("it has no manifest.json, so it is no backup, or was cut short")
    manifest: Mapping[str, Any] = json.loads(zipped.read("manifest.json"))
    if manifest["format"] != FORMAT or manifest["schema"] != HEAD:
        raise ReconcilerError(
            f"The backup has the schema {manifest['schema']} and this release the schema {HEAD}: restore it with the "
            "release that made it, and upgrade then."
        )
    return Extent(int(manifest["revision"]), int(manifest["rows"]), int(manifest["payloads"]), 0)


def _lay(store: Store, zipped: ZipFile, member: str) -> int:
    """Lay a payload where large ones lie, and return its size."""
    name = member.rpartition("/")[2]
    with store.blobs.spool() as spool, zipped.open(member) as source:
        while chunk := source.read(CHUNK):
            spool.write(spool.size, chunk)
        size = spool.size
        if spool.seal().sha256 != name:
            raise BlobError(f"payload {name} in the backup is damaged: its bytes are not those that were stored")
    return size


def _tables() -> list[Table]:
    return [table for table in tables.metadata.sorted_tables if table.name not in _LEFT_OUT]


def _rows(connection: Connection, table: Table) -> Iterator[dict[str, object]]:
    found = connection.execute(select(table), execution_options={"yield_per": BATCH}).mappings()
    for row in found:
        yield {name: _plain(value) for name, value in row.items()}


def _plain(value: object) -> object:
    match value:
        case bytes():
            return b64encode(value).decode()
        case datetime():
            return value.isoformat()
        case UUID():
            return str(value)
        case _:
            return value


def _fill(tx: Connection, zipped: ZipFile, table: Table) -> int:
    total = 0
    batch: list[dict[str, object]] = []
    with zipped.open(f"tables/{table.name}.jsonl") as source:
        for line in source:
            row = json.loads(line)
            batch.append({column.name: _value(column, row[column.name]) for column in table.columns})
            total += 1
            if len(batch) == BATCH:
                tx.execute(insert(table), batch)
                batch = []
    if batch:
        tx.execute(insert(table), batch)
    if tx.dialect.name == "postgresql":
        _continue_numbers(tx, table)
    return total


def _value(column: Column[Any], value: Any) -> object:  # noqa: ANN401 - whatever JSON holds
    if value is None:
        return None
    match column.type:
        case Moment():
            return datetime.fromisoformat(value)
        case Uuid():
            return UUID(value)
        case LargeBinary():
            return b64decode(value)
        case _:
            return value


def _continue_numbers(tx: Connection, table: Table) -> None:
    """Have automatic numbers go on after those that were restored."""
    (*_, key) = table.primary_key
    sequence = func.pg_get_serial_sequence(table.name, key.name)
    if key.name == "number" and tx.execute(select(sequence)).scalar() is not None:
        following = select(func.coalesce(func.max(key), 0) + 1).scalar_subquery()
        tx.execute(select(func.setval(sequence, following, False)))
