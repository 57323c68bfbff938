"""House-keeping: what is over and named by nothing is forgotten, by one of all nodes at a time."""

import logging
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from reconciler.store.archive import Archive, nowhere
from reconciler.store.database import Store
from reconciler.store.forgetting import forget_audit, forget_log, forget_payloads
from reconciler.store.retention import collect, collect_strays, forget_done_jobs

RETENTION = timedelta(days=30)
"""How long payloads that nothing names and jobs that are done are kept."""

INTERVAL = timedelta(hours=1)
"""How often house is kept."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Memory:
    """For how long what was done is remembered (None: for ever), and the folder that it is written into before."""

    log: timedelta | None = None
    payloads: timedelta | None = None
    audit: timedelta | None = None
    archive: Path | None = None


class Keeping:
    """Keeps house, for whoever is elected to."""

    def __init__(self, store: Store, *, retention: timedelta = RETENTION, memory: Memory | None = None) -> None:
        self._store = store
        self._retention = retention
        self._memory = memory or Memory()

    def keep_house(self) -> None:
        """Forget what is over."""
        self._forget()
        jobs = forget_done_jobs(self._store, older_than=self._retention)
        strays = collect_strays(self._store)
        # Last, because it can take long.
        collected = collect(self._store, older_than=min(self._retention, self._memory.payloads or self._retention))
        if collected.payloads or strays.payloads or jobs:
            size = collected.size + strays.size
            _log.info("forgot %d payloads (%d bytes) and %d jobs", collected.payloads + strays.payloads, size, jobs)

    def _forget(self) -> None:
        """Forget what was done long enough ago, written into the archive before."""
        memory = self._memory
        keep = nowhere if memory.archive is None else Archive(self._store, memory.archive)
        if memory.log is not None:
            records = forget_log(self._store, older_than=memory.log, keep=keep)
            if records:
                _log.info("forgot %d records of the log", records)
        if memory.payloads is not None:
            payloads = forget_payloads(self._store, older_than=memory.payloads, keep=keep)
            if payloads:
                _log.info("forgot the payloads of %d records", payloads)
        if memory.audit is not None:
            forget_audit(self._store, older_than=memory.audit, keep=keep)
