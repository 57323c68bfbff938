"""The changes that turn one state into another."""

from collections.abc import Iterator

from reconciler.model.state import State
from reconciler.plan.change import Change, Create, Delete, Update
from reconciler.plan.order import ordered


def diff(live: State, desired: State) -> tuple[Change, ...]:
    """Return the changes that turn `live` into `desired`, in the order in which they are made."""
    return ordered(_changes(live, desired))


def _changes(live: State, desired: State) -> Iterator[Change]:
    for key, new in desired.resources.items():
        old = live.get(key)
        if old is None:
            yield Create(key, new)
        elif old != new:
            yield Update(key, old, new)
    for key, old in live.resources.items():
        if key not in desired:
            yield Delete(key, old)
