"""What was done through the admin API and the pages, and by whom."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from sqlalchemy import Connection, insert, select

from reconciler.store import access_tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call: by whom, from which address, what (method and path), and the HTTP status that answered it."""

    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    actor: str
    peer: str
    what: str
    status: int


def add(tx: Connection, call: Call) -> None:
    """Record a call."""
    tx.execute(insert(access_tables.audit).values(asdict(call)))


def newest(connection: Connection, limit: int, offset: int = 0) -> Iterator[Call]:
    """Yield up to `limit` calls, newest first."""
    row = access_tables.audit.c
    query = (
        select(row.at, row.actor, row.peer, row.what, row.status)
        .order_by(row.number.desc())
        .limit(limit)
        .offset(offset)
    )
    for found in connection.execute(query):
        yield Call(at=found.at, actor=found.actor, peer=found.peer, what=found.what, status=found.status)
