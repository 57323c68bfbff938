"""What is held out of reconciling: addresses with the reason why."""

from datetime import UTC, datetime

from sqlalchemy import Connection, delete, select

from reconciler.errors import NotFoundError, ReconcilerError
from reconciler.model.key import Key
from reconciler.plan.live_side import Suspension
from reconciler.store import configuration, tables
from reconciler.store.upsert import insert_or_replace


def all_of(connection: Connection) -> tuple[Suspension, ...]:
    """Return every suspension, by address; some may have run out."""
    rows = connection.execute(select(tables.suspension).order_by(tables.suspension.c.address))
    return tuple(Suspension(Key.known(row.address), row.until, row.reason, row.actor) for row in rows)


def put(tx: Connection, key: Key, *, until: datetime | None, reason: str, actor: str) -> None:
    """Suspend an address, or give its suspension another end and reason."""
    row = {"address": str(key), "until": until, "reason": reason, "actor": actor}
    insert_or_replace(tx, tables.suspension, row, key=("address",))


def drop(tx: Connection, key: Key) -> bool:
    """End the suspension of an address; say whether there was one."""
    return tx.execute(delete(tables.suspension).where(tables.suspension.c.address == str(key))).rowcount == 1


def suspend(tx: Connection, address: str, *, until: datetime | None, reason: str, actor: str) -> Key:
    """Hold a live address out of reconciling. Raises NotFoundError, and ReconcilerError for an end that is past."""
    key = _key(address)
    if until is not None and until <= datetime.now(UTC):
        raise ReconcilerError(f"{until:%Y-%m-%d %H:%M} UTC is past.")
    if key not in configuration.read_state(tx):
        raise NotFoundError(f"Nothing is live at {address}. See: reconciler show")
    put(tx, key, until=until, reason=reason, actor=actor)
    return key


def resume(tx: Connection, address: str) -> Key:
    """Take an address back into reconciling. Raises NotFoundError when it is not suspended."""
    key = _key(address)
    if not drop(tx, key):
        raise NotFoundError(f"{address} is not suspended. See: reconciler status")
    return key


def _key(address: str) -> Key:
    try:
        return Key.parse(address)
    except ValueError as error:
        raise NotFoundError(str(error)) from None
