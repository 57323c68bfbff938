"""What a plan would do to inputs that came already: which of them would go another way, and from which to which.

Nothing is decided here: each input comes with the way that the rules before and the rules after give it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from reconciler.model.key import Key

Verb = Literal["converted", "archived", "sent", "copied", "mailed", "kept", "rejected", "failed"]
Noun = Literal["file", "envelope"]

_WORDS: Mapping[Verb, str] = MappingProxyType(
    {
        "converted": "converted by {rule}",
        "archived": "delivered as an archive when completed",
        "sent": "sent as they are",
        "copied": "copied to {detail}",
        "mailed": "announced to {detail}",
        "kept": "kept in the mailbox",
        "rejected": "auto-rejected",
        "failed": "failed ({detail})",
    }
)


@dataclass(frozen=True, slots=True, order=True)
class Way:
    """Which way an input goes: by which rule, or (None) by the default rule; `detail` is a protocol or a reason."""

    verb: Verb
    rule: Key | None = None
    detail: str = ""

    def __str__(self) -> str:
        """Say it as what becomes of envelopes and files."""
        return _WORDS[self.verb].format(rule=self.rule, detail=self.detail)


@dataclass(frozen=True, slots=True)
class Replayed:
    """An input with its way before and after; `diff` is what a conversion would make otherwise, as a unified diff."""

    mailbox: Key
    noun: Noun
    name: str
    before: Way
    after: Way
    diff: str = ""


@dataclass(frozen=True, slots=True)
class Shift:
    """Inputs of one mailbox that would all go the same other way; `of` is how many of its kind were replayed."""

    mailbox: Key
    noun: Noun
    before: Way
    after: Way
    names: tuple[str, ...]
    of: int
    diffs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Impact:
    """What changes for the inputs that were replayed. `source` says which: the last 7d, or a folder."""

    source: str
    replayed: int
    shifts: tuple[Shift, ...]

    @property
    def moved(self) -> int:
        """How many inputs would go another way, or become something else."""
        return sum(len(shift.names) for shift in self.shifts)

    @property
    def failing(self) -> int:
        """How many inputs would fail that did not."""
        return sum(
            len(shift.names) for shift in self.shifts if shift.after.verb == "failed" and shift.before.verb != "failed"
        )


def impact(source: str, inputs: Iterable[Replayed]) -> Impact:
    """Return what changes for the inputs: by mailbox, those that would fail first, then the many before the few."""
    totals: Counter[tuple[Key, Noun]] = Counter()
    groups: dict[tuple[Key, Noun, Way, Way], list[Replayed]] = defaultdict(list)
    for replayed in inputs:
        totals[replayed.mailbox, replayed.noun] += 1
        if replayed.before != replayed.after or replayed.diff:
            groups[replayed.mailbox, replayed.noun, replayed.before, replayed.after].append(replayed)
    shifts = [
        Shift(
            mailbox,
            noun,
            before,
            after,
            tuple(item.name for item in items),
            totals[mailbox, noun],
            tuple(item.diff for item in items if item.diff),
        )
        for (mailbox, noun, before, after), items in groups.items()
    ]
    shifts.sort(key=lambda shift: (shift.mailbox, shift.after.verb != "failed", -len(shift.names), str(shift.after)))
    return Impact(source, totals.total(), tuple(shifts))
