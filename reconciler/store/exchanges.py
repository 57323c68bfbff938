"""What went over the wire with AS2 partners, try by try: for people who look for what happened to a message."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import Connection, func, insert, select

from reconciler.errors import NotFoundError
from reconciler.store import tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One post, ours (`out`) or a partner's (`in`), with its answer. Sizes are in bytes, `status` 0 is no answer."""

    number: int = 0
    mailbox: UUID
    message_id: str
    direction: Literal["in", "out"]
    outcome: str
    reason: str = ""
    started_at: datetime
    seconds: float
    headers: Mapping[str, str]
    wire_size: int
    status: int
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    answer: bytes = b""
    mic: str = ""
    mic_algorithm: str = ""
    mdn_url: str | None = None


def add(tx: Connection, exchange: Exchange) -> int:
    """Record an exchange and return its number."""
    values = asdict(exchange) | {"headers": dict(exchange.headers), "answer_headers": dict(exchange.answer_headers)}
    del values["number"]
    return int(
        tx.execute(insert(tables.as2_exchange).values(values).returning(tables.as2_exchange.c.number)).scalar_one()
    )


def get(connection: Connection, number: int) -> Exchange:
    """Return an exchange. Raises NotFoundError."""
    row = (
        connection.execute(select(tables.as2_exchange).where(tables.as2_exchange.c.number == number)).mappings().first()
    )
    if row is None:
        raise NotFoundError(f"There is no exchange {number}.")
    return Exchange(**row)


def of_message(connection: Connection, mailbox: UUID, message_id: str) -> Sequence[Exchange]:
    """Return what happened to a message, oldest first."""
    row = tables.as2_exchange.c
    query = select(tables.as2_exchange).where(row.message_id == message_id, row.mailbox == mailbox)
    return [Exchange(**found) for found in connection.execute(query.order_by(row.number)).mappings()]


def count(
    connection: Connection, mailbox: UUID, outcome: str, *, since: datetime, message_id: str | None = None
) -> int:
    """Count a mailbox's exchanges with an outcome since then, of all messages or of one."""
    row = tables.as2_exchange.c
    query = select(func.count()).where(row.mailbox == mailbox, row.outcome == outcome, row.started_at >= since)
    if message_id is not None:
        query = query.where(row.message_id == message_id)
    return int(connection.execute(query).scalar_one())
