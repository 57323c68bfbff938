"""What objects were called before: a rename keeps their UUIDs, credentials and envelopes."""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field

from reconciler.desired.codes import Code
from reconciler.desired.references import Place
from reconciler.errors import Position, Problem
from reconciler.model.key import Key


def former_address(key: Key, written: str) -> Key:
    """Return what `renamed_from` means: a name beside the new one, or an address. Raises ValueError."""
    old = Key.parse(written if "." in written else ".".join((*key.path[:-1], written)))
    if old.kind is not key.kind or old == key:
        raise ValueError(f"{old} is not the former name or address of another {key.kind}")
    return old


@dataclass(frozen=True, slots=True)
class Renames:
    """New addresses with the old ones, and where that is written."""

    former: dict[Key, Key] = field(default_factory=dict)
    _places: dict[Key, Place] = field(default_factory=dict)

    def add(self, key: Key, old: Key, place: Place) -> None:
        """Take over a rename of the object at a place."""
        self.former[key] = old
        self._places[key] = place.below("renamed_from")

    def problems(self, defined: Container[Key], positions: Mapping[Key, Position]) -> Iterator[Problem]:
        """Yield a mistake for each former name that is still in use, or that two objects claim."""
        first: dict[Key, Place] = {}
        for key, old in self.former.items():
            where = self._places[key]
            if old in defined:
                message = f"{old} is still in the configuration; remove renamed_from, or the object of the old name"
                yield where.problem(Code.BAD_VALUE, message, also=positions.get(old))
            elif first.setdefault(old, where) is not where:
                message = f"something else was renamed from {old} already"
                yield where.problem(Code.BAD_VALUE, message, also=first[old].position())
