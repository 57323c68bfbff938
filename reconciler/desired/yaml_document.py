"""A YAML document as plain data, with the position of everything in it beside it."""

from collections.abc import Callable, MutableSequence, Sequence
from dataclasses import dataclass, field

from reconciler.desired.codes import Code
from reconciler.desired.excerpt import excerpt
from reconciler.errors import Position, Problem

Scalar = str | int | float | bool | None
Yaml = dict[str, "Yaml"] | list["Yaml"] | Scalar
Location = Sequence[str | int]
"""The keys and indexes that lead to a value. Parts that the document does not have (a union's tags) are passed over."""

COLUMN_BITS = LINE_BITS = 28
"""A place is packed: which text (0 is the document's own), line and column, from 0 each."""

_FEW = 8


@dataclass(frozen=True, slots=True)
class Content:
    """What stands in a document.

    `table` holds packed places, two for each entry of a container: of its key and of its value (for lists, twice the
    item's). `offsets` says by the container's identity where its entries begin. `texts` are the names and texts that
    places are in: the document's own file, and the environment's where that patches the document.
    """

    texts: tuple[tuple[str, str], ...]
    data: Yaml
    start: int
    table: MutableSequence[int]
    offsets: dict[int, int]
    _indexes: dict[int, dict[str, int]] = field(default_factory=dict)

    def entry(self, container: dict[str, Yaml] | list[Yaml], part: str | int) -> tuple[int, int]:
        """Return the places of the key and the value of an entry that the container has."""
        number = part if isinstance(part, int) else self._index(container, part)
        offset = self.offsets[id(container)] + 2 * number
        return self.table[offset], self.table[offset + 1]

    def _index(self, container: dict[str, Yaml] | list[Yaml], key: str) -> int:
        if len(container) <= _FEW:
            return list(container).index(key)
        index = self._indexes.get(id(container))
        if index is None:
            index = self._indexes[id(container)] = {str(name): number for number, name in enumerate(container)}
        return index[key]

    def position(self, place: int) -> Position:
        """Return a packed place as a position."""
        line, column = divmod(place, 1 << COLUMN_BITS)
        text, line = divmod(line, 1 << LINE_BITS)
        return Position(self.texts[text][0], line + 1, column + 1)

    def excerpt(self, place: int) -> str:
        """Return the line that a packed place is in."""
        text = self.texts[place >> (LINE_BITS + COLUMN_BITS)][1]
        return excerpt(text, self.position(place).line)


class YamlDocument:
    """One document of a file.

    `read` composes it, with positions, when a mistake asks for one, or when its data was not given or was released; so
    a large configuration is never in memory as a whole.
    """

    __slots__ = ("_data", "_read", "_read_again", "file")

    def __init__(self, file: str, read: Callable[[], Content], data: Yaml = None) -> None:
        self.file = file
        self._read_again = read
        self._read: Content | None = None
        self._data = data

    def release(self) -> None:
        """Let go of what stands in the document."""
        self._read = self._data = None

    @property
    def content(self) -> Content:
        """What stands in the document, with its positions."""
        if self._read is None:
            self._read = self._read_again()
        return self._read

    @property
    def data(self) -> Yaml:
        """What stands in the document, as plain data."""
        return self.content.data if self._data is None else self._data

    def _walk(self, location: Location) -> tuple[list[str | int], Yaml, int, int]:
        content = self.content
        path: list[str | int] = []
        node, key, value = content.data, content.start, content.start
        for part in location:
            match node, part:
                case dict(), str() if part in node:
                    (key, value), node = content.entry(node, part), node[part]
                case list(), int() if part < len(node):
                    (key, value), node = content.entry(node, part), node[part]
                case _:
                    continue
            path.append(part)
        return path, node, key, value

    def at(self, location: Location) -> Yaml:
        """Return the value at a location, or the nearest one above it."""
        return self._walk(location)[1]

    def path(self, location: Location) -> list[str | int]:
        """Return the parts of a location that the document has."""
        return self._walk(location)[0]

    def address(self, location: Location) -> str:
        """Return a location as an address, such as `accounts.acme.mailboxes.orders.aliases[0]`."""
        parts = self.path(location)
        return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).removeprefix(".")

    def position(self, location: Location, *, of_key: bool = False) -> Position:
        """Return where the value at a location stands, or its key; the nearest one above when it is not there."""
        _, _, key, value = self._walk(location)
        return self.content.position(key if of_key else value)

    def problem(
        self,
        code: Code,
        message: str,
        location: Location,
        *,
        of_key: bool = False,
        suggestion: str = "",
        also: Position | None = None,
    ) -> Problem:
        """Return a mistake at a location of this document."""
        _, _, key, value = self._walk(location)
        place = key if of_key else value
        return Problem(
            position=self.content.position(place),
            code=code.value,
            message=message,
            path=self.address(location),
            source=self.content.excerpt(place),
            suggestion=suggestion,
            also=also,
        )
