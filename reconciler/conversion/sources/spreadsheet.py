"""Spreadsheets (.xlsx, .xlsm, .xls) as XML.

    <workbook>
      <sheet name="Orders" index="1">
        <row index="2"><cell ref="A2" col="1" type="string">4711</cell><cell ref="B2" col="2" …>48</cell></row>
      </sheet>
    </workbook>

All indexes count from 1. `type` is string, number, boolean, date, dateTime, time or duration; the last four are written
as in XML Schema, numbers without an exponent, whole ones without a point. Empty cells and rows are left out. What XML
cannot hold becomes U+FFFD.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from io import BytesIO
from types import MappingProxyType
from typing import Any

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook

from reconciler.conversion.sources import xls_extent
from reconciler.conversion.sources.spreadsheet_package import MOST_AREA, check
from reconciler.conversion.sources.xml_text import attribute, content
from reconciler.errors import ConversionError

MOST_CELLS = 1_000_000
"""Filled cells in a workbook."""

_ZIP = b"PK\x03\x04"
_COMPOUND_FILE = b"\xd0\xcf\x11\xe0"
_WHOLE = 1e15  # From here on a number cannot hold all of its digits.


def to_xml(payload: bytes) -> bytes:
    """Return the sheets as XML, in UTF-8. Raises ConversionError `spreadsheet_syntax` or `spreadsheet_too_large`."""
    if payload.startswith(_ZIP):
        check(payload)
    elif payload.startswith(_COMPOUND_FILE):
        if xls_extent.is_endless(payload):
            raise ConversionError("spreadsheet_syntax", "the file is damaged: a chain of its sectors has no end")
        rows, columns = xls_extent.largest_area(payload)
        if rows * columns > MOST_AREA:
            reason = f"the cells span {rows} rows and {columns} columns, more than {MOST_AREA} cells"
            raise ConversionError("spreadsheet_too_large", f"{reason}; remove what stands far out")
    else:
        raise ConversionError("spreadsheet_syntax", "the file is neither .xlsx, .xlsm nor .xls")
    try:
        with CalamineWorkbook.from_filelike(BytesIO(payload)) as workbook:
            body = "".join(_sheets(workbook))
    except (CalamineError, OSError, ValueError) as error:
        raise ConversionError("spreadsheet_syntax", f"the workbook cannot be read: {error}") from None
    except BaseException as error:
        # A panic of the Rust library is no Exception, and its class cannot be imported.
        if type(error).__name__ != "PanicException":
            raise
        raise ConversionError("spreadsheet_syntax", f"the workbook cannot be read: {error}") from None
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<workbook>\n{body}</workbook>\n'.encode()


def _sheets(workbook: CalamineWorkbook) -> Iterator[str]:
    cells = 0
    for index, name in enumerate(workbook.sheet_names):
        yield f'<sheet name="{attribute(name)}" index="{index + 1}">\n'
        for row, count in _rows(workbook.get_sheet_by_index(index)):
            cells += count
            if cells > MOST_CELLS:
                raise ConversionError("spreadsheet_too_large", f"more than {MOST_CELLS} cells are filled; split it")
            yield row
        yield "</sheet>\n"


def _rows(sheet: CalamineSheet) -> Iterator[tuple[str, int]]:
    """Yield each row that has cells, and their number.

    The library gives all rows, but the columns only from the first that is used.
    """
    if sheet.start is None:
        return
    first = sheet.start[1]
    columns = range(first, first + sheet.width)
    begins = [f'<cell ref="{_letters(column)}' for column in columns]
    middles = [f'" col="{column + 1}" ' for column in columns]
    for index, values in enumerate(sheet.iter_rows(), 1):
        cells = [
            f"{begin}{index}{middle}{_WRITTEN[type(value)](value)}</cell>"
            for begin, middle, value in zip(begins, middles, values, strict=True)
            if value != ""
        ]
        if cells:
            yield f'<row index="{index}">{"".join(cells)}</row>\n', len(cells)


def _letters(column: int) -> str:
    """Return the name of a column, counted from 0: A to Z, then AA."""
    name = ""
    column += 1
    while column:
        column, letter = divmod(column - 1, 26)
        name = chr(ord("A") + letter) + name
    return name


def _number(value: float) -> str:
    whole = abs(value) < _WHOLE and value == int(value)
    return f'type="number">{int(value) if whole else _plain(value).removesuffix(".0")}'


def _duration(value: timedelta) -> str:
    return f'type="duration">{"-" if value < timedelta() else ""}PT{_plain(abs(value).total_seconds())}S'


def _plain(number: float) -> str:
    return f"{Decimal(repr(number)):f}"


_WRITTEN: Mapping[type, Callable[[Any], str]] = MappingProxyType(
    {
        str: lambda value: f'type="string">{content(value)}',
        bool: lambda value: f'type="boolean">{"true" if value else "false"}',
        int: _number,
        float: _number,
        datetime: lambda value: f'type="dateTime">{value.isoformat()}',
        date: lambda value: f'type="date">{value.isoformat()}',
        time: lambda value: f'type="time">{value.isoformat()}',
        timedelta: _duration,
    }
)
"""The type of a cell's value → the attribute that says it, and the text."""
