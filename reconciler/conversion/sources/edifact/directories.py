"""The built-in directories, one text each in the folder `tables`, and what a user adds to them.

A message of a directory that has no table is read by the table of the directory nearest in time, loosely; a message of
a type that has no table at all is written flat.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from importlib import resources
from types import MappingProxyType

from reconciler.conversion.sources.directory import Directory, parse_directory, time_of
from reconciler.conversion.sources.edifact.structure import Structure
from reconciler.conversion.sources.message import Message, flat

SERVICE_SEGMENTS: Mapping[str, str] = MappingProxyType(
    {
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
)
"""The elements of the service segments (ISO 9735), which are the same in all directories."""
_MOST_STRUCTURES = 32


class Directories:
    """All directories that are known, of which the given ones go before the built-in ones."""

    def __init__(self, given: Sequence[Directory] = ()) -> None:
        self._all = (*given, *_built_in())
        self._structures: dict[tuple[str, str], Structure] = {}

    def structure(self, name: str, kind: str) -> Structure:
        """Return the structure of a message type in the directory `name`, or a loose one if that has no table of it."""
        if (name, kind) not in self._structures:
            if len(self._structures) >= _MOST_STRUCTURES:
                self._structures.clear()
            message = self._message(name, kind)
            elements = lru_cache(maxsize=256)(partial(self.elements, message.directory or name))
            self._structures[name, kind] = Structure(message, elements)
        return self._structures[name, kind]

    def _message(self, name: str, kind: str) -> Message:
        nearest = next((found for found in self._by_distance(name) if kind in found.messages), None)
        if nearest is None:
            return flat("UNH", "UNT")
        exact = nearest.name == name or nearest.time == time_of(name) > 0
        return nearest.messages[kind] if exact else replace(nearest.messages[kind], loose=True)

    def elements(self, name: str, tag: str) -> str:
        """Return which elements of a segment are composite (`c`) and simple (`s`); empty when no directory knows it."""
        if tag in SERVICE_SEGMENTS:
            return SERVICE_SEGMENTS[tag]
        return next((found.segments[tag] for found in self._by_distance(name) if tag in found.segments), "")

    def _by_distance(self, name: str) -> list[Directory]:
        """Sort by distance in time; of two at the same distance, the later one is nearer."""
        time = time_of(name)
        return sorted(self._all, key=lambda known: (known.name != name, abs(known.time - time), -known.time))


@lru_cache(maxsize=8)
def directories(given: tuple[Directory, ...] = ()) -> Directories:
    """Return the directories that are known beside the given ones; the same for the same."""
    return Directories(given)


@lru_cache(maxsize=1)
def _built_in() -> tuple[Directory, ...]:
    folder = resources.files(__package__) / "tables"
    return tuple(parse_directory(text) for text in _texts(folder.iterdir()))


def _texts(files: Iterable[resources.abc.Traversable]) -> Iterator[str]:
    for file in sorted(files, key=lambda file: file.name):
        if file.name.endswith(".txt"):
            yield file.read_text()
