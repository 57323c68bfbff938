"""What is held out of reconciling: addresses with the reason why."""

from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from reconciler.model.key import Key
from reconciler.plan.live_side import Suspension
from reconciler.store import tables


def all_of(connection: Connection) -> tuple[Suspension, ...]:
    """Return every suspension, by address; some may have run out."""
    rows = connection.execute(select(tables.suspension).order_by(tables.suspension.c.address))
    return tuple(Suspension(Key(tuple(row.address.split("."))), row.until, row.reason, row.actor) for row in rows)


def put(tx: Connection, key: Key, *, until: datetime | None, reason: str, actor: str) -> None:
    """Suspend an address, or give its suspension another end and reason."""
    drop(tx, key)
    tx.execute(insert(tables.suspension).values(address=str(key), until=until, reason=reason, actor=actor))


def drop(tx: Connection, key: Key) -> bool:
    """End the suspension of an address; say whether there was one."""
    return tx.execute(delete(tables.suspension).where(tables.suspension.c.address == str(key))).rowcount == 1
