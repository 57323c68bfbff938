"""Connections that are kept from one transaction to the next, of which the driver itself is told.

What SQLAlchemy does to take a connection from its pool, to begin, to end and to give it back costs more than most
transactions do. So its connections are taken once, and it believes each in one long transaction.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from time import monotonic
from typing import Any

from sqlalchemy import Connection, Engine

from reconciler.store.statement import driver_of, sqlalchemys_errors

TRUSTED = 1.0
"""Seconds for which a connection to PostgreSQL that was used is not asked whether it lives.

Asking costs as much as a statement, and whoever meets one that died loses no more than the transaction that would have
lost it a moment ago.
"""

MOST_KEPT = 20
"""Connections that are kept; what was needed beyond them for a moment is given back to the pool."""

DRIVEN = "driven"
"""The execution option of a connection of which the transactions are told to the driver itself."""

_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class Sessions:
    """The connections of one engine. Safe to use from several threads; each transaction belongs to one."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._is_remote = engine.dialect.name == "postgresql"
        self._kept: list[tuple[Connection, float]] = []

    def writing(self) -> AbstractContextManager[Connection]:
        """Return a transaction on PostgreSQL that is durable when its context ends, or rolled back by an exception."""
        return self._transaction(lambda driver: driver.begin("BEGIN"), lambda driver: driver.commit())

    def reading(self) -> AbstractContextManager[Connection]:
        """Return a connection that sees one moment of the database while its context lasts."""
        if self._is_remote:
            return self._transaction(lambda driver: driver.begin(_SNAPSHOT), lambda driver: driver.end_reading())
        return self._transaction(lambda driver: driver.execute("BEGIN"), lambda driver: driver.commit())

    def close(self) -> None:
        """Close what is kept."""
        while self._kept:
            self._give_back(self._kept.pop()[0])

    @contextmanager
    def _transaction(self, begin: Callable[[Any], object], end: Callable[[Any], object]) -> Iterator[Connection]:
        connection = self._taken()
        try:
            driver = driver_of(connection)
            with sqlalchemys_errors(connection):
                begin(driver)
            yield connection
            with sqlalchemys_errors(connection):
                end(driver)
        except BaseException:
            self._give_back(connection)  # which rolls back
            raise
        if len(self._kept) < MOST_KEPT:
            self._kept.append((connection, monotonic()))
        else:
            self._give_back(connection)

    def _taken(self) -> Connection:
        while self._kept:
            try:
                connection, used = self._kept.pop()
            except IndexError:
                break  # another thread was quicker
            if not self._is_remote or monotonic() - used < TRUSTED or self._lives(connection):
                return connection
            self._give_back(connection)
        return self._engine.connect().execution_options(**{DRIVEN: True})

    def _lives(self, connection: Connection) -> bool:
        driver = driver_of(connection)
        try:
            driver.ping()
        except self._engine.dialect.loaded_dbapi.Error:
            connection.invalidate()
            return False
        return True

    def _give_back(self, connection: Connection) -> None:
        with suppress(Exception):  # what is broken cannot always be rolled back; the pool takes it for invalid
            connection.close()
