"""Dictionaries: CSV files with a UUID for every record and every column, that maps look values up in.

    record,gln:8a1e…,name:51b0…
    0b6c…,4829900003227,Acme Retail

The first line names the columns: `record` first, which holds the records' UUIDs, then each column as `NAME`,
`NAME:UUID` or a UUID. The character after `record` separates the cells.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Self
from uuid import UUID

from reconciler.errors import ConversionError

_RECORD = "record"
_SEPARATORS = ",;\t|"


class DictionaryFault(NamedTuple):
    """One mistake in a dictionary's file; lines count from 1."""

    line: int
    message: str


class DictionaryError(ConversionError):
    """A dictionary's file cannot be used."""

    def __init__(self, faults: Sequence[DictionaryFault]) -> None:
        self.faults = tuple(faults)
        super().__init__("dictionary_invalid", "; ".join(f"line {one.line}: {one.message}" for one in faults))


class Table:
    """One dictionary. Where several records have the same value in a column, the first is found."""

    def __init__(self, columns: Mapping[str, int], records: Sequence[Sequence[str]]) -> None:
        self._columns, self._records = columns, records
        self._found: dict[int, dict[str, Sequence[str]]] = {}

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """Read a dictionary's CSV, in UTF-8. Raises DictionaryError with all its faults."""
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise DictionaryError([DictionaryFault(line, "the file is not UTF-8")]) from None
        separator = text[len(_RECORD) : len(_RECORD) + 1]
        if not text.lower().startswith(_RECORD) or separator not in _SEPARATORS or not separator:
            raise DictionaryError([DictionaryFault(1, "the first line must be `record` and the columns' names")])
        reader = csv.reader(text.splitlines(keepends=True), delimiter=separator, strict=True)
        faults: list[DictionaryFault] = []
        records: dict[str, Sequence[str]] = {}
        columns: dict[str, int] = {}
        try:
            header = next(reader)
            columns = _columns(header, faults)
            for row in reader:
                if any(row):
                    _add(records, row, len(header), reader.line_num, faults)
        except csv.Error as error:
            faults.append(DictionaryFault(reader.line_num, str(error)))
        if faults:
            raise DictionaryError(faults)
        return cls(columns, tuple(records.values()))

    def value(self, column_of_value: str, value: str, column_to_find: str) -> str | None:
        """Return the value in `column_to_find` of the record with `value`; columns are UUIDs or names.

        Raises ConversionError `column_unknown`.
        """
        wanted = self._column(column_to_find)
        record = self._record(column_of_value, value)
        return None if record is None else record[wanted]

    def record(self, column: str, value: str) -> str | None:
        """Return the UUID of the record with `value` in `column`. Raises ConversionError `column_unknown`."""
        record = self._record(column, value)
        return None if record is None else record[0]

    def _record(self, column: str, value: str) -> Sequence[str] | None:
        index = self._column(column)
        if index not in self._found:
            # From the last to the first, so that the first stays.
            self._found[index] = {record[index]: record for record in reversed(self._records)}
        return self._found[index].get(value)

    def _column(self, column: str) -> int:
        index = self._columns.get(_uuid(column) or column)
        if index is None:
            raise ConversionError("column_unknown", f"the dictionary has no column '{column}'")
        return index


class Dictionaries:
    """The dictionaries that a map can name, by UUID or by name."""

    def __init__(self, tables: Iterable[tuple[UUID, str, Table]]) -> None:
        self._tables: dict[str, Table] = {}
        for uuid, name, table in tables:
            self._tables[str(uuid)] = table
            self._tables.setdefault(name, table)

    def table(self, dictionary: str) -> Table:
        """Return a dictionary. Raises ConversionError `dictionary_unknown`."""
        table = self._tables.get(_uuid(dictionary) or dictionary)
        if table is None:
            raise ConversionError("dictionary_unknown", f"there is no dictionary '{dictionary}'")
        return table


def _columns(header: Sequence[str], faults: list[DictionaryFault]) -> dict[str, int]:
    columns: dict[str, int] = {_RECORD: 0}
    for index, cell in enumerate(header[1:], start=1):
        name, _, last = cell.strip().rpartition(":")
        uuid = _uuid(last)
        names = [one for one in ((name, uuid) if uuid else (cell.strip(),)) if one]
        if not names:
            faults.append(DictionaryFault(1, f"column {index + 1} has no name"))
        for one in names:
            if one in columns:
                faults.append(DictionaryFault(1, f"the column '{one}' is there twice"))
            columns[one] = index
    return columns


def _add(
    records: dict[str, Sequence[str]], row: Sequence[str], width: int, line: int, faults: list[DictionaryFault]
) -> None:
    uuid = _uuid(row[0].strip())
    if uuid is None:
        faults.append(DictionaryFault(line, f"'{row[0]}' is no UUID of a record"))
    elif uuid in records:
        faults.append(DictionaryFault(line, f"the record {uuid} is there twice"))
    elif len(row) != width:
        faults.append(DictionaryFault(line, f"the record has {len(row)} cells, the first line {width}"))
    else:
        records[uuid] = (uuid, *row[1:])


def _uuid(text: str) -> str | None:
    try:
        return str(UUID(text))
    except ValueError:
        return None
