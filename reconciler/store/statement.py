"""Statements that every input needs: compiled once for each kind of database, and run by its driver itself.

What SQLAlchemy does around every execution takes several times as long as the statements themselves. So the hot ones
are written in SQLAlchemy Core as all others, in one transaction with them, and only their execution goes past it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Dialect, SelectBase, Table, UpdateBase
from sqlalchemy.exc import DBAPIError

Row = tuple[Any, ...]
Query = SelectBase | UpdateBase
_Values = Mapping[str, Any]


class Statement:
    """A statement with named parameters.

    `build` may depend on the database's name; `columns` are what an INSERT gives values to, where it does not say so.
    """

    def __init__(self, build: Query | Callable[[str], Query], columns: Iterable[str] | None = None) -> None:
        self._build = build
        self._columns = None if columns is None else list(columns)
        self._compiled: dict[str, _Compiled] = {}

    def send(self, tx: Connection, values: _Values = {}) -> None:  # noqa: B006 - never changed
        """Execute it before whatever comes next; its error, if there is one, is the transaction's.

        PostgreSQL is told together with the next statement that somebody waits for, or with the end.
        """
        self._for(tx).execute(tx, values)

    def later(self, tx: Connection, values: _Values = {}) -> "Later":  # noqa: B006 - never changed
        """Execute it before whatever comes next, and return what it leads to, which is waited for when it is asked."""
        compiled = self._for(tx)
        return Later(compiled, tx, compiled.execute(tx, values))

    def run(self, tx: Connection, values: _Values = {}) -> int:  # noqa: B006 - never changed
        """Execute it; return how many rows it changed."""
        compiled = self._for(tx)
        return compiled.changed(tx, compiled.execute(tx, values))

    def run_many(self, tx: Connection, rows: Iterable[_Values]) -> None:
        """Execute it for each of the rows, as `send` does."""
        for row in rows:
            self.send(tx, row)

    def first(self, connection: Connection, values: _Values = {}) -> Row | None:  # noqa: B006 - never changed
        """Execute it and return its first row, or None."""
        compiled = self._for(connection)
        return compiled.row(connection, compiled.execute(connection, values))

    def all(self, connection: Connection, values: _Values = {}) -> list[Row]:  # noqa: B006 - never changed
        """Execute it and return its rows."""
        compiled = self._for(connection)
        with sqlalchemys_errors(connection):
            return [compiled.converted(row) for row in compiled.execute(connection, values)]

    def _for(self, connection: Connection) -> "_Compiled":
        dialect = connection.dialect
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            build = self._build if isinstance(self._build, Query) else self._build(dialect.name)
            compiled = self._compiled[dialect.name] = _Compiled(build, self._columns, dialect)
        return compiled


class Later:
    """What a statement leads to, once it is asked."""

    def __init__(self, compiled: "_Compiled", connection: Connection, cursor: Any) -> None:  # noqa: ANN401 - the driver's
        self._compiled = compiled
        self._connection = connection
        # SQLite has it at hand, and cannot commit while a statement has rows that nobody took.
        self._cursor = cursor if compiled.is_sent else _Taken(cursor)

    def changed(self) -> int:
        """Return how many rows it changed."""
        return self._compiled.changed(self._connection, self._cursor)

    def first(self) -> Row | None:
        """Return its first row, or None."""
        return self._compiled.row(self._connection, self._cursor)


class _Taken:
    """What a cursor had to say."""

    def __init__(self, cursor: Any) -> None:  # noqa: ANN401 - the driver's
        self._row: Row | None = cursor.fetchone()
        cursor.fetchall()
        self.rowcount: int = cursor.rowcount

    def fetchone(self) -> Row | None:
        return self._row


def insertion(table: Table) -> list[str]:
    """Return the names of the columns that an INSERT of a whole row gives values to."""
    return [column.name for column in table.columns]


def driver_of(connection: Connection) -> Any:  # noqa: ANN401 - sqlite3's connection, or the one that pipelines
    """Return the driver's connection behind SQLAlchemy's."""
    return connection.connection.driver_connection


@contextmanager
def sqlalchemys_errors(connection: Connection) -> Iterator[None]:
    """Raise the driver's errors as SQLAlchemy raises them."""
    try:
        yield
    except connection.dialect.loaded_dbapi.Error as error:
        raise _wrapped(error, connection) from error


class _Compiled:
    """A statement in the words of one database, with what turns values into the driver's and back."""

    def __init__(self, statement: Query, columns: list[str] | None, dialect: Dialect) -> None:
        self.errors: type[Exception] = dialect.loaded_dbapi.Error
        self.is_sent = dialect.name == "postgresql"
        if self.is_sent:
            dialect = type(dialect)(paramstyle="numeric_dollar")  # type: ignore[call-arg]  # as every dialect of a driver takes it
        compiled = statement.compile(dialect=dialect, column_keys=columns)
        self._text = compiled.string
        binds = {
            name: (bind, bind.type.dialect_impl(dialect).bind_processor(dialect))
            for bind, name in compiled.bind_names.items()
        }
        places = [(place, name, *binds[name]) for place, name in enumerate(compiled.positiontup or ())]
        self._given = [(place, name, convert) for place, name, bind, convert in places if bind.required]
        self._parameters = [
            None if bind.required else convert(bind.effective_value) if convert else bind.effective_value
            for _, _, bind, convert in places
        ]
        converters = [
            column.type.dialect_impl(dialect).result_processor(dialect, None) for column in statement.exported_columns
        ]
        self._results = [(index, convert) for index, convert in enumerate(converters) if convert is not None]

    def execute(self, connection: Connection, values: _Values) -> Any:  # noqa: ANN401 - the driver's cursor
        """Execute it in the connection's transaction."""
        parameters = self._parameters.copy()
        for place, name, convert in self._given:
            parameters[place] = values[name] if convert is None else convert(values[name])
        driver = driver_of(connection)
        try:
            return (driver.send if self.is_sent else driver.execute)(self._text, parameters)
        except self.errors as error:
            raise _wrapped(error, connection) from error

    def changed(self, connection: Connection, cursor: Any) -> int:  # noqa: ANN401 - the driver's
        """Return how many rows it changed."""
        try:
            changed: int = cursor.rowcount
        except self.errors as error:
            raise _wrapped(error, connection) from error
        return changed

    def row(self, connection: Connection, cursor: Any) -> Row | None:  # noqa: ANN401 - the driver's
        """Return its first row, or None."""
        try:
            row = cursor.fetchone()
        except self.errors as error:
            raise _wrapped(error, connection) from error
        return None if row is None else self.converted(row)

    def converted(self, row: Row) -> Row:
        """Return a row with the values that its columns' types stand for."""
        if not self._results:
            return row
        values = list(row)
        for index, convert in self._results:
            values[index] = convert(values[index])
        return tuple(values)


def _wrapped(error: Exception, connection: Connection) -> BaseException:
    dialect = connection.dialect
    # The message says what went wrong where; the statement may be another of those that were sent together.
    return DBAPIError.instance(None, None, error, dialect.loaded_dbapi.Error, hide_parameters=True, dialect=dialect)
