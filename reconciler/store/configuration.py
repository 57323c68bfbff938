"""The live configuration: resources by address, the identity of mailboxes, and the history of revisions."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    Connection,
    Select,
    String,
    bindparam,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from reconciler.errors import NotFoundError, PlanRefusedError
from reconciler.model.key import Key, Kind
from reconciler.model.noun import Json
from reconciler.model.packed import Packed, packed
from reconciler.model.state import Resource, State
from reconciler.store import tables
from reconciler.store.statement import Statement
from reconciler.store.upsert import insert_if_absent

_AT_ONCE = 500
"""Addresses that one statement asks for."""


@dataclass(frozen=True, slots=True)
class Revision:
    """One applied plan: its number, when (UTC), by whom, and the plan as JSON.

    `by_hand` says why somebody changed this past the configuration; it is empty for a plan that was applied.
    `config_hash` and `commit` are the configuration's, `digest` and `summary` the plan's.
    """

    number: int
    applied_at: datetime
    actor: str
    plan: Mapping[str, Json]
    by_hand: str = ""
    config_hash: str = ""
    commit: str = ""
    digest: str = ""
    summary: Mapping[str, Json] = field(default_factory=dict)


def read_state(connection: Connection) -> State:
    """Return everything that is live, by address."""
    stored = tables.resource.c
    rows = connection.execute(select(stored.address, stored.body).order_by(stored.address))
    return State(Packed({Key.known(address): body for address, body in rows.all()}))


_CURRENT = Statement(select(func.coalesce(func.max(tables.revision.c.number), 0)))


def current_revision(connection: Connection) -> int:
    """Return the number of the newest revision; 0 before the first."""
    return newest_revision(connection)()


def newest_revision(connection: Connection) -> Callable[[], int]:
    """Return what returns that number once it is needed."""
    found = _CURRENT.later(connection)

    def number() -> int:
        row = found.first()
        return 0 if row is None else int(row[0])

    return number


def add_revision(
    tx: Connection,
    *,
    actor: str,
    plan: Mapping[str, Json],
    by_hand: str = "",
    config_hash: str = "",
    commit: str = "",
) -> int:
    """Record an applied plan, or a change by hand for a reason, and return its revision number.

    Raises PlanRefusedError when another was recorded at this moment.
    """
    number = current_revision(tx) + 1
    row = {
        "number": number,
        "applied_at": datetime.now(UTC),
        "actor": actor,
        "plan": dict(plan),
        "by_hand": by_hand,
        "config_hash": config_hash,
        "commit": commit,
        "digest": str(plan.get("digest", "")),
        "summary": plan.get("summary", {}),
    }
    # From here to the end of the transaction, whoever else changes what is live waits.
    if not insert_if_absent(tx, tables.revision, row):
        raise PlanRefusedError(
            f"Revision {number} was applied by another at this moment; nothing was changed. Try again."
        )
    return number


def revisions(connection: Connection) -> Iterator[Revision]:
    """Yield the revisions, newest first."""
    for row in connection.execute(select(tables.revision).order_by(tables.revision.c.number.desc())):
        yield _revision(row)


def changed_by_hand(connection: Connection) -> Iterator[Revision]:
    """Yield the revisions that were made past the configuration, newest first."""
    row = tables.revision.c
    for found in connection.execute(select(tables.revision).where(row.by_hand != "").order_by(row.number.desc())):
        yield _revision(found)


def changes_from(connection: Connection, first: int = 1) -> Iterator[Revision]:
    """Yield the revisions from a number on, oldest first."""
    number = tables.revision.c.number
    for row in connection.execute(select(tables.revision).where(number >= first).order_by(number)):
        yield _revision(row)


def revision(connection: Connection, number: int) -> Revision:
    """Return one revision. Raises NotFoundError."""
    row = connection.execute(select(tables.revision).where(tables.revision.c.number == number)).first()
    if row is None:
        raise NotFoundError(f"There is no revision {number}. See: reconciler history")
    return _revision(row)


def headers(connection: Connection, *, limit: int, offset: int = 0) -> list[Revision]:
    """Return the newest revisions without their plans, which can be large."""
    query = _without_plan().order_by(tables.revision.c.number.desc()).limit(limit).offset(offset)
    return [_revision(row) for row in connection.execute(query).all()]


def _without_plan() -> Select[Any]:
    columns = [column for column in tables.revision.c if column.name != "plan"]
    return select(*columns, literal(None).label("plan"))


def last_configured(connection: Connection) -> Revision | None:
    """Return the newest revision that applied a configuration, without its plan, or None."""
    row = tables.revision.c
    query = _without_plan().where(row.config_hash != "", row.by_hand == "").order_by(row.number.desc())
    found = connection.execute(query.limit(1)).first()
    return None if found is None else _revision(found)


def applied_as(connection: Connection, digest: str) -> Revision | None:
    """Return the revision that a plan with this digest made, without its plan, or None."""
    query = _without_plan().where(tables.revision.c.digest == digest).order_by(tables.revision.c.number.desc())
    row = connection.execute(query).first()
    return None if row is None else _revision(row)


def _revision(row: Any) -> Revision:  # noqa: ANN401 - a row with these columns
    plan = row.plan if isinstance(row.plan, dict) else {}
    return Revision(
        number=row.number,
        applied_at=row.applied_at,
        actor=row.actor,
        plan=plan,
        by_hand=row.by_hand,
        config_hash=row.config_hash,
        commit=row.commit,
        digest=row.digest,
        summary=row.summary,
    )


def origin(connection: Connection, key: Key) -> tuple[str, str]:
    """Return where a resource is written, as file:line, and the commit at which that is so; empty when unknown."""
    row = tables.resource.c
    found: str | None = connection.execute(select(row.origin).where(row.address == str(key))).scalar()
    place, _, commit = (found or "").rpartition("@")
    return place, commit


def place(tx: Connection, places: Mapping[str, str], commit: str) -> None:
    """Remember where resources are written, as file:line by address, and at which commit (or empty) that is so."""
    if places:
        row = tables.resource.c
        moved = update(tables.resource).where(row.address == bindparam("at")).values(origin=bindparam("place"))
        tx.execute(moved, [{"at": address, "place": f"{place}@{commit}"} for address, place in places.items()])


def made_by_hand(connection: Connection) -> frozenset[Key]:
    """Return the resources that were made through the API and that no configuration has taken over."""
    rows = connection.execute(select(tables.resource.c.address).where(tables.resource.c.managed_by == "api")).scalars()
    return frozenset(Key.known(address) for address in rows)


def adopt(tx: Connection, key: Key) -> None:
    """Give a resource that was made by hand, with its credentials, to the configuration."""
    address = tables.resource.c.address
    tx.execute(
        update(tables.resource)
        .where(or_(address == str(key), address.startswith(f"{key}.credentials.", autoescape=True)))
        .values(managed_by="configuration")
    )


def move(tx: Connection, old: Key, new: Key) -> None:
    """Give what is at and below an address another one: resources, the identity of mailboxes, credentials."""
    for table in (tables.resource, tables.mailbox, tables.credential, tables.suspension):
        address = table.c.address
        within = or_(address == str(old), address.startswith(f"{old}.", autoescape=True))
        rest = func.substr(address, len(str(old)) + 1)
        tx.execute(update(table).where(within).values(address=literal(str(new)).op("||", return_type=String)(rest)))


def put_resources(tx: Connection, resources: Mapping[Key, Resource], revision: int, *, managed_by: str) -> None:
    """Create or replace resources. A new mailbox gets its UUID here, once; whose a resource is, it stays."""
    there = _there(tx, [str(key) for key in resources])
    rows = [
        {"at": str(key), "kind": key.kind.value, "body": packed(resource), "revision": revision}
        for key, resource in resources.items()
    ]
    replaced = [row for row in rows if row["at"] in there]
    if replaced:
        values: dict[str, Any] = {name: bindparam(name) for name in ("kind", "body", "revision")}
        tx.execute(update(tables.resource).where(tables.resource.c.address == bindparam("at")).values(values), replaced)
    new = [{**row, "address": row.pop("at"), "managed_by": managed_by} for row in rows if row["at"] not in there]
    if new:
        tx.execute(insert(tables.resource), new)
    now = datetime.now(UTC)
    mailboxes = [
        {"uuid": uuid4(), "address": row["address"], "created_at": now} for row in new if row["kind"] == Kind.MAILBOX
    ]
    if mailboxes:
        tx.execute(insert(tables.mailbox), mailboxes)


def _there(tx: Connection, addresses: list[str]) -> set[str]:
    """Return those of the addresses that have a resource."""
    stored = tables.resource.c.address
    found: set[str] = set()
    for begin in range(0, len(addresses), _AT_ONCE):
        found.update(tx.execute(select(stored).where(stored.in_(addresses[begin : begin + _AT_ONCE]))).scalars())
    return found


def is_live(connection: Connection, key: Key) -> bool:
    """Say whether there is a resource at an address."""
    return bool(_there(connection, [str(key)]))


def drop_resource(tx: Connection, key: Key) -> None:
    """Remove a resource. A mailbox's UUID stays known, without an address."""
    tx.execute(delete(tables.resource).where(tables.resource.c.address == str(key)))
    if key.kind is Kind.MAILBOX:
        tx.execute(update(tables.mailbox).where(tables.mailbox.c.address == str(key)).values(address=None))


def mailbox_uuids(connection: Connection) -> Mapping[Key, UUID]:
    """Return the UUID of every mailbox that is live, by address."""
    rows = connection.execute(select(tables.mailbox).where(tables.mailbox.c.address.is_not(None)))
    return {Key.known(row.address): row.uuid for row in rows}
