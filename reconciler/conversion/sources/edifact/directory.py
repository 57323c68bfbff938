"""Message directories: which group a segment belongs to, and which of its elements are composite.

The built-in tables stand in the folder `directories`, one text for each directory, in a notation that a user can write
too. Everything behind `#` is a remark:

    directory D96A
    segments  BGM=csss LIN=sscscc …     c: a composite data element, s: a simple one
    message ORDERS  BGM DTM … (RFF DTM) (NAD LOC (CTA COM)) …

Parentheses are segment groups, numbered in the order in which they open, as every UN directory does it; the first
segment in them is the group's trigger. UNH and UNT stand in no table. How often a segment may or must stand is not in
the tables: what a message has to say is for the rule's map and its validation files to decide.

A message of a directory that has no table is read with the table of the directory nearest in time.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib import resources

SERVICE_SEGMENTS = {
    "UNB": "ccccscsssss",
    "UNG": "scccsscs",
    "UNH": "scscccc",
    "UNT": "ss",
    "UNE": "ss",
    "UNZ": "ss",
    "UNS": "s",
    "UGH": "s",
    "UGT": "s",
}
"""The elements of the service segments (ISO 9735), which are the same in all directories."""

_SECTION_SEPARATOR = "UNS"
_TOKEN = re.compile(r"[()]|[^\s()]+")
_TAG = re.compile(r"[A-Z][A-Z0-9]{2}")
_NAME = re.compile(r"[A-Z][A-Z0-9]{0,13}")
_YEAR = re.compile(r"[A-Z]([0-9]{2})([A-Z])")


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


@dataclass(frozen=True, slots=True)
class Message:
    """The structure of a message type. The first place is UNH, the last is UNT."""

    directory: str
    places: tuple[Place, ...]

    def step(self, at: int, tag: str) -> Step | None:
        """Return where a segment goes that follows the one at place `at`; None if it has no place from there on."""
        to = self._follow(at, tag)
        if to is None:
            return None
        old, new = self.places[at].group, self.places[to].group
        kept = set(map(id, new.ancestry()))
        if self.places[to].trigger:
            kept.discard(id(new))
        ended = tuple(group.number for group in old.ancestry() if id(group) not in kept)
        remaining = {id(group) for group in old.ancestry()} & kept
        begun = tuple(group.number for group in new.ancestry() if id(group) not in remaining)
        return Step(to, ended, begun[::-1])

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

    def expected(self, at: int) -> str:
        """Return the tags that may follow the segment at place `at`, for a message."""
        repeated = [at] if at > 0 and not self.places[at].trigger else []
        return ", ".join(dict.fromkeys(self.places[to].tag for to in (*repeated, *self._reachable(at))))


@dataclass(frozen=True)
class Directory:
    """The messages and the segments of one directory."""

    name: str
    segments: dict[str, str] = field(default_factory=dict)
    messages: dict[str, Message] = field(default_factory=dict)

    @cached_property
    def time(self) -> float:
        """The year of the directory, and a half for its second release; 0 when the name does not say."""
        return _time(self.name)


class Directories:
    """All directories that are known, of which the given ones go before the built-in ones."""

    def __init__(self, given: Sequence[Directory] = ()) -> None:
        self._all = (*given, *_built_in())

    def message(self, name: str, kind: str) -> Message | None:
        """Return the structure of a message type in the directory `name`, or in the nearest that has the type."""
        return next((found.messages[kind] for found in self._by_distance(name) if kind in found.messages), None)

    def elements(self, name: str, tag: str) -> str:
        """Return which elements of a segment are composite (`c`) and simple (`s`); empty when no directory knows it."""
        if tag in SERVICE_SEGMENTS:
            return SERVICE_SEGMENTS[tag]
        return next((found.segments[tag] for found in self._by_distance(name) if tag in found.segments), "")

    def kinds(self) -> str:
        """Return the names of all message types, for a message."""
        return ", ".join(sorted({kind for directory in self._all for kind in directory.messages}))

    def _by_distance(self, name: str) -> list[Directory]:
        """Sort by distance in time; of two at the same distance, the later one is nearer."""
        time = _time(name)
        return sorted(self._all, key=lambda known: (known.name != name, abs(known.time - time), -known.time))


def _time(name: str) -> float:
    match = _YEAR.fullmatch(name)
    if match is None:
        return 0.0
    year = int(match[1])
    return year + (1900 if year >= 88 else 2000) + (ord(match[2]) - ord("A")) / 2  # noqa: PLR2004 - the first directory


@lru_cache(maxsize=64)
def parse_directory(text: str) -> Directory:
    """Read a directory in the notation that is described above. Raises ValueError that names what is wrong."""
    tokens = iter(_TOKEN.findall(re.sub("#.*", "", text)))
    if next(tokens, "") != "directory":
        raise ValueError("a directory's text begins with: directory NAME, such as: directory D97A")
    directory = Directory(_name(next(tokens, ""), "directory"))
    token = next(tokens, "")
    while token:
        match token:
            case "segments":
                token = _read_segments(tokens, directory.segments)
            case "message":
                kind = _name(next(tokens, ""), "message")
                directory.messages[kind], token = _read_message(tokens, directory.name, kind)
            case _:
                raise ValueError(f"directory {directory.name}: expected segments or message, found {token}")
    return directory


def _name(token: str, what: str) -> str:
    if _NAME.fullmatch(token) is None:
        raise ValueError(f"the name of a {what} is written in capitals and digits; found {token!r}")
    return token


def _read_segments(tokens: Iterator[str], segments: dict[str, str]) -> str:
    """Read `TAG=cs…` and return the token that is none."""
    for token in tokens:
        tag, equals, elements = token.partition("=")
        if not equals:
            return token
        if _TAG.fullmatch(tag) is None or not elements or set(elements) - set("cs"):
            raise ValueError(f"segments: {token} is not of the form LIN=sscscc (c: composite, s: simple)")
        segments[tag] = elements
    return ""


def _read_message(tokens: Iterator[str], directory: str, kind: str) -> tuple[Message, str]:
    """Read tags and groups and return them with the token that is neither."""
    group = root = Group(0, None, 0)
    places = [Place("UNH", root)]
    count, triggers, rest = 0, False, ""
    for word in tokens:
        if word == "(":
            if triggers:
                raise ValueError(f"message {kind}: a group begins with a segment, its trigger, not with a group")
            count += 1
            group, triggers = Group(count, group, len(places)), True
        elif word == ")":
            if triggers or group.parent is None:
                raise ValueError(f"message {kind}: there is a ) behind {places[-1].tag} that closes nothing")
            group.end, group = len(places), group.parent
        elif _TAG.fullmatch(word):
            places.append(Place(word, group, triggers))
            triggers = False
        elif word in {"segments", "message"}:
            rest = word
            break
        else:
            raise ValueError(f"message {kind}: {word} is neither a segment tag of three capitals nor ( or )")
    if group is not root or triggers:
        raise ValueError(f"message {kind}: group {group.number} is not closed with )")
    places.append(Place("UNT", root))
    root.end = len(places)
    return Message(directory, tuple(places)), rest


@lru_cache(maxsize=1)
def _built_in() -> tuple[Directory, ...]:
    folder = resources.files(__package__) / "directories"
    return tuple(parse_directory(text) for text in _texts(folder.iterdir()))


def _texts(files: Iterable[resources.abc.Traversable]) -> Iterator[str]:
    for file in sorted(files, key=lambda file: file.name):
        if file.name.endswith(".txt"):
            yield file.read_text()
