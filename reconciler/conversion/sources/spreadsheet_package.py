"""What a spreadsheet's zip would take, measured before anything opens it.

A library allocates a sheet as a rectangle around its filled cells, so that two cells in opposite corners are 17
thousand million; and a megabyte of zip can hold gigabytes. Sizes that the zip states are not believed: everything is
inflated here once, up to a bound.
"""

import re
import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO

from reconciler.errors import ConversionError

MOST_PARTS = 2_000
MOST_INFLATED = 64 * 1024 * 1024
MOST_AREA = 4_000_000
"""Cells in the rectangle of one sheet."""

_PIECE = 1 << 20
_LOCAL_HEADER = 30
_NAME_LENGTH = slice(26, 28)
_EXTRA_LENGTH = slice(28, 30)
_REFERENCE = re.compile(rb"""\sr\s*=\s*["']([A-Za-z]{0,3})([0-9]{1,10})["']""")


def check(payload: bytes) -> None:
    """Raise ConversionError `spreadsheet_syntax` or `spreadsheet_too_large` unless the file is safe to open."""
    try:
        parts = zipfile.ZipFile(BytesIO(payload)).infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise ConversionError("spreadsheet_syntax", f"the file is no zip: {error}") from None
    if len(parts) > MOST_PARTS:
        raise ConversionError("spreadsheet_too_large", f"the zip has more than {MOST_PARTS} parts")
    left = MOST_INFLATED
    for part in parts:
        content = _inflated(payload, part, left)
        left -= len(content)
        _check_area(content, part.filename)


def _inflated(payload: bytes, part: zipfile.ZipInfo, left: int) -> bytes:
    header = payload[part.header_offset : part.header_offset + _LOCAL_HEADER]
    names = int.from_bytes(header[_NAME_LENGTH], "little") + int.from_bytes(header[_EXTRA_LENGTH], "little")
    start = part.header_offset + _LOCAL_HEADER + names
    packed = payload[start : start + part.compress_size]
    if part.flag_bits & 1:
        raise ConversionError("spreadsheet_syntax", "the workbook is protected by a password; send it without")
    if part.compress_type == zipfile.ZIP_STORED:
        content = packed
    elif part.compress_type == zipfile.ZIP_DEFLATED:
        try:
            content = b"".join(_pieces(packed, left))
        except zlib.error as error:
            raise ConversionError("spreadsheet_syntax", f"{part.filename} is damaged: {error}") from None
    else:
        raise ConversionError("spreadsheet_syntax", f"{part.filename} is compressed in a way that spreadsheets are not")
    if len(content) > left:
        raise _too_large()
    return content


def _pieces(packed: bytes, left: int) -> Iterator[bytes]:
    """Inflate piece by piece: of what is too large, no more than the bound is ever held."""
    inflating = zlib.decompressobj(-zlib.MAX_WBITS)
    while packed and not inflating.eof:
        piece = inflating.decompress(packed, _PIECE)
        packed = inflating.unconsumed_tail
        left -= len(piece)
        if left < 0:
            raise _too_large()
        yield piece


def _too_large() -> ConversionError:
    return ConversionError(
        "spreadsheet_too_large", f"the zip holds more than {MOST_INFLATED} bytes; split the workbook"
    )


def _check_area(content: bytes, name: str) -> None:
    references = _REFERENCE.findall(content)
    if not references and b"sheetData" not in content:
        return
    columns = {_number(letters) for letters in {letters for letters, _ in references if letters}} or {1}
    rows = {int(digits) for digits in {digits for _, digits in references}} or {1}
    width, height = max(columns) - min(columns) + 1, max(rows) - min(rows) + 1
    missing = _elements(content, b"c") - _elements(content, b"co") + _elements(content, b"row") - len(references)
    if missing > 0:
        # What has no reference stands next to what is before it; how far that leads, the counts bound.
        width += min(missing, max(_elements(row, b"c") for row in content.split(b"row")))
        height += min(missing, _elements(content, b"row"))
    if width * height > MOST_AREA:
        raise ConversionError(
            "spreadsheet_too_large",
            f"{name}: the cells span {height} rows and {width} columns, more than {MOST_AREA} cells; "
            "remove what stands far out",
        )


def _elements(content: bytes, name: bytes) -> int:
    """Count the elements whose names begin so, with and without a namespace prefix."""
    return content.count(b"<" + name) + content.count(b":" + name)


def _number(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - ord("A") + 1
    return number
