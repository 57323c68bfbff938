"""Looking back: what was live at a revision, what was last configured, and where the live side left it."""

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, assert_never

from sqlalchemy import Connection

from reconciler.model.key import Key
from reconciler.model.state import Resource, State
from reconciler.plan.change import Change, Create, Delete, FieldChange, Move, Update, change_from_json
from reconciler.plan.diff import applied, differences
from reconciler.store import configuration
from reconciler.store.configuration import Revision


@dataclass(frozen=True, slots=True)
class Drift:
    """Where one live resource is not as it was configured; `fields` go from the configured value to the live one.

    `actor` and `at` (UTC) are of the last change by hand that the history has; None when it has none.
    """

    key: Key
    what: Literal["changed", "destroyed", "made"]
    fields: tuple[FieldChange, ...]
    actor: str | None = None
    at: datetime | None = None
    reason: str = ""


def changes_of(revision: Revision) -> tuple[Change, ...]:
    """Return what a revision changed; a rotation on demand changed no resource."""
    items = revision.plan.get("changes")
    return tuple(change_from_json(item) for item in items if isinstance(item, dict)) if isinstance(items, list) else ()


def state_at(connection: Connection, number: int) -> State:
    """Return what was live at a revision. Raises NotFoundError when there is none with this number."""
    configuration.revision(connection, number)
    return _folded(revision for revision in configuration.changes_from(connection) if revision.number <= number)


def configured(connection: Connection) -> State:
    """Return what was last applied, without what was changed by hand since."""
    return _folded(revision for revision in configuration.changes_from(connection) if not revision.by_hand)


def _folded(revisions: Iterable[Revision]) -> State:
    state = State()
    for revision in revisions:
        state = applied(changes_of(revision), state)
    return state


def drift(connection: Connection) -> list[Drift]:
    """Return where the live side is not what was last applied, by address; what the API made for itself is none.

    What is live is what all revisions made, so that only what was changed by hand can differ: nothing else is read.
    """
    hand = list(configuration.changed_by_hand(connection))
    touched = {key for revision in hand for key in _touched(changes_of(revision))}
    if not touched:
        return []
    live, by_hand = configuration.read_state(connection), configuration.made_by_hand(connection)
    applied_last = _configured_at(connection, touched, since=hand[-1].number)
    if applied_last is None:
        found = list(differences(configured(connection), live))
    else:
        found = list(differences(applied_last, State({key: live.resources[key] for key in touched if key in live})))
    last = _last_touched(hand)
    return [
        _drift(change, last.get(change.key))
        for change in sorted(found, key=lambda change: change.key)
        if change.key not in by_hand
    ]


def _configured_at(connection: Connection, keys: AbstractSet[Key], *, since: int) -> State | None:
    """Return what was last applied at these addresses; None when they may have moved since a revision."""
    addresses = {str(key) for key in keys}
    found: dict[Key, Resource] = {}
    for revision in configuration.revisions(connection):
        if not addresses and revision.number < since:
            break
        items = revision.plan.get("changes")
        for item in items if not revision.by_hand and isinstance(items, list) else ():
            if not isinstance(item, dict):
                continue
            if item.get("action") == "move":
                return None
            if item.get("address") in addresses and item.get("action") in {"create", "update", "delete"}:
                change = change_from_json(item)
                addresses.remove(str(change.key))
                if isinstance(change, Create | Update):
                    found[change.key] = change.new
    return State(found)


def _drift(change: Create | Update | Delete, revision: Revision | None) -> Drift:
    actor, at, reason = (revision.actor, revision.applied_at, revision.by_hand) if revision else (None, None, "")
    match change:
        case Create():
            return Drift(change.key, "made", change.fields, actor, at, reason)
        case Update():
            return Drift(change.key, "changed", change.fields, actor, at, reason)
        case Delete():
            return Drift(change.key, "destroyed", (), actor, at, reason)
        case _:
            assert_never(change)


def _last_touched(hand: Iterable[Revision]) -> dict[Key, Revision]:
    """Return the newest change by hand of each address, of all, newest first."""
    found: dict[Key, Revision] = {}
    for revision in hand:
        for key in _touched(changes_of(revision)):
            found.setdefault(key, revision)
    return found


def _touched(changes: Iterable[Change]) -> Iterator[Key]:
    for change in changes:
        yield change.key
        if isinstance(change, Move):
            yield change.old_key
