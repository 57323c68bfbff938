"""A YAML document as plain data, with the position of everything in it beside it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from reconciler.desired.codes import Code
from reconciler.desired.excerpt import excerpt
from reconciler.errors import Position, Problem

Yaml = dict[str, "Yaml"] | list["Yaml"] | str | int | float | bool | None
Location = Sequence[str | int]
"""The keys and indexes that lead to a value. Parts that the document does not have (a union's tags) are passed over."""

COLUMN_BITS = 32
_FEW = 8


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """One document of a file.

    `table` holds packed positions for the whole file, two for each entry of a container: of its key and of its value
    (for lists, twice the item's). `offsets` says by the container's identity where its entries begin.
    """

    file: str
    text: str
    data: Yaml
    start: int
    table: Sequence[int]
    offsets: dict[int, int]
    _indexes: dict[int, dict[str, int]] = field(default_factory=dict)

    def _index(self, container: dict[str, Yaml], key: str) -> int:
        if len(container) <= _FEW:
            return list(container).index(key)
        index = self._indexes.get(id(container))
        if index is None:
            index = self._indexes[id(container)] = {name: number for number, name in enumerate(container)}
        return index[key]

    def _walk(self, location: Location) -> tuple[list[str | int], Yaml, int, int]:
        path: list[str | int] = []
        node, key, value = self.data, self.start, self.start
        for part in location:
            if isinstance(node, dict) and isinstance(part, str) and part in node:
                entry, child = self._index(node, part), node[part]
            elif isinstance(node, list) and isinstance(part, int) and part < len(node):
                entry, child = part, node[part]
            else:
                continue
            offset = self.offsets[id(node)] + 2 * entry
            key, value, node = self.table[offset], self.table[offset + 1], child
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
        line, column = divmod(key if of_key else value, 1 << COLUMN_BITS)
        return Position(self.file, line + 1, column + 1)

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
        position = self.position(location, of_key=of_key)
        return Problem(
            position=position,
            code=code.value,
            message=message,
            path=self.address(location),
            source=excerpt(self.text, position.line),
            suggestion=suggestion,
            also=also,
        )
