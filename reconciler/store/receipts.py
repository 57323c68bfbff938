"""Acknowledged inputs: what a partner was told has been received."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, bindparam, insert, select, update

from reconciler.errors import NotFoundError
from reconciler.store import tables
from reconciler.store.row_uuid import new_row_uuid
from reconciler.store.statement import Later, Statement, insertion
from reconciler.store.upsert import row_of

Channel = Literal["sftp", "as2", "admin"]
ReceiptState = Literal["received", "done", "failed", "withdrawn"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """An input: by whom, how, under which name, and which bytes.

    `native` says that it is envelope XML to be sent as it is; `conversion` is the failed log record that it retries.
    """

    uuid: UUID = field(default_factory=new_row_uuid)
    mailbox: UUID
    channel: Channel
    native: bool
    name: str
    sha256: str
    size: int
    content_type: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    received_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    state: ReceiptState = "received"
    conversion: UUID | None = None


_COLUMNS = insertion(tables.receipt)
_ADD = Statement(insert(tables.receipt), _COLUMNS)
_THIS = tables.receipt.c.uuid == bindparam("wanted")
_GET = Statement(select(tables.receipt).where(_THIS))
_END = Statement(
    update(tables.receipt).where(_THIS, tables.receipt.c.state == "received").values(state=bindparam("state"))
)


def add(tx: Connection, receipt: Receipt) -> None:
    """Record an acknowledged input."""
    _ADD.send(tx, row_of(receipt))


def get(connection: Connection, uuid: UUID) -> Receipt:
    """Return an input. Raises NotFoundError."""
    row = _GET.first(connection, {"wanted": uuid})
    if row is None:
        raise NotFoundError(f"There is no receipt {uuid}.")
    return _receipt(row)


def since(connection: Connection, moment: datetime) -> list[Receipt]:
    """Return the inputs that were received since a moment and not withdrawn, oldest first."""
    row = tables.receipt.c
    query = select(tables.receipt).where(row.received_at >= moment, row.state != "withdrawn").order_by(row.received_at)
    return [_receipt(found) for found in connection.execute(query)]


def _receipt(row: Sequence[Any]) -> Receipt:
    return Receipt(**dict(zip(_COLUMNS, row, strict=True)))


def end(tx: Connection, uuid: UUID, state: ReceiptState) -> Later:
    """Give an input the state in which it ends; nothing is changed when it ended already."""
    return _END.later(tx, {"wanted": uuid, "state": state})


def again(tx: Connection, uuid: UUID, *, conversion: UUID, name: str) -> bool:
    """Take an input that failed back to its beginning, as another attempt at a log record; False when it did not."""
    row = tables.receipt.c
    begun = (
        update(tables.receipt)
        .where(row.uuid == uuid, row.state.in_(("failed", "withdrawn")))
        .values(state="received", conversion=conversion, name=name)
    )
    return tx.execute(begun).rowcount == 1
