"""How far the sheets of an .xls reach, measured before anything opens it: two cells in corners are a rectangle.

Reads as much of the compound file (MS-CFB) and of its records (MS-XLS) as that takes. A file that is damaged is
measured as far as it can be; the library then says what is wrong with it.
"""

import struct
from collections.abc import Callable, Iterable, Iterator
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
    size = _SECTORS.get(struct.unpack_from("<H", payload, 30)[0], 0)
    if not size:
        return b""
    most = len(payload) // size
    directory, _, cutoff, mini = struct.unpack_from("<IIII", payload, 48)

    def sector(number: int) -> bytes:
        # The header takes the first sector's place.
        return payload[(number + 1) * size :][:size]

    def stream(first: int) -> bytes:
        return b"".join(map(sector, _chain(table, first, most)))

    table = _numbers(b"".join(map(sector, _table_sectors(payload, sector, most))))
    entries = stream(directory)
    for at in range(0, len(entries) - _ENTRY + 1, _ENTRY):
        name = entries[at : at + 64].decode("utf-16-le", "replace").partition("\0")[0]
        if name.lower() in {"workbook", "book"}:
            start, length = struct.unpack_from("<II", entries, at + 116)
            if length >= cutoff:
                return stream(start)[:length]
            minis, mini_table = stream(struct.unpack_from("<I", entries, 116)[0]), _numbers(stream(mini))
            return b"".join(minis[number * 64 :][:64] for number in _chain(mini_table, start, most * 8))[:length]
    return b""


def _table_sectors(payload: bytes, sector: Callable[[int], bytes], most: int) -> Iterator[int]:
    """Yield the sectors of the allocation table: some are listed in the header, more in a chain of sectors."""
    count, following = struct.unpack_from("<I", payload, 44)[0], struct.unpack_from("<I", payload, 68)[0]
    count = min(count, most)
    listed = list(struct.unpack_from(f"<{_IN_HEADER}I", payload, 76))
    while len(listed) < count and following < most:
        *more, following = _numbers(sector(following))
        listed += more
    yield from listed[:count]


def _chain(table: tuple[int, ...], number: int, most: int) -> Iterator[int]:
    """Yield the sectors of a stream; there are no more than the file has, whatever the chain says."""
    for _ in range(most):
        if number >= len(table):
            return
        yield number
        number = table[number]


def _numbers(content: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(content) // 4}I", content[: len(content) // 4 * 4])
