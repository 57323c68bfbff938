"""Directories of messages: which group a segment belongs to, and which of its elements are composite.

The notation is one that a user can write too. Everything behind `#` is a remark:

    directory D96A
    segments  BGM=csss LIN=ssccss …     c: a composite data element, s: a simple one
    message ORDERS  BGM DTM … (RFF DTM) (NAD LOC (CTA COM)) …

Parentheses are segment groups, numbered in the order in which they open, as every UN directory does it; the first
segment in them is the group's trigger. The message's header and trailer stand in no table. How often a segment may or
must stand is not in the tables: what a message has to say is for the rule's map and its validation files to decide.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from reconciler.conversion.sources.message import Group, Message, Place

_TOKEN = re.compile(r"[()]|[^\s()]+")
_TAG = re.compile(r"[A-Z][A-Z0-9]{1,2}")
_NAME = re.compile(r"[A-Z][A-Z0-9]{0,13}")
_YEAR = re.compile(r"[A-Z0-9]([0-9]{2})([A-Z])")


@dataclass(frozen=True, eq=False)
class Directory:
    """The messages and the segments of one directory."""

    name: str
    segments: dict[str, str] = field(default_factory=dict)
    messages: dict[str, Message] = field(default_factory=dict)

    @cached_property
    def time(self) -> float:
        """The year of the directory, and a half for its second release; 0 when the name does not say."""
        return time_of(self.name)


def time_of(name: str) -> float:
    """Return the year that the name of a directory says, and a half for its second release; 0 when it says none."""
    match = _YEAR.fullmatch(name)
    if match is None:
        return 0.0
    year = int(match[1])
    return year + (1900 if year >= 88 else 2000) + (ord(match[2]) - ord("A")) / 2  # noqa: PLR2004 - the first directory


class DirectoryError(ValueError):
    """A directory's text is wrong; `line` counts from 1."""

    def __init__(self, line: int, reason: str) -> None:
        self.line, self.reason = line, reason
        super().__init__(f"line {line}: {reason}")


class _Tokens:
    """The words of a directory's text; `line` is that of the last one."""

    def __init__(self, text: str) -> None:
        self.line = 1
        self._words = self._read(text)

    def __iter__(self) -> Iterator[str]:
        return self._words

    def __next__(self) -> str:
        return next(self._words)

    def _read(self, text: str) -> Iterator[str]:
        for number, line in enumerate(text.splitlines(), 1):
            for word in _TOKEN.findall(line.partition("#")[0]):
                self.line = number
                yield word


@lru_cache(maxsize=64)
def parse_directory(text: str, *, header: str = "UNH", trailer: str = "UNT") -> Directory:
    """Read a directory whose messages have these segments around them. Raises DirectoryError."""
    tokens = _Tokens(text)
    try:
        return _read_directory(tokens, header, trailer)
    except ValueError as error:
        raise DirectoryError(tokens.line, str(error)) from None


def _read_directory(tokens: _Tokens, header: str, trailer: str) -> Directory:
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
                directory.messages[kind], token = _read_message(tokens, directory.name, kind, (header, trailer))
            case _:
                raise ValueError(f"directory {directory.name}: expected segments or message, found {token}")
    return directory


def _name(token: str, what: str) -> str:
    if _NAME.fullmatch(token) is None:
        raise ValueError(f"the name of a {what} is written in capitals and digits; found {token!r}")
    return token


def _read_segments(tokens: _Tokens, segments: dict[str, str]) -> str:
    """Read `TAG=cs…` and return the token that is none."""
    for token in tokens:
        tag, equals, elements = token.partition("=")
        if not equals:
            return token
        if _TAG.fullmatch(tag) is None or not elements or set(elements) - set("cs"):
            raise ValueError(f"segments: {token} is not of the form LIN=sscscc (c: composite, s: simple)")
        segments[tag] = elements
    return ""


def _read_message(tokens: _Tokens, directory: str, kind: str, around: tuple[str, str]) -> tuple[Message, str]:
    """Read tags and groups and return them with the token that is neither."""
    group = root = Group(0, None, 0)
    places = [Place(around[0], root)]
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
            raise ValueError(f"message {kind}: {word} is neither a segment tag nor ( or )")
    if group is not root or triggers:
        raise ValueError(f"message {kind}: group {group.number} is not closed with )")
    places.append(Place(around[1], root))
    root.end = len(places)
    return Message(directory, tuple(places)), rest
