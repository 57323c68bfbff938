"""What the watcher has to say: conditions of each account, and (scope empty) of all of the configuration."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, and_, delete, insert, select, update

from reconciler.store import tables

ConditionType = Literal["Synced", "Healthy", "Suspended"]


@dataclass(frozen=True, slots=True)
class Condition:
    """Whether something holds, at which commit, since when (UTC), and why."""

    scope: str
    type: ConditionType
    status: bool
    commit: str
    message: str
    changed_at: datetime


def put(tx: Connection, condition: Condition) -> None:
    """Record a condition; its time stays while what it says stays the same."""
    row = tables.condition.c
    here = and_(row.scope == condition.scope, row.type == condition.type)
    values = {"status": condition.status, "commit": condition.commit, "message": condition.message}
    found = tx.execute(select(row.status, row.message).where(here)).first()
    if found is None:
        tx.execute(
            insert(tables.condition).values(
                scope=condition.scope, type=condition.type, changed_at=condition.changed_at, **values
            )
        )
        return
    if (found.status, found.message) != (condition.status, condition.message):
        values["changed_at"] = condition.changed_at
    tx.execute(update(tables.condition).where(here).values(values))


def keep_only(tx: Connection, scopes: set[str]) -> None:
    """Forget the conditions of accounts that are gone."""
    tx.execute(delete(tables.condition).where(tables.condition.c.scope.not_in(scopes)))


def all_of(connection: Connection) -> list[Condition]:
    """Return every condition, by scope and type."""
    query = select(tables.condition).order_by(tables.condition.c.scope, tables.condition.c.type)
    return [Condition(*row) for row in connection.execute(query)]
