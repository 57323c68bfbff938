"""How a plan is made: what is desired against what is live, on the terms that were given."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from types import MappingProxyType

from reconciler.errors import PlanRefusedError
from reconciler.model.credential import Credential
from reconciler.model.key import Key, Kind
from reconciler.model.packed import only_in
from reconciler.model.state import State
from reconciler.plan.change import Adopt, Change, Create, Delete, Move, Rotate, Update
from reconciler.plan.diff import differences, moved
from reconciler.plan.live_side import LiveSide, Suspension
from reconciler.plan.order import LEVELS, ordered
from reconciler.plan.plan import Held, Plan, generated_by
from reconciler.plan.safety import Limits, Undelivered, refusals
from reconciler.plan.selection import Selection


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is desired: the state, what was renamed (new address → old), and which sections are written at all.

    `sections` are paths such as `accounts.acme.rules`; what lies in others is left alone. None: all are.
    """

    state: State
    renames: Mapping[Key, Key] = field(default_factory=lambda: MappingProxyType({}))
    sections: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On what terms a plan is made; without any, nothing is destroyed, taken over or left out."""

    prune: bool = False
    adopt: bool = False
    allow_destroy: int | None = None
    selection: Selection = field(default_factory=Selection)
    limits: Limits = field(default_factory=Limits)


CAREFUL = Terms()
"""Nothing is destroyed, nothing is taken over."""


def make(live: LiveSide, wish: Wish, terms: Terms, *, now: datetime, undelivered: Undelivered = lambda _: 0) -> Plan:
    """Return the plan. Raises PlanRefusedError for a rename that cannot be, and for a target that names nothing."""
    for target in terms.selection.unknown(chain(wish.state.resources, live.state.resources)):
        raise PlanRefusedError(f"--target {target} names nothing that is live or in the configuration.")
    moves = tuple(_moves(live.state, wish, terms.selection, _in_force(live, now)))
    state = live.state
    for move in moves:
        state = moved(state, move)
    by_hand = frozenset(_renamed(key, moves) for key in live.by_hand)
    leftover = _Leftover(wish, state, by_hand)
    changes: list[Change] = [
        change
        for change in differences(state, wish.state)
        if not isinstance(change, Delete) or leftover.goes(change.key, prune=terms.prune)
    ]
    taken = [key for key in by_hand if key in wish.state and key.kind is not Kind.CREDENTIAL]
    if terms.adopt:
        changes += (Adopt(key) for key in taken)
    generated_at = {_renamed(key, moves): at for key, at in live.generated_at.items()}
    changes += _rotations(changes, wish.state, generated_at, now)
    changes = terms.selection.of(changes, state)
    changes, held = _held(changes, _in_force(live, now), moves)
    made = ordered([*moves, *changes])
    reasons = refusals(made, state, terms.limits, allow_destroy=terms.allow_destroy, undelivered=undelivered)
    if not terms.adopt:
        reasons = (*reasons, *_taken_over(taken, changes))
    return Plan(made, live.revision, unmanaged=leftover.unmanaged(made), held=held, refusals=reasons)


def _in_force(live: LiveSide, now: datetime) -> tuple[Suspension, ...]:
    return tuple(item for item in live.suspensions if item.until is None or now < item.until)


def _moves(live: State, wish: Wish, selection: Selection, suspended: tuple[Suspension, ...]) -> Iterator[Move]:
    """Yield the renames that are still to be made, owners first; an old address is that before any of them or after."""
    state = live
    made: list[Move] = []
    for new, old in sorted(wish.renames.items(), key=lambda pair: (LEVELS[pair[0].kind], pair[0])):
        old_now = _renamed(old, tuple(made))
        if old_now not in state or not selection.has(new):
            continue
        if any(key.is_within(item.key) for key in (new, old) for item in suspended):
            continue
        if new in state:
            raise PlanRefusedError(
                f"{new} says renamed_from {old}, but both are live. Remove renamed_from, and destroy one with --prune."
            )
        move = Move(new, old_now)
        made.append(move)
        state = moved(state, move)
        yield move


def _renamed(key: Key, moves: tuple[Move, ...]) -> Key:
    for move in moves:
        key = key.moved(move.old_key, move.key)
    return key


class _Leftover:
    """What is live and not desired: whether it is destroyed, listed as unmanaged, or of no concern."""

    def __init__(self, wish: Wish, live: State, by_hand: frozenset[Key]) -> None:
        self._wish = wish
        self._live = live
        self._by_hand = by_hand
        # Who owns something that stays, stays.
        self._staying = {owner for key in by_hand if key not in wish.state for owner in _owners(key)}

    def goes(self, key: Key, *, prune: bool) -> bool:
        """Say whether a leftover is destroyed."""
        if key.kind is Kind.CREDENTIAL and (key.owner is None or key.owner in self._wish.state):
            return True  # generated for what is desired otherwise now: nobody wrote it, nobody prunes it
        return prune and self._is_managed(key)

    def _is_managed(self, key: Key) -> bool:
        top = self._top(key)
        if self._staying & {key, top} or any(item in self._by_hand for item in (key, *_owners(key))):
            return False
        return self._wish.sections is None or _section(top) in self._wish.sections

    def _top(self, key: Key) -> Key:
        """Return the outermost owner that is not desired either: the section that it lies in decides."""
        outer = [item for item in (key, *_owners(key)) if item not in self._wish.state]
        return outer[-1]

    def unmanaged(self, made: tuple[Change, ...]) -> tuple[Key, ...]:
        """Return the outermost resources that stay although no configuration asks for them."""
        gone = {change.key for change in made if isinstance(change, Delete)}
        stay = (key for key in only_in(self._live.resources, self._wish.state.resources) if key not in gone)
        return tuple(sorted({self._top(key) for key in stay if key.kind is not Kind.CREDENTIAL} - gone))


def _owners(key: Key) -> Iterator[Key]:
    owner = key.owner
    while owner is not None:
        yield owner
        owner = owner.owner


def _section(key: Key) -> str:
    return key if key.kind is Kind.INTEGRATION else key.rpartition(".")[0]


def _rotations(
    changes: list[Change], desired: State, generated_at: Mapping[Key, datetime], now: datetime
) -> list[Rotate]:
    """Return the credentials that are too old, unless a change replaces them anyway."""
    renewed = {change.key for change in changes if generated_by(change) is not None}
    return [
        Rotate(key, credential)
        for key, made_at in generated_at.items()
        if isinstance(credential := desired.get(key), Credential)
        and credential.rotation is not None
        and key not in renewed
        and now - made_at >= credential.rotation.every
    ]


def _held(
    changes: list[Change], suspended: tuple[Suspension, ...], moves: tuple[Move, ...]
) -> tuple[list[Change], tuple[Held, ...]]:
    """Return the changes that are made, and for each suspension how many it holds back."""
    if not suspended:
        return changes, ()
    counts = dict.fromkeys(suspended, 0)
    free: list[Change] = []
    for change in changes:
        holder = next((item for item in suspended if change.key.is_within(_renamed(item.key, moves))), None)
        if holder is None:
            free.append(change)
        else:
            counts[holder] += 1
    return free, tuple(Held(item.key, item.until, item.reason, item.actor, number) for item, number in counts.items())


def _taken_over(taken: list[Key], changes: list[Change]) -> Iterator[str]:
    touched = {change.key for change in changes if isinstance(change, Create | Update)}
    for key in sorted(taken):
        if key in touched:
            yield f"{key} was made by hand through the API. Add --adopt to take it over."
