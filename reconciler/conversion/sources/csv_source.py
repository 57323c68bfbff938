"""CSV (RFC 4180) as XML.

    <csv>
      <row index="2"><cell col="1" name="order">4711</cell><cell col="2" name="quantity">48</cell></row>
    </csv>

`index` is the record's number in the file and `col` the column's, both from 1. `name` is there when the first record
that is not empty is a header, which is then no row. Empty cells and empty rows are left out.

Encoding: what the content type declares (`charset=`), else a byte order mark, else UTF-8, else Windows-1252. Delimiter:
what a first line `sep=;` says, else the one of comma, semicolon, tab and bar that gives the most columns to the most
records. Header: what the content type declares (`header=present|absent`), else there is one when the first record's
cells are all different, none is empty but the last ones, and none begins with a digit.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from email.message import Message
from io import StringIO
from itertools import chain, islice

from reconciler.conversion.sources.xml_text import ILLEGAL, attribute, content
from reconciler.errors import ConversionError

MOST_ROWS = 500_000
MOST_COLUMNS = 16_384

_DELIMITERS = ",;\t|"
_SAMPLE_ROWS = 50
_SAMPLE_CHARACTERS = 100_000
_BYTE_ORDER_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_SEPARATOR = re.compile(r"sep=(.)\r?\n")
_NUMBER = re.compile(r"[+-]?[0-9]")


def to_xml(payload: bytes, content_type: str = "") -> bytes:
    """Return the records as XML, in UTF-8. Raises ConversionError `csv_charset`, `csv_syntax` or `csv_too_large`."""
    declared = Message()
    declared["Content-Type"] = content_type or "text/csv"
    text = _decoded(payload, declared.get_content_charset(""))
    announced = _SEPARATOR.match(text)
    if announced is not None:
        text, delimiter = text[announced.end() :], announced[1]
    else:
        delimiter = _delimiter(text)
    if delimiter in '"\r\n':
        raise ConversionError("csv_syntax", f"the delimiter {delimiter!r} structures CSV itself")
    if any(line.count(delimiter) >= MOST_COLUMNS for line in text.splitlines()):
        raise ConversionError("csv_too_large", f"a record has more than {MOST_COLUMNS} columns")
    rows = enumerate(_rows(text, delimiter), 1)
    start, first = next((record for record in rows if any(record[1])), (1, []))
    header = declared.get_param("header") or ("present" if _is_header(first) else "absent")
    names = (
        [f' name="{attribute(name.strip())}"' if name.strip() else "" for name in first] if header == "present" else []
    )
    records = rows if header == "present" else chain([(start, first)], rows)
    out = ['<?xml version="1.0" encoding="UTF-8"?>\n<csv>\n']
    out.extend(_written(records, names))
    out.append("</csv>\n")
    return "".join(out).encode()


def _decoded(payload: bytes, charset: str) -> str:
    marked = [encoding for mark, encoding in _BYTE_ORDER_MARKS if payload.startswith(mark)]
    # Windows-1252 leaves five bytes undefined; Latin-1 has them as control characters, which are then refused.
    for encoding in [charset] if charset else (marked or ["utf-8", "cp1252", "latin-1"]):
        try:
            text = payload.decode(encoding).removeprefix("\ufeff")
        except (UnicodeError, LookupError):
            continue
        found = ILLEGAL.search(text)
        if found is not None:
            line = text.count("\n", 0, found.start()) + 1
            raise ConversionError("csv_syntax", f"line {line}: the character U+{ord(found[0]):04X} is not allowed")
        return text
    raise ConversionError("csv_charset", f"the file is not in {charset or marked[0]}, as declared")


def _delimiter(text: str) -> str:
    """Return the delimiter that gives the same number of columns, and the more the better, to the most records."""
    sample = text[:_SAMPLE_CHARACTERS]

    def fitness(delimiter: str) -> tuple[bool, int, int]:
        reader = csv.reader(StringIO(sample, newline=""), delimiter=delimiter)
        try:
            widths = Counter(len(row) for row in islice(reader, _SAMPLE_ROWS) if row)
        except csv.Error:
            return False, 0, 0
        width, records = max(widths.items(), key=lambda item: (item[1], item[0]), default=(0, 0))
        return width > 1, records, width

    return max(_DELIMITERS, key=fitness)


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for number, row in enumerate(reader, 1):
            if number > MOST_ROWS:
                raise ConversionError("csv_too_large", f"the file has more than {MOST_ROWS} records; split it")
            yield row
    except csv.Error as error:
        raise ConversionError("csv_syntax", f"line {reader.line_num}: {error}") from None


def _is_header(row: list[str]) -> bool:
    names = [name.strip() for name in row]
    # Where every line ends with a delimiter, the last name is empty.
    while names and not names[-1]:
        names.pop()
    return bool(names) and len(set(names)) == len(names) and not any(not name or _NUMBER.match(name) for name in names)


def _written(records: Iterable[tuple[int, list[str]]], names: list[str]) -> Iterator[str]:
    for index, row in records:
        cells = [
            f'<cell col="{col}"{names[col - 1] if col <= len(names) else ""}>{content(cell)}</cell>'
            for col, cell in enumerate(row, 1)
            if cell
        ]
        if cells:
            yield f'<row index="{index}">{"".join(cells)}</row>\n'
