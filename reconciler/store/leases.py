"""Leases: who alone may do something now. A lease that is not renewed runs out, so that a dead holder blocks nobody."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, or_, select, type_coerce, update

from reconciler.errors import LeaseLostError
from reconciler.store import tables
from reconciler.store.moment import NOW, Moment
from reconciler.store.upsert import insert_if_absent


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease as it stands: `token` is its holder's proof, new with each acquisition."""

    name: str
    owner: str
    token: str
    acquired_at: datetime
    expires_at: datetime


def acquire(tx: Connection, name: str, *, owner: str, token: str, length: timedelta) -> bool:
    """Take a lease that nobody holds or whose time ran out; say whether it is taken."""
    now = _now(tx)
    values = {"owner": owner, "token": token, "acquired_at": now, "expires_at": now + length}
    if insert_if_absent(tx, tables.lease, {"name": name, **values}):
        return True
    row = tables.lease.c
    free = or_(row.expires_at <= now, row.token == token)
    return tx.execute(update(tables.lease).where(row.name == name, free).values(values)).rowcount == 1


def renew(tx: Connection, name: str, *, token: str, length: timedelta) -> None:
    """Prolong a lease from now. Raises LeaseLostError when another holds it or nobody does."""
    row = tables.lease.c
    held = tx.execute(
        update(tables.lease).where(row.name == name, row.token == token).values(expires_at=_now(tx) + length)
    )
    if held.rowcount != 1:
        raise LeaseLostError(f"The lease on {name} was released or went to another; nothing was changed.")


def release(tx: Connection, name: str, *, token: str | None = None) -> bool:
    """Give a lease back, or (without its token) take it from its holder; say whether there was one."""
    query = delete(tables.lease).where(tables.lease.c.name == name)
    if token is not None:
        query = query.where(tables.lease.c.token == token)
    return tx.execute(query).rowcount == 1


def find(connection: Connection, name: str) -> Lease | None:
    """Return a lease that is held now, or None."""
    row = connection.execute(select(tables.lease).where(tables.lease.c.name == name)).first()
    return Lease(*row) if row is not None and row.expires_at > _now(connection) else None


def all_held(connection: Connection) -> list[Lease]:
    """Return the leases that are held now, by name."""
    query = select(tables.lease).where(tables.lease.c.expires_at > _now(connection)).order_by(tables.lease.c.name)
    return [Lease(*row) for row in connection.execute(query)]


def _now(connection: Connection) -> datetime:
    """Return the moment by the clock that all who want a lease share: the database's, or their one machine's."""
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC)
    now: datetime = connection.execute(select(type_coerce(NOW, Moment))).scalar_one()
    return now
