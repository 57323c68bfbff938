"""The structure of a message: where in its groups a segment belongs."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

_SECTION_SEPARATOR = "UNS"
_TAG = re.compile(r"[A-Z][A-Z0-9]{1,2}")
_ENVELOPES = frozenset({"UNA", "UNB", "UNG", "UNH", "UNT", "UNE", "UNZ", "ISA", "GS", "ST", "SE", "GE", "IEA"})
"""Segments around messages, which are never within one."""


@dataclass(slots=True)
class Group:
    """A segment group: its number (0 is the message itself), its parent, and its part of the message's positions."""

    number: int
    parent: "Group | None"
    start: int
    end: int = 0

    def ancestry(self) -> "Iterator[Group]":
        """Yield the group itself and the groups around it, without the message."""
        group = self
        while group.parent is not None:
            yield group
            group = group.parent


@dataclass(frozen=True, slots=True)
class Place:
    """A place for a segment in a message. A trigger is the first in its group and stands once in each repetition."""

    tag: str
    group: Group
    trigger: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """Where a segment goes: its index among the places, and the groups that end and begin before it."""

    place: int
    ended: tuple[int, ...]
    begun: tuple[int, ...]


@dataclass(frozen=True)
class Message:
    """The structure of a message type. The first place is its header's, the last its trailer's.

    `directory` is empty when no table knows the type. A `loose` structure is that of another directory than the
    message's own: what has no place in it stays in the group that is open, so that nothing is lost.
    """

    directory: str
    places: tuple[Place, ...]
    loose: bool = False

    def step(self, at: int, tag: str) -> Step | None:
        """Return where a segment goes that follows the one at place `at`; None if it has no place from there on."""
        to = self._follow(at, tag)
        if to is None:
            return Step(at, (), ()) if self.loose and self._may_stay(tag) else None
        old, new = self.places[at].group, self.places[to].group
        kept = set(map(id, new.ancestry()))
        if self.places[to].trigger:
            kept.discard(id(new))
        ended = tuple(group.number for group in old.ancestry() if id(group) not in kept)
        remaining = {id(group) for group in old.ancestry()} & kept
        begun = tuple(group.number for group in new.ancestry() if id(group) not in remaining)
        return Step(to, ended, begun[::-1])

    def _may_stay(self, tag: str) -> bool:
        """Say whether a segment without a place may stand where it is: not what always begins a group."""
        begins = [place.trigger for place in self.places if place.tag == tag]
        return not (begins and all(begins)) and tag not in _ENVELOPES and _TAG.fullmatch(tag) is not None

    def _follow(self, at: int, tag: str) -> int | None:
        """Look for the nearest place: here again, further on, the next repetition, then outside of the group."""
        here = self.places[at]
        if here.tag == tag and not here.trigger:
            return at
        for to in self._reachable(at):
            if self.places[to].tag == tag:
                return to
        return None

    def _reachable(self, at: int) -> Iterator[int]:
        to, group = at + 1, self.places[at].group
        if at == 0 and not self.loose:
            # What a message begins with, such as BGM or BEG, is mandatory in every directory.
            yield to
            return
        while True:
            while to < group.end:
                yield to
                place = self.places[to]
                if place.tag == _SECTION_SEPARATOR:
                    return
                to = to + 1 if place.group is group else place.group.end
            if group.parent is None:
                return
            yield group.start
            to, group = group.end, group.parent

    @cached_property
    def triggers(self) -> Mapping[int, str]:
        """The number of each group → the tag of its first segment."""
        return {place.group.number: place.tag for place in self.places if place.trigger}

    def expected(self, at: int) -> str:
        """Return the tags that may follow the segment at place `at`, for a message."""
        repeated = [at] if at > 0 and not self.places[at].trigger else []
        tags = dict.fromkeys(self.places[to].tag for to in (*repeated, *self._reachable(at)))
        return f"{'one of ' if len(tags) > 1 else ''}{', '.join(tags)}"


def flat(header: str, trailer: str) -> Message:
    """Return the structure of a message that no table knows: its segments one after the other, in no groups."""
    root = Group(0, None, 0, 2)
    return Message("", (Place(header, root), Place(trailer, root)), loose=True)
