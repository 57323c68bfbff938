"""Learning that another connection has committed work: LISTEN on PostgreSQL, the data version on SQLite."""

import time
from collections.abc import Iterator
from contextlib import closing
from threading import Event

from sqlalchemy import Engine

CHANNEL = "reconciler_jobs"
"""The notification that a transaction which leaves work to be done sends when it commits."""

_LOOK = 0.05
"""Seconds between two looks at the data version of a SQLite database; a look costs a few microseconds."""

_PATIENCE = 0.5
"""Seconds that waiting for a notification lasts at a time, so that stopping is noticed."""


def commits(engine: Engine, stopping: Event) -> Iterator[None]:
    """Yield whenever others may have left work, until `stopping`. Raises the driver's error when the database goes."""
    pooled = engine.raw_connection()
    driver = pooled.driver_connection
    pooled.detach()  # it listens for its whole life, and must not go back to those who do not
    with closing(pooled):
        if driver is None:
            return
        if engine.dialect.name == "postgresql":
            driver.autocommit = True
            driver.execute(f"LISTEN {CHANNEL}")
            while not stopping.is_set():
                for _ in driver.notifies(timeout=_PATIENCE, stop_after=1):
                    yield
            return
        seen = None
        while not stopping.is_set():
            (version,) = driver.execute("PRAGMA data_version").fetchone()
            if version != seen:
                seen = version
                yield
            time.sleep(_LOOK)
