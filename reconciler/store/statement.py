"""Statements that every input needs: compiled once for each kind of database, and run by its driver itself.

What SQLAlchemy does around every execution takes several times as long as the statements themselves. So the hot ones
are written in SQLAlchemy Core as all others, in one transaction with them, and only their execution goes past it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, SelectBase, Table, UpdateBase
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

Row = tuple[Any, ...]
Query = SelectBase | UpdateBase
_Values = Mapping[str, Any]
_Processor = Callable[[Any], Any]


class Statement:
    """A statement with named parameters.

    `build` may depend on the database's name; `columns` are what an INSERT gives values to, where it does not say so.
    """

    def __init__(self, build: Query | Callable[[str], Query], columns: Iterable[str] | None = None) -> None:
        self._build = build
        self._columns = None if columns is None else list(columns)
        self._compiled: dict[str, _Compiled] = {}

    def run(self, tx: Connection, values: _Values = {}) -> int:  # noqa: B006 - never changed
        """Execute it; return how many rows it changed."""
        changed: int = self._for(tx).execute(tx, values).rowcount
        return changed

    def run_many(self, tx: Connection, rows: Sequence[_Values]) -> None:
        """Execute it for each of the rows."""
        self._for(tx).execute_many(tx, rows)

    def first(self, connection: Connection, values: _Values = {}) -> Row | None:  # noqa: B006 - never changed
        """Execute it and return its first row, or None."""
        compiled = self._for(connection)
        row = compiled.execute(connection, values).fetchone()
        return None if row is None else compiled.converted(row)

    def all(self, connection: Connection, values: _Values = {}) -> list[Row]:  # noqa: B006 - never changed
        """Execute it and return its rows."""
        compiled = self._for(connection)
        return [compiled.converted(row) for row in compiled.execute(connection, values)]

    def _for(self, connection: Connection) -> "_Compiled":
        dialect = connection.dialect
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            build = self._build if isinstance(self._build, Query) else self._build(dialect.name)
            compiled = self._compiled[dialect.name] = _Compiled(build, self._columns, dialect)
        return compiled


def insertion(table: Table) -> list[str]:
    """Return the names of the columns that an INSERT of a whole row gives values to."""
    return [column.name for column in table.columns]


class _Compiled:
    """A statement in the words of one database, with what turns values into the driver's and back."""

    def __init__(self, statement: Query, columns: list[str] | None, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect, column_keys=columns)
        self._text = compiled.string
        self._dialect = dialect
        self._positions = compiled.positiontup
        binds = [(name, bind, _processor(bind.type, dialect)) for bind, name in compiled.bind_names.items()]
        self._binds = [(name, convert) for name, bind, convert in binds if bind.required]
        self._constants = {
            name: convert(bind.effective_value) if convert else bind.effective_value
            for name, bind, convert in binds
            if not bind.required
        }
        converters = [
            column.type.dialect_impl(dialect).result_processor(dialect, None) for column in statement.exported_columns
        ]
        self._results = [(index, convert) for index, convert in enumerate(converters) if convert is not None]

    def execute(self, connection: Connection, values: _Values) -> Any:  # noqa: ANN401 - the driver's cursor
        """Execute it in the connection's transaction."""
        try:
            return _driver(connection).execute(self._text, self._parameters(values))
        except self._errors as error:
            raise self._wrapped(error) from error

    def execute_many(self, connection: Connection, rows: Iterable[_Values]) -> None:
        """Execute it for each row."""
        try:
            _driver(connection).cursor().executemany(self._text, [self._parameters(row) for row in rows])
        except self._errors as error:
            raise self._wrapped(error) from error

    def converted(self, row: Row) -> Row:
        """Return a row with the values that its columns' types stand for."""
        if not self._results:
            return row
        values = list(row)
        for index, convert in self._results:
            values[index] = convert(values[index])
        return tuple(values)

    @property
    def _errors(self) -> type[Exception]:
        errors: type[Exception] = self._dialect.loaded_dbapi.Error
        return errors

    def _wrapped(self, error: Exception) -> BaseException:
        return DBAPIError.instance(self._text, None, error, self._errors, hide_parameters=True, dialect=self._dialect)

    def _parameters(self, values: _Values) -> Any:  # noqa: ANN401 - by position or by name, as the driver wants them
        given = dict(self._constants)
        for name, convert in self._binds:
            given[name] = values[name] if convert is None else convert(values[name])
        return given if self._positions is None else [given[name] for name in self._positions]


def _processor(type_: TypeEngine[Any], dialect: Dialect) -> _Processor | None:
    return type_.dialect_impl(dialect).bind_processor(dialect)


def _driver(connection: Connection) -> Any:  # noqa: ANN401 - sqlite3's or psycopg's connection
    return connection.connection.driver_connection
