"""What objects were called before: a rename keeps their UUIDs, credentials and envelopes."""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field

from reconciler.desired.codes import Code
from reconciler.desired.references import Place
from reconciler.errors import Problem
from reconciler.model.key import Key


@dataclass(frozen=True, slots=True)
class Renames:
    """New addresses with the old ones."""

    former: dict[Key, Key] = field(default_factory=dict)
    _places: dict[Key, Place] = field(default_factory=dict)

    def note(self, key: Key, former: str | None, place: Place) -> Iterator[Problem]:
        """Take over a `renamed_from`, a name beside the new one or an address; yield what is wrong with it."""
        if former is None:
            return
        where = place.below("renamed_from")
        try:
            old = Key.parse(former if "." in former else ".".join((*key.path[:-1], former)))
        except ValueError as error:
            yield where.problem(Code.BAD_VALUE, str(error))
            return
        if old.kind is not key.kind or old == key:
            yield where.problem(Code.BAD_VALUE, f"{old} is not the former name or address of another {key.kind}")
            return
        self.former[key] = old
        self._places[key] = where

    def problems(self, defined: Container[Key], places: Mapping[Key, Place]) -> Iterator[Problem]:
        """Yield a mistake for each former name that is still in use, or that two objects claim."""
        first: dict[Key, Place] = {}
        for key, old in self.former.items():
            where = self._places[key]
            if old in defined:
                message = f"{old} is still in the configuration; remove renamed_from, or the object of the old name"
                also = places[old].position(of_key=True) if old in places else None
                yield where.problem(Code.BAD_VALUE, message, also=also)
            elif first.setdefault(old, where) is not where:
                message = f"something else was renamed from {old} already"
                yield where.problem(Code.BAD_VALUE, message, also=first[old].position())
