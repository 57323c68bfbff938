"""The live side as planning sees it: what there is, since when, by whom, and what shall be left alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from reconciler.model.key import Key
from reconciler.model.state import State


@dataclass(frozen=True, slots=True)
class Suspension:
    """An address that is held out of reconciling with all that is below it, until a moment (UTC) or (None) for good."""

    key: Key
    until: datetime | None
    reason: str
    actor: str


@dataclass(frozen=True, slots=True)
class LiveSide:
    """What is live at a revision; revision 0 is the empty beginning.

    `by_hand` are the resources that were made through the API and that no configuration has taken over;
    `generated_at` is when each credential's newest secret was made.
    """

    state: State = field(default_factory=State)
    revision: int = 0
    by_hand: frozenset[Key] = frozenset()
    generated_at: Mapping[Key, datetime] = field(default_factory=lambda: MappingProxyType({}))
    suspensions: tuple[Suspension, ...] = ()
