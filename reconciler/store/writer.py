"""Transactions of many threads on one SQLite connection, committed in groups: one fsync serves all that wait.

SQLite has one writer at a time. Threads take turns here, in which each works in one open transaction, inside a
savepoint where others worked before it; who finds nobody waiting behind it commits for all. A thread leaves its turn's
`with` only when the commit that holds its work is durable, and gets the commit's error when it is not.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Lock

from sqlalchemy import Connection, Engine

from reconciler.errors import ReconcilerError
from reconciler.store.sessions import DRIVEN
from reconciler.store.statement import driver_of, sqlalchemys_errors

LARGEST_GROUP = 64
"""Transactions that one commit serves; a bound on how long the first of them waits."""

_PATIENCE = 1.0
"""Seconds after which a member looks why its group has not ended."""


class _Group:
    """Transactions that are committed together."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._driver = driver_of(connection)
        # It takes the lock at once: a reader that turns writer midway could be refused instead of waiting.
        self._tell("BEGIN IMMEDIATE")
        self.size = 0
        self.ended = Event()
        self.error: BaseException | None = None

    def is_open(self) -> bool:
        """Say whether the transaction is still there; a full disk, for one, makes SQLite roll all of it back."""
        return bool(self._driver.in_transaction)

    @contextmanager
    def member(self) -> Iterator[Connection]:
        """Yield the transaction to one more of the group, whose part is rolled back by an exception."""
        is_first = self.size == 0
        if not is_first:
            self._tell("SAVEPOINT member")
        try:
            yield self.connection
        except BaseException:
            if self.is_open():
                self._tell("ROLLBACK" if is_first else "ROLLBACK TO member")
            raise
        finally:
            if self.is_open() and not is_first:
                self._tell("RELEASE member")
        self.size += 1

    def end(self) -> None:
        """Commit, and let all members know."""
        try:
            if self.is_open():
                self._tell("COMMIT")
            else:
                self.error = ReconcilerError("The store rolled transactions back; nothing of them was committed.")
        except BaseException as error:  # noqa: BLE001 - every member raises it as its own
            self.error = error
        finally:
            self.ended.set()

    def _tell(self, words: str) -> None:
        """Tell the driver itself: what SQLAlchemy does around a transaction costs more than most statements in it."""
        with sqlalchemys_errors(self.connection):
            self._driver.execute(words)


class GroupingWriter:
    """The one writer of a SQLite database in this process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._turn = Lock()
        self._counting = Lock()
        self._waiting = 0
        self._connection: Connection | None = None
        self._group: _Group | None = None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Yield a transaction that is durable when this ends, or rolled back by an exception."""
        with self._my_turn():
            group = self._group = self._group or self._begin()
            try:
                with group.member() as connection:
                    yield connection
            finally:
                self._settle(group)
        while not group.ended.wait(_PATIENCE):
            # Whoever was to commit was interrupted before its turn.
            with self._turn:
                if self._group is group:
                    self._settle(group)
        if group.error is not None:
            raise group.error

    @contextmanager
    def unchecked(self) -> Iterator[Connection]:
        """Yield a transaction of its own in which no foreign key is checked; durable when this ends, or rolled back."""
        with self._my_turn():
            if self._group is not None:
                before, self._group = self._group, None
                before.end()
                if before.error is not None:
                    self._discard()
            connection = self._engine.connect().execution_options(**{DRIVEN: True})
            try:
                driver_of(connection).execute("PRAGMA foreign_keys = OFF")
                group = _Group(connection)
                try:
                    with group.member():
                        yield connection
                finally:
                    group.end()
            finally:
                connection.invalidate()  # nobody else is to get it
                connection.close()
        if group.error is not None:
            raise group.error

    def close(self) -> None:
        """Give the connection back, so that it can be closed."""
        with self._turn:
            self._discard()

    @contextmanager
    def _my_turn(self) -> Iterator[None]:
        with self._counting:
            self._waiting += 1
        try:
            self._turn.acquire()
        finally:
            with self._counting:
                self._waiting -= 1
        try:
            yield
        finally:
            self._turn.release()

    def _begin(self) -> _Group:
        """Begin a group on the connection that is kept from one to the next."""
        if self._connection is None:
            self._connection = self._engine.connect().execution_options(**{DRIVEN: True})
            # What a savepoint would take back; a group soon has more than the 64 kB behind which it goes into a file.
            driver_of(self._connection).execute("PRAGMA temp_store = MEMORY")
        try:
            return _Group(self._connection)
        except BaseException:
            self._discard()
            raise

    def _settle(self, group: _Group) -> None:
        """Commit, unless somebody is about to add to the group."""
        if not group.is_open() or self._waiting == 0 or group.size >= LARGEST_GROUP:
            self._group = None
            group.end()
            if group.error is not None:
                self._discard()

    def _discard(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):  # what could not be committed cannot always be rolled back either
                connection.close()
