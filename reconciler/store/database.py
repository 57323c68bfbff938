"""One store: a database, a folder of large payloads, a key for secrets."""

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Dialect, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from reconciler.errors import ReconcilerError
from reconciler.store import credentials
from reconciler.store.blobs import Blobs
from reconciler.store.keyring import Keyring
from reconciler.store.migrations import upgrade
from reconciler.store.moment import STEADY_NOW, steady_now
from reconciler.store.sessions import DRIVEN, Sessions
from reconciler.store.shelf import Shelf
from reconciler.store.statement import Statement
from reconciler.store.writer import GroupingWriter

BUSY_TIMEOUT = 30.0
"""Seconds that a SQLite connection waits for another process's transaction."""

_PATIENCE = {
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""Seconds (and, last, milliseconds) in which a PostgreSQL server that is gone without a word is given up."""


class Store:
    """What the gateway remembers. Safe to use from several threads; each transaction belongs to one.

    `url` is a database URL; without one, a SQLite database in `folder`. `payloads` is the URL of an object store for
    large payloads; without one they lie in `folder`. The schema is brought up to date on opening.
    """

    def __init__(self, folder: Path, url: str | None = None, payloads: str | None = None) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder
        self.blobs = Blobs(folder, _shelf(payloads, folder))
        self.payloads_are_shared = payloads is not None
        if url is None:
            # SQLite's other files have the mode of this one, whatever the folder's is.
            (folder / "state.db").touch(mode=0o600)
        self.engine = _engine(url or f"sqlite:///{folder / 'state.db'}")
        self._sessions = Sessions(self.engine)
        # SQLite has one writer at a time; threads of one process queue here rather than poll the file.
        self._writer = GroupingWriter(self.engine) if self.engine.dialect.name == "sqlite" else None
        try:
            with self.locked("upgrade"):
                upgrade(self.engine)
        except BaseException:
            self.engine.dispose()
            raise

    @cached_property
    def keyring(self) -> Keyring:
        """The key to the secrets; whoever needs none of them, needs no key.

        Raises ReconcilerError when it is not there, or not the one that the secrets were encrypted with.
        """
        with self.read() as connection:
            return Keyring.of(self.folder, credentials.any_ciphertext(connection))

    def write(self) -> AbstractContextManager[Connection]:
        """Return a transaction that is durable when its context ends, or rolled back by an exception."""
        return self._writer.transaction() if self._writer else self._sessions.writing()

    def write_unchecked(self) -> AbstractContextManager[Connection]:
        """Return a transaction as `write` does, in which SQLite checks no foreign key.

        To delete a payload it would read each table that could name it, row by row, because none has an index for that:
        whoever deletes many looks himself, and for all at once. Nobody else writes meanwhile.
        """
        return self._writer.unchecked() if self._writer else self._sessions.writing()

    def read(self) -> AbstractContextManager[Connection]:
        """Return a connection that sees one moment of the database while its context lasts."""
        return self._sessions.reading()

    @contextmanager
    def locked(self, name: str, *, wait: bool = True) -> Iterator[None]:
        """Hold a lock that other processes with this folder respect and that dies with this process.

        Raises ReconcilerError when it is taken and `wait` is False.
        """
        with (self.folder / f"{name}.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ReconcilerError(
                    f"Another process holds {name} of {self.folder}; only one at a time may. Stop it first."
                ) from None
            yield

    def close(self) -> None:
        """Close all connections."""
        if self._writer is not None:
            self._writer.close()
        self._sessions.close()
        self.engine.dispose()


def _shelf(payloads: str | None, folder: Path) -> Shelf | None:
    if payloads is None:
        return None
    # Imported here because most stores have no use for it.
    try:
        from reconciler.store.object_shelf import ObjectShelf  # noqa: PLC0415
    except ModuleNotFoundError as error:
        message = f"An object store for payloads needs {error.name}: pip install 'reconciler[objects]'"
        raise ReconcilerError(message) from error
    return ObjectShelf(payloads, folder / "spool")


def _engine(url: str) -> Engine:
    try:
        kind = make_url(url).get_backend_name()
    except (ArgumentError, ValueError):
        # What SQLAlchemy says of it quotes it, and it may have a password.
        raise ReconcilerError("The store's URL is none; write postgresql://USER@HOST:PORT/DATABASE") from None
    if kind == "postgresql":
        return _postgresql_engine(url)
    if kind != "sqlite":
        raise ReconcilerError(f"A store lives in SQLite or PostgreSQL, not in {kind}.")
    engine = create_engine(
        url, connect_args={"timeout": BUSY_TIMEOUT}, pool_size=20, max_overflow=20, hide_parameters=True
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _postgresql_engine(url: str) -> Engine:
    # Imported here because a store in SQLite does without the driver.
    try:
        from reconciler.store.pipelining import PipeliningConnection  # noqa: PLC0415
    except ModuleNotFoundError as error:
        message = f"A store in PostgreSQL needs {error.name}: pip install 'reconciler[postgresql]'"
        raise ReconcilerError(message) from error

    engine = create_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        hide_parameters=True,
        connect_args=_PATIENCE,
        pool_size=20,
        max_overflow=20,
        pool_pre_ping=True,
    )

    def connected(_dialect: Dialect, _entry: ConnectionPoolEntry, given: list[Any], named: dict[str, Any]) -> Any:  # noqa: ANN401 - a connection that it has no type for
        return PipeliningConnection.opened(*given, **named)

    event.listen(engine, "do_connect", connected)
    return engine


_BEGIN_WRITING = Statement(text("BEGIN IMMEDIATE").columns())
_BEGIN_READING = Statement(text("BEGIN").columns())


def _prepare_sqlite(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # transactions begin where _begin_sqlite says, not where the driver guesses
    # The log is carried over when the first table of its index is full (4,062 pages): a quarter as often as by default.
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 4000", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")
    connection.create_function(STEADY_NOW, 0, steady_now)


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the lock at once: a reader that turns writer midway could be refused instead of waiting.
    options = connection.get_execution_options()
    if not options.get(DRIVEN):
        (_BEGIN_WRITING if options.get("writes") else _BEGIN_READING).run(connection)
