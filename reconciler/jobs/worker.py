"""Workers: claim jobs under leases, have them handled, record what became of them.

A handler ends its job itself, in the transaction of the job's effects. What it raises is recorded with the job, which
gives its place back and is due again later, or is given up: then the handler gives the input the final state that says
why.
"""

import logging
import os
import socket
from collections.abc import Mapping, Sequence
from datetime import timedelta
from random import random
from threading import Event, Thread
from time import monotonic
from typing import Protocol
from uuid import uuid4

from reconciler.errors import LeaseLostError, ReconcilerError
from reconciler.jobs.bell import Bell
from reconciler.jobs.job import LEASE, FinalError, LaterError, is_poisoned, is_suspected, retry_in
from reconciler.jobs.lane import Lane, LimitOf, RunningLane
from reconciler.jobs.measures import DEAD_LETTERS, JOB_SECONDS, RETRIES
from reconciler.jobs.tracing import Tracer, untold
from reconciler.store import claims, destinations, jobs
from reconciler.store.database import Store
from reconciler.store.jobs import Job, JobKind
from reconciler.store.wake import commits

TICK = 0.25
"""Seconds between two looks for jobs that have come due and for leases that have ended."""

LONGEST_STEP = 1.0
"""Seconds that what runs beside the jobs needs at most to notice that it is stopped."""

_log = logging.getLogger(__name__)


class Handler(Protocol):
    """Does the work of one kind of job."""

    def handle(self, job: Job) -> Job | None:
        """Do the work and end the job, in one transaction; return the job that follows at once, if it began one."""
        ...

    def give_up(self, job: Job, error: str) -> None:
        """End a job that will not be tried again, in one transaction with what says so."""
        ...


class Workers:
    """The threads of all lanes. `node` is the name under which leases are held and, after a restart, released."""

    def __init__(
        self,
        store: Store,
        handlers: Mapping[JobKind, Handler],
        lanes: Sequence[Lane],
        *,
        bell: Bell,
        limit_of: LimitOf,
        node: str = "",
        tracer: Tracer = untold,
    ) -> None:
        self._store = store
        self._tracer = tracer
        self._handlers = handlers
        self._bell = bell
        self._node = node or socket.gethostname()
        self._owner = f"{self._node}/{os.getpid()}-{uuid4().hex[:8]}"
        self._lanes = [
            RunningLane(store, lane, owner=self._owner, bell=bell, limit_of=limit_of, do=self._do) for lane in lanes
        ]
        self._beside = [
            Thread(target=target, name=f"worker-{name}", daemon=True)
            for name, target in (("leases", self._renew), ("clock", self._keep_time), ("wake", self._listen))
        ]
        self._stopping = Event()  # claim nothing more
        self._stopped = Event()  # nothing runs any more

    def start(self) -> None:
        """Release what died with an earlier process of this node, and begin to work."""
        with self._store.write() as tx:
            claims.release_node(tx, self._node)
        for thread in (*self._beside, *(thread for lane in self._lanes for thread in lane.threads)):
            thread.start()

    def stop(self, grace: float) -> None:
        """Claim nothing more, let what runs end for `grace` seconds, and give back what does not."""
        self._stopping.set()
        for lane in self._lanes:
            lane.stop()
        self._bell.ring()
        deadline = monotonic() + grace
        for thread in (thread for lane in self._lanes for thread in lane.threads):
            thread.join(max(0.0, deadline - monotonic()))
        self._stopped.set()
        if self.held():
            self._give_back()
        for thread in self._beside:
            thread.join(max(LONGEST_STEP, deadline - monotonic()))

    def _give_back(self) -> None:
        """Free what could not end in time, so that nobody waits for its lease, and nobody takes it for deadly."""
        try:
            with self._store.write() as tx:
                claims.give_back(tx, self._owner)
        except Exception:  # noqa: BLE001 - the leases end by themselves
            _log.exception("what did not end in time could not be given back")

    def held(self) -> list[Job]:
        """Return the jobs under the leases of this process."""
        return [job for lane in self._lanes for job in lane.held()]

    def require_alive(self) -> None:
        """Raise ReconcilerError when a thread that works has ended though nobody stopped it."""
        ended = [thread.name for lane in self._lanes for thread in lane.threads if not thread.is_alive()]
        if ended:
            raise ReconcilerError(f"{', '.join(ended)} ended; what is due waits until the gateway is restarted")

    # --- one job ---------------------------------------------------------------------------------------------------

    def _do(self, job: Job) -> Job | None:
        with (
            self._tracer(job.kind, parent=job.trace, subject=job.subject),
            JOB_SECONDS.labels(job.kind).time(),
        ):
            return self._try(job)

    def _try(self, job: Job) -> Job | None:
        handler = self._handlers[job.kind]
        try:
            if is_poisoned(job):
                self._give_up(job, handler, "it ended its worker each time it was tried")
                return None
            if is_suspected(job):
                with self._store.write() as tx:
                    job = jobs.begin_trial(tx, job)
            following = handler.handle(job)
            self._destination_answered(job)
        except LeaseLostError as error:
            _log.warning("%s; what this one did was not committed", error)
        except Exception as error:  # noqa: BLE001 - whatever a job raises must end that job, never its worker
            self._try_to_record(job, handler, error)
        else:
            return following
        return None

    def _try_to_record(self, job: Job, handler: Handler, error: Exception) -> None:
        try:
            self._failed(job, handler, error)
        except LeaseLostError as lost:
            _log.warning("%s; it failed here meanwhile: %s", lost, error)
        except Exception:  # noqa: BLE001 - the store is out of reach; the lease ends, and the job is claimed again
            _log.exception("what became of %s %s could not be recorded", job.kind, job.subject)

    def _failed(self, job: Job, handler: Handler, error: Exception) -> None:
        pause = _due_again(job, error)
        # What a partner or a server does wrong is said in a line; only what nobody foresaw shows where it happened.
        foreseen = isinstance(error, ReconcilerError | OSError)
        _log.warning("%s %s failed: %s", job.kind, job.subject, error, exc_info=not foreseen)
        answered = isinstance(error, FinalError)
        if job.queue and not answered:
            self._destination_failed(job)
        if pause is None:
            self._give_up(job, handler, str(error) or type(error).__name__)
        else:
            with self._store.write() as tx:
                jobs.fail(tx, job, error=str(error), retry_in=pause)
            RETRIES.labels(job.kind).inc()
        if answered:
            self._destination_answered(job)

    def _give_up(self, job: Job, handler: Handler, error: str) -> None:
        """Have a job given up; one that cannot even be given up is dead, so that it comes back to nobody."""
        try:
            handler.give_up(job, error)
        except LeaseLostError:
            raise
        except Exception as second:  # noqa: BLE001 - recorded with the job, which is dead
            _log.exception("%s %s could not be given up", job.kind, job.subject)
            with self._store.write() as tx:
                jobs.fail(tx, job, error=f"{error}; and then: {second}", retry_in=None)
        DEAD_LETTERS.labels(job.kind).inc()
        _log.error("%s %s is given up: %s. See: reconciler job list", job.kind, job.subject, error)

    def _destination_answered(self, job: Job) -> None:
        if not job.queue:
            return
        with self._store.read() as connection:
            troubled = destinations.is_troubled(connection, job.queue)
        if troubled:
            with self._store.write() as tx:
                destinations.answered(tx, job.queue)

    def _destination_failed(self, job: Job) -> None:
        with self._store.write() as tx:
            jobs.require_held(tx, job)
            pause = destinations.failed(tx, job.queue)
        if pause is not None:
            _log.error("%s does not answer; it is left alone for %.0f s", job.queue, pause.total_seconds())

    # --- beside the jobs -------------------------------------------------------------------------------------------

    def _renew(self) -> None:
        """Prolong the leases of what runs, for as long as it runs."""
        while not self._stopped.wait(LEASE.total_seconds() / 3):
            held = self.held()
            if not held:
                continue
            try:
                with self._store.write() as tx:
                    claims.renew(tx, self._owner, held, LEASE)
            except Exception:  # noqa: BLE001 - a job whose lease ends is another's, and commits nothing here
                _log.exception("the leases of %d jobs could not be prolonged", len(held))

    def _keep_time(self) -> None:
        """Make ready what has come due and what was held by the dead."""
        while not self._stopping.wait(TICK):
            try:
                with self._store.read() as connection:
                    overdue = claims.is_anything_overdue(connection)
                if not overdue:
                    continue
                with self._store.write() as tx:
                    moved = claims.come_due(tx) + claims.reap(tx)
                if moved:
                    self._bell.ring()
            except Exception:  # noqa: BLE001 - the next look is another chance
                _log.exception("what has come due could not be looked up")

    def _listen(self) -> None:
        """Ring the bell for what other processes commit."""
        while not self._stopping.is_set():
            try:
                for _ in commits(self._store.engine, self._stopping):
                    self._bell.ring()
            except Exception as error:  # noqa: BLE001 - dispatchers look by themselves until this hears again
                _log.warning("other nodes cannot be heard: %s", error)
                self._stopping.wait(1.0)


def _due_again(job: Job, error: Exception) -> timedelta | None:
    match error:
        case FinalError():
            return None
        case LaterError():
            return None if retry_in(job, jitter=0) is None else error.delay
        case _:
            return retry_in(job, jitter=random())  # noqa: S311 - jitter is no secret
