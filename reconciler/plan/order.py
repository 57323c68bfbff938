"""The order in which changes are made: what owns before what is owned, destroying the other way round and first."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from reconciler.model.key import Kind
from reconciler.model.rule import Rule
from reconciler.plan.change import Adopt, Change, Create, Delete, Move, Update

LEVELS: Mapping[Kind, int] = MappingProxyType(
    {
        Kind.ACCOUNT: 0,
        Kind.TEMPLATE: 1,
        Kind.DICTIONARY: 2,
        Kind.MAILBOX: 3,
        Kind.INTEGRATION: 4,
        Kind.CREDENTIAL: 5,
        Kind.RULE: 6,
    }
)
"""A kind depends on kinds of lower levels only."""


def ordered(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Return the changes in the order in which they are made and shown.

    Moving comes first, because everything else names the new addresses; then destroying, so that an alias or a UUID
    is free before another resource takes it.
    """
    by_place = sorted(changes, key=_place)
    moves = [change for change in by_place if isinstance(change, Move)]
    destroyed = [change for change in reversed(by_place) if isinstance(change, Delete)]
    return (*moves, *destroyed, *(change for change in by_place if not isinstance(change, Move | Delete)))


def _place(change: Change) -> tuple[int, tuple[str, ...], int, str, bool]:
    """Return what a change sorts by: its level, then its address, in which rules stand by their position."""
    match change:
        case Create(new=Rule(position=position)) | Update(new=Rule(position=position)):
            pass
        case Delete(old=Rule(position=position)):
            pass
        case _:
            position = 0
    return LEVELS[change.kind], change.key.path[:-1], position, change.key.name, not isinstance(change, Adopt)
