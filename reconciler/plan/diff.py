"""The changes that turn one state into another, and what they make of a state."""

from collections.abc import Iterable, Iterator
from typing import assert_never

from reconciler.model.key import Key
from reconciler.model.packed import Packed, only_in, unlike
from reconciler.model.state import Resource, State
from reconciler.plan.change import Adopt, Change, Create, Delete, Move, Rotate, Update
from reconciler.plan.order import ordered


def diff(live: State, desired: State) -> tuple[Change, ...]:
    """Return the changes that turn `live` into `desired`, in the order in which they are made."""
    return ordered(differences(live, desired))


def differences(live: State, desired: State) -> Iterator[Create | Update | Delete]:
    """Yield what differs between two states, in no order."""
    for key in unlike(live.resources, desired.resources):
        old, new = live.get(key), desired.resources[key]
        if old is None:
            yield Create(key, new)
        elif old != new:
            yield Update(key, old, new)
    for key in only_in(live.resources, desired.resources):
        yield Delete(key, live.resources[key])


def applied(changes: Iterable[Change], state: State) -> State:
    """Return what the changes make of a state."""
    resources = dict(state.resources)
    for change in changes:
        match change:
            case Create() | Update():
                resources[change.key] = change.new
            case Delete():
                resources.pop(change.key, None)
            case Move():
                resources = dict(moved(resources, change).resources)
            case Adopt() | Rotate():
                pass
            case _:
                assert_never(change)
    return State(resources)


def moved(resources: dict[Key, Resource] | State, move: Move) -> State:
    """Return a state in which what was at and below the old address is at the new one."""
    items = resources.resources if isinstance(resources, State) else resources
    if isinstance(items, Packed):
        return State(items.moved(move.old_key, move.key))
    return State({key.moved(move.old_key, move.key): resource for key, resource in items.items()})
