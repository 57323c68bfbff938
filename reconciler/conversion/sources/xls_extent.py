"""How far the sheets of an .xls reach, measured before anything opens it: two cells in corners are a rectangle.

Reads as much of the compound file (MS-CFB) and of its records (MS-XLS) as that takes. A file that is damaged is
measured as far as it can be; the library then says what is wrong with it.
"""

import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress

_SECTORS = {9: 512, 12: 4096}
"""What the header says of the size of a sector, and the size."""
_ENTRY = 128
_IN_HEADER = 109
_BOF, _DIMENSIONS, _MULTIPLE = 0x0809, 0x0200, frozenset({0x00BD, 0x00BE})
_CELLS = frozenset({0x0006, 0x00D6, 0x00FD, 0x0201, 0x0203, 0x0204, 0x0205, 0x027E}) | _MULTIPLE
_LONG_DIMENSIONS = 14


def largest_area(payload: bytes) -> tuple[int, int]:
    """Return the rows and columns of the largest rectangle around a sheet's cells, stated or filled."""
    largest = (0, 0)
    with suppress(struct.error, ValueError):
        for extent in _extents(_records(_workbook(payload))):
            largest = max(largest, extent, key=_area)
    return largest


def is_endless(payload: bytes) -> bool:
    """Say whether a chain of sectors leads back to itself: whoever followed it would fill the memory."""
    with suppress(struct.error, ValueError):
        file = _CompoundFile(payload)
        return file.endless or _loops(file.table) or _loops(file.mini_table)
    return False


def _loops(table: tuple[int, ...]) -> bool:
    # Each number is visited once: those of this chain bear its mark.
    visited = [-1] * len(table)
    for start in range(len(table)):
        number = start
        while number < len(table) and visited[number] < 0:
            visited[number] = start
            number = table[number]
        if number < len(table) and visited[number] == start:
            return True
    return False


def _extents(records: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, int]]:
    """Yield the rectangles that sheets state, and those around the cells so far."""
    rows, columns, begun = (0, 0), (0, 0), False
    for kind, content in records:
        if kind == _BOF:
            begun = False
        elif kind == _DIMENSIONS:
            layout = "<IIHH" if len(content) >= _LONG_DIMENSIONS else "<HHHH"
            first, last, left, right = struct.unpack_from(layout, content)
            yield max(last - first, 0), max(right - left, 0)
        elif kind in _CELLS:
            row, column = struct.unpack_from("<HH", content)
            end = struct.unpack_from("<H", content, len(content) - 2)[0] if kind in _MULTIPLE else column
            rows = (min(rows[0], row), max(rows[1], row)) if begun else (row, row)
            columns = (min(columns[0], column), max(columns[1], end)) if begun else (column, end)
            begun = True
            yield rows[1] - rows[0] + 1, columns[1] - columns[0] + 1


def _area(extent: tuple[int, int]) -> int:
    return extent[0] * extent[1]


def _records(stream: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, at)
        yield kind, stream[at + 4 : at + 4 + length]
        at += 4 + length


def _workbook(payload: bytes) -> bytes:
    """Return the stream of the workbook; empty when there is none."""
    file = _CompoundFile(payload)
    entries = file.stream(file.directory)
    for at in range(0, len(entries) - _ENTRY + 1, _ENTRY):
        name = entries[at : at + 64].decode("utf-16-le", "replace").partition("\0")[0]
        if name.lower() in {"workbook", "book"}:
            start, length = struct.unpack_from("<II", entries, at + 116)
            if length >= file.cutoff:
                return file.stream(start)[:length]
            minis = file.stream(struct.unpack_from("<I", entries, 116)[0])
            chain = _chain(file.mini_table, start, file.most * 8)
            return b"".join(minis[number * 64 :][:64] for number in chain)[:length]
    return b""


class _CompoundFile:
    """The allocation tables of a compound file: the sector that follows each. Raises struct.error or ValueError."""

    def __init__(self, payload: bytes) -> None:
        self._payload = payload
        self._size = _SECTORS.get(struct.unpack_from("<H", payload, 30)[0], 0)
        if not self._size:
            raise ValueError("no such size of sectors")
        self.most = len(payload) // self._size
        self.directory, _, self.cutoff, mini = struct.unpack_from("<IIII", payload, 48)
        self.endless = False
        self.table = _numbers(b"".join(map(self._sector, self._table_sectors())))
        self.mini_table = _numbers(self.stream(mini))

    def stream(self, first: int) -> bytes:
        """Return the content of a chain of sectors."""
        return b"".join(map(self._sector, _chain(self.table, first, self.most)))

    def _sector(self, number: int) -> bytes:
        # The header takes the first sector's place.
        return self._payload[(number + 1) * self._size :][: self._size]

    def _table_sectors(self) -> list[int]:
        """Return the sectors of the allocation table: some are listed in the header, more in a chain of sectors."""
        count, following = (struct.unpack_from("<I", self._payload, at)[0] for at in (44, 68))
        listed = list(struct.unpack_from(f"<{_IN_HEADER}I", self._payload, 76))
        visited: set[int] = set()
        while following < self.most:
            if following in visited:
                self.endless = True
                break
            visited.add(following)
            *more, following = _numbers(self._sector(following))
            listed += more
        return listed[: min(count, self.most)]


def _chain(table: tuple[int, ...], number: int, most: int) -> Iterator[int]:
    """Yield the sectors of a stream; there are no more than the file has, whatever the chain says."""
    for _ in range(most):
        if number >= len(table):
            return
        yield number
        number = table[number]


def _numbers(content: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(content) // 4}I", content[: len(content) // 4 * 4])
