"""What one of all nodes does now and then: another takes it over when that one is gone."""

import logging
from collections.abc import Callable
from datetime import timedelta
from threading import Event, Thread
from time import monotonic

from sqlalchemy import Engine

from reconciler.store.election import Election

TAKEOVER = 2.0
"""Seconds between two tries to be elected."""

_log = logging.getLogger(__name__)


class Elected:
    """The thread that does `work` every so often while this process is elected to what `name` stands for.

    The first time is due an `interval` from the start, so that a restart is not slowed down. An error of the work is
    logged; the next time is another chance.
    """

    def __init__(self, engine: Engine, name: str, work: Callable[[], object], *, interval: timedelta) -> None:
        self._election = Election(engine, name)
        self._name = name
        self._work = work
        self._interval = interval.total_seconds()
        self._stopping = Event()
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, grace: float) -> None:
        """Let another node be elected once the work, if it is being done, has ended; wait `grace` seconds for that."""
        self._stopping.set()
        self._thread.join(grace)

    def _run(self) -> None:
        due = monotonic() + self._interval
        while not self._stopping.wait(min(TAKEOVER, self._interval)):
            if self._election.is_won() and monotonic() >= due:
                due = monotonic() + self._interval
                try:
                    self._work()
                except Exception:  # noqa: BLE001 - the next time is another chance
                    _log.exception("%s failed", self._name)
        self._election.resign()
