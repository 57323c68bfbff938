"""House-keeping: what is over and named by nothing is forgotten, by one of all nodes at a time."""

import logging
from datetime import timedelta
from threading import Event, Thread
from time import monotonic

from reconciler.store.database import Store
from reconciler.store.election import Election
from reconciler.store.retention import collect, collect_strays, forget_done_jobs

RETENTION = timedelta(days=30)
"""How long payloads that nothing names and jobs that are done are kept."""

INTERVAL = timedelta(hours=1)
TAKEOVER = 2.0
"""Seconds between two tries to be elected."""

_log = logging.getLogger(__name__)


class Keeping:
    """The thread that keeps house while it is elected."""

    def __init__(self, store: Store, *, interval: timedelta = INTERVAL, retention: timedelta = RETENTION) -> None:
        self._store = store
        self._interval = interval.total_seconds()
        self._retention = retention
        self._election = Election(store.engine, "house-keeping")
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="house-keeping", daemon=True)

    def start(self) -> None:
        """Begin; the first round is due an interval from now, so that a restart is not slowed down."""
        self._thread.start()

    def stop(self, grace: float) -> None:
        """Let another node keep house."""
        self._stopping.set()
        self._thread.join(grace)

    def _run(self) -> None:
        due = monotonic() + self._interval
        while not self._stopping.wait(min(TAKEOVER, self._interval)):
            if self._election.is_won() and monotonic() >= due:
                due = monotonic() + self._interval
                self._keep_house()
        self._election.resign()

    def _keep_house(self) -> None:
        try:
            collected = collect(self._store, older_than=self._retention)
            strays = collect_strays(self._store)
            jobs = forget_done_jobs(self._store, older_than=self._retention)
        except Exception:  # noqa: BLE001 - the next round is another chance
            _log.exception("what is over could not be forgotten")
            return
        if collected.payloads or strays.payloads or jobs:
            size = collected.size + strays.size
            _log.info("forgot %d payloads (%d bytes) and %d jobs", collected.payloads + strays.payloads, size, jobs)
