"""What the watcher has to say: conditions of each account, and (scope empty) of all of the configuration."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
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


def record(tx: Connection, said: Sequence[Condition]) -> None:
    """Keep what is said now, and forget accounts of which nothing is; a time stays while what is said does."""
    known = {(item.scope, item.type): item for item in all_of(tx)}
    row = tables.condition.c
    for item in said:
        before = known.pop((item.scope, item.type), None)
        if before is None:
            tx.execute(insert(tables.condition).values(asdict(item)))
        elif replace(item, changed_at=before.changed_at) != before:
            same = (before.status, before.message) == (item.status, item.message)
            values = asdict(item) | ({"changed_at": before.changed_at} if same else {})
            here = and_(row.scope == item.scope, row.type == item.type)
            tx.execute(update(tables.condition).where(here).values(values))
    # A round that could look at no account says something of the whole only; then the accounts stay as they were.
    if any(item.scope for item in said):
        for scope, kind in known:
            tx.execute(delete(tables.condition).where(and_(row.scope == scope, row.type == kind)))


def all_of(connection: Connection) -> list[Condition]:
    """Return every condition, by scope and type."""
    query = select(tables.condition).order_by(tables.condition.c.scope, tables.condition.c.type)
    return [Condition(*row) for row in connection.execute(query)]
