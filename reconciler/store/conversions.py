"""The conversion log: one record per conversion, whatever became of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Connection, bindparam, func, insert, literal_column, select, update

from reconciler.errors import NotFoundError
from reconciler.model.rule import Direction
from reconciler.store import search, tables
from reconciler.store.row_uuid import new_row_uuid
from reconciler.store.search import LogFilter
from reconciler.store.statement import Later, Statement, insertion
from reconciler.store.upsert import insert_if_absent, row_of


class ConversionStatus(StrEnum):
    """PROCESSED at once, REPROCESSED after a failure, or FAILED."""

    PROCESSED = "PROCESSED"
    REPROCESSED = "REPROCESSED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """A record of the conversion log.

    `rule` is the address of the rule, None when no rule matched. An OUT record stems from a `receipt`, an IN record
    from an `arrival`. `input`, `source` (what the map saw, where that is not the input) and `output` name payloads;
    several envelopes are one `output`. A FAILED record has what was made until it failed.
    """

    uuid: UUID = field(default_factory=new_row_uuid)
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    changed_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    status: ConversionStatus
    direction: Direction
    mailbox: UUID
    rule: str | None
    receipt: UUID | None = None
    arrival: UUID | None = None
    envelopes: Sequence[UUID] = ()
    file_name: str
    subject: str = ""
    error_code: str = ""
    error: str = ""
    input: str
    source: str | None = None
    output: str | None = None
    messages: Sequence[str] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)


_ADD = Statement(insert(tables.conversion), insertion(tables.conversion))
_FAILED_OF_ARRIVAL = Statement(
    select(tables.conversion.c.uuid).where(
        tables.conversion.c.arrival == bindparam("arrival"), tables.conversion.c.status == literal_column("'FAILED'")
    )
)


def put(tx: Connection, record: Conversion, *, is_new: bool = False) -> None:
    """Add a record, or replace the one with its UUID; nobody has to look for one when the record `is_new`."""
    values = row_of(record) | {
        "envelopes": [str(envelope) for envelope in record.envelopes],
        "messages": list(record.messages),
        "attributes": dict(record.attributes),
        "status": record.status.value,
        "direction": record.direction.value,
    }
    if is_new:
        _ADD.send(tx, values)
    elif insert_if_absent(tx, tables.conversion, values):
        is_new = True
    else:
        del values["created_at"]
        tx.execute(update(tables.conversion).where(tables.conversion.c.uuid == record.uuid).values(values))
    search.index(tx, record.uuid, f"{record.file_name} {record.subject}", known=not is_new)


def get(connection: Connection, uuid: UUID) -> Conversion:
    """Return a record. Raises NotFoundError."""
    row = connection.execute(select(tables.conversion).where(tables.conversion.c.uuid == uuid)).mappings().first()
    if row is None:
        raise NotFoundError(f"There is no record {uuid} in the conversion log. See: reconciler log list")
    return _record(dict(row))


def failed_of_arrival(connection: Connection, arrival: UUID) -> Later:
    """Return the UUID of the record of an arrival that failed and is tried again, if there is one."""
    return _FAILED_OF_ARRIVAL.later(connection, {"arrival": arrival})


def newest(connection: Connection, wanted: LogFilter, *, limit: int, offset: int = 0) -> list[Conversion]:
    """Return up to `limit` records, newest first, without the `offset` newest."""
    query = (
        select(tables.conversion)
        .where(search.condition(connection, wanted))
        .order_by(tables.conversion.c.created_at.desc())
        .limit(limit)
        .offset(offset)
    )
    return [_record(dict(row)) for row in connection.execute(query).mappings()]


def counts(connection: Connection, mailboxes: Sequence[UUID], since: datetime) -> dict[UUID, dict[str, int]]:
    """Return how many records each of these mailboxes has in each status since then."""
    row = tables.conversion.c
    query = (
        select(row.mailbox, row.status, func.count())
        .where(row.mailbox.in_(mailboxes), row.created_at >= since)
        .group_by(row.mailbox, row.status)
    )
    found: dict[UUID, dict[str, int]] = {}
    for mailbox, status, count in connection.execute(query):
        found.setdefault(mailbox, {})[status] = count
    return found


def _record(row: dict[str, object]) -> Conversion:
    row["status"] = ConversionStatus(str(row["status"]))
    row["direction"] = Direction(str(row["direction"]))
    row["envelopes"] = tuple(UUID(text) for text in _list(row["envelopes"]))
    row["messages"] = tuple(_list(row["messages"]))
    return Conversion(**row)  # type: ignore[arg-type]  # the columns are the fields


def _list(value: object) -> list[str]:
    return value if isinstance(value, list) else []
