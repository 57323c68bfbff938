"""The live configuration: resources by address, the identity of mailboxes, and the history of revisions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from uuid import UUID, uuid4

from sqlalchemy import Connection, delete, func, insert, select, update

from reconciler.model.key import Key, Kind
from reconciler.model.noun import Json
from reconciler.model.state import Resource, State, from_json, to_json
from reconciler.store import tables


@dataclass(frozen=True, slots=True)
class Revision:
    """One applied plan: its number, when (UTC), by whom, and the plan as JSON.

    `by_hand` says why somebody changed this past the configuration; it is empty for a plan that was applied.
    """

    number: int
    applied_at: datetime
    actor: str
    plan: Mapping[str, Json]
    by_hand: str = ""


def read_state(connection: Connection) -> State:
    """Return everything that is live, by address."""
    rows = connection.execute(select(tables.resource).order_by(tables.resource.c.address))
    return State(
        MappingProxyType({Key(tuple(row.address.split("."))): from_json(Kind(row.kind), row.body) for row in rows})
    )


def current_revision(connection: Connection) -> int:
    """Return the number of the newest revision; 0 before the first."""
    number: int = connection.execute(select(func.coalesce(func.max(tables.revision.c.number), 0))).scalar_one()
    return number


def add_revision(tx: Connection, *, actor: str, plan: Mapping[str, Json], by_hand: str = "") -> int:
    """Record an applied plan, or a change by hand for a reason, and return its revision number."""
    number = current_revision(tx) + 1
    tx.execute(
        insert(tables.revision).values(
            number=number, applied_at=datetime.now(UTC), actor=actor, plan=dict(plan), by_hand=by_hand
        )
    )
    return number


def revisions(connection: Connection) -> Iterator[Revision]:
    """Yield the revisions, newest first."""
    for row in connection.execute(select(tables.revision).order_by(tables.revision.c.number.desc())):
        yield Revision(row.number, row.applied_at, row.actor, row.plan, row.by_hand)


def put_resource(tx: Connection, key: Key, resource: Resource, revision: int) -> None:
    """Create or replace a resource. A new mailbox gets its UUID here, once."""
    values = {"kind": key.kind.value, "body": to_json(resource), "revision": revision}
    found = tx.execute(update(tables.resource).where(tables.resource.c.address == str(key)).values(values))
    if found.rowcount == 0:
        tx.execute(insert(tables.resource).values(address=str(key), **values))
        if key.kind is Kind.MAILBOX:
            tx.execute(insert(tables.mailbox).values(uuid=uuid4(), address=str(key), created_at=datetime.now(UTC)))


def drop_resource(tx: Connection, key: Key) -> None:
    """Remove a resource. A mailbox's UUID stays known, without an address."""
    tx.execute(delete(tables.resource).where(tables.resource.c.address == str(key)))
    if key.kind is Kind.MAILBOX:
        tx.execute(update(tables.mailbox).where(tables.mailbox.c.address == str(key)).values(address=None))


def mailbox_uuids(connection: Connection) -> Mapping[Key, UUID]:
    """Return the UUID of every mailbox that is live, by address."""
    rows = connection.execute(select(tables.mailbox).where(tables.mailbox.c.address.is_not(None)))
    return {Key(tuple(row.address.split("."))): row.uuid for row in rows}
