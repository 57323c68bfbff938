"""Electing one of all nodes, by an advisory lock of the database that dies with its holder's connection."""

import re
from contextlib import suppress
from typing import Any

from sqlalchemy import Engine

from reconciler.errors import ReconcilerError

NODE = re.compile(r"[A-Za-z0-9._-]{1,100}")
"""What a node may be called."""

# The database notices within seven seconds that a holder's machine is gone without a word, and frees the lock.
_SETTINGS = ("tcp_keepalives_idle = 3", "tcp_keepalives_interval = 2", "tcp_keepalives_count = 2")


class Election:
    """Whether this process is the one that may do what `name` stands for.

    A SQLite store has one gateway, which is always elected.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self._name = f"reconciler {name}"
        self._alone = engine.dialect.name == "sqlite"
        self._driver: Any = None

    def is_won(self) -> bool:
        """Say whether this process holds the lock, after trying to get it; False as well with no database."""
        if self._alone:
            return True
        try:
            if self._driver is None:
                self._driver = self._connected()
            # Got once, it is got again each time; the connection is what holds it.
            cursor = self._driver.execute("SELECT pg_try_advisory_lock(hashtext(%s))", (self._name,))
            won: bool = cursor.fetchone()[0]
        except Exception:  # noqa: BLE001 - whatever the driver says: without a connection there is no lock
            self.resign()
            return False
        return won

    def resign(self) -> None:
        """Let another be elected."""
        if self._driver is not None:
            with suppress(Exception):  # a connection that is broken holds no lock
                self._driver.close()
            self._driver = None

    def _connected(self) -> Any:  # noqa: ANN401 - the driver's connection, which has no type in common
        pooled = self._engine.raw_connection()
        driver: Any = pooled.driver_connection
        pooled.detach()
        driver.autocommit = True
        for setting in _SETTINGS:
            driver.execute(f"SET {setting}")
        return driver


def check_node(name: str) -> str:
    """Return a node's name as it is. Raises ReconcilerError when it cannot be one."""
    if not NODE.fullmatch(name):
        raise ReconcilerError(f"'{name}' is no name for a node: letters, digits, dots, dashes, underscores, 1 to 100.")
    return name
