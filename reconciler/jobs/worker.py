"""Workers: claim a job under a lease, have it handled, record what became of it.

A handler ends its job itself, in the transaction of the job's effects. What it raises is recorded with the job, which
is due again later, or is given up: then the handler gives the input the final state that says why.
"""

import logging
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import random
from threading import Condition, Event, Lock, Thread
from typing import Protocol
from uuid import uuid4

from reconciler.errors import LeaseLostError, ReconcilerError
from reconciler.jobs.job import LEASE, FinalError, LaterError, is_poisoned, retry_at
from reconciler.store import jobs
from reconciler.store.database import Store
from reconciler.store.jobs import Job, JobKind

LONGEST_SLEEP = 0.25
"""Seconds after which an idle worker looks for work that another process left."""

_log = logging.getLogger(__name__)


class Handler(Protocol):
    """Does the work of one kind of job."""

    def handle(self, job: Job) -> None:
        """Do the work and end the job, in one transaction."""
        ...

    def give_up(self, job: Job, error: str) -> None:
        """End a job that will not be tried again, in one transaction with what says so."""
        ...


class Bell:
    """Wakes idle workers when work was committed in this process."""

    def __init__(self) -> None:
        self._condition = Condition()
        self._rings = 0

    def ring(self) -> None:
        """Wake everybody."""
        with self._condition:
            self._rings += 1
            self._condition.notify_all()

    def heard(self) -> int:
        """Return how often the bell has rung so far."""
        return self._rings

    def wait(self, since: int, seconds: float) -> None:
        """Wait until the bell rings after `since`, for so many seconds at most."""
        with self._condition:
            self._condition.wait_for(lambda: self._rings != since, seconds)


@dataclass(frozen=True, slots=True)
class Lane:
    """Threads that take jobs of some kinds, so that slow partners keep nobody's conversions waiting."""

    kinds: Sequence[JobKind]
    threads: int


@dataclass
class Workers:
    """The threads of all lanes."""

    store: Store
    handlers: Mapping[JobKind, Handler]
    lanes: Sequence[Lane]
    bell: Bell
    _stopping: Event = field(default_factory=Event)
    _threads: list[Thread] = field(default_factory=list)
    _held: dict[int, Job] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def start(self) -> None:
        """Begin to work."""
        for lane in self.lanes:
            for number in range(lane.threads):
                name = f"worker-{lane.kinds[0]}-{number}"
                self._threads.append(Thread(target=self._work, args=(lane.kinds,), name=name, daemon=True))
        self._threads.append(Thread(target=self._renew, name="worker-leases", daemon=True))
        for thread in self._threads:
            thread.start()

    def stop(self, grace: float) -> None:
        """Claim nothing more and let what runs end for `grace` seconds; what does not is claimed again later."""
        self._stopping.set()
        self.bell.ring()
        deadline = datetime.now(UTC).timestamp() + grace
        for thread in self._threads:
            thread.join(max(0.0, deadline - datetime.now(UTC).timestamp()))

    def _work(self, kinds: Sequence[JobKind]) -> None:
        owner = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        while not self._stopping.is_set():
            heard = self.bell.heard()
            try:
                job = self._claim(owner, kinds)
                if job is not None:
                    self._do(job)
                    continue
            except Exception:  # noqa: BLE001 - a store out of reach or full must not end the thread that waits for it
                _log.exception("a worker could not reach the store; it goes on")
            self.bell.wait(heard, LONGEST_SLEEP)

    def _claim(self, owner: str, kinds: Sequence[JobKind]) -> Job | None:
        with self.store.read() as connection:  # readers wait for nobody; most looks find nothing
            if not jobs.is_any_due(connection, kinds):
                return None
        with self.store.write() as tx:
            return jobs.claim(tx, owner, kinds, LEASE)

    def _do(self, job: Job) -> None:
        handler = self.handlers[job.kind]
        with self._lock:
            self._held[job.number] = job
        try:
            if is_poisoned(job):
                self._give_up(job, handler, "it ended its worker each time it was tried")
            else:
                handler.handle(job)
        except LeaseLostError as error:
            _log.warning("%s; what this one did was not committed", error)
        except Exception as error:  # noqa: BLE001 - whatever a job raises must end that job, never its worker
            self._failed(job, handler, error)
        finally:
            with self._lock:
                del self._held[job.number]

    def _failed(self, job: Job, handler: Handler, error: Exception) -> None:
        due = _due_again(job, error)
        # What a partner or a server does wrong is said in a line; only what nobody foresaw shows where it happened.
        foreseen = isinstance(error, ReconcilerError | OSError)
        _log.warning("%s %s failed: %s", job.kind, job.subject, error, exc_info=not foreseen)
        if due is None:
            self._give_up(job, handler, str(error) or type(error).__name__)
            return
        with self.store.write() as tx:
            jobs.fail(tx, job, error=str(error), retry_at=due)

    def _give_up(self, job: Job, handler: Handler, error: str) -> None:
        """Have a job given up; one that cannot even be given up is dead, so that it comes back to nobody."""
        try:
            handler.give_up(job, error)
        except LeaseLostError:
            raise
        except Exception as second:  # noqa: BLE001 - recorded with the job, which is dead
            _log.exception("%s %s could not be given up", job.kind, job.subject)
            with self.store.write() as tx:
                jobs.fail(tx, job, error=f"{error}; and then: {second}", retry_at=None)
        self.bell.ring()

    def _renew(self) -> None:
        """Prolong the leases of what runs, for as long as it runs."""
        while not self._stopping.wait(LEASE.total_seconds() / 3):
            with self._lock:
                held = list(self._held.values())
            for job in held:
                try:
                    with self.store.write() as tx:
                        jobs.renew(tx, job, LEASE)
                except LeaseLostError:
                    continue  # it has ended meanwhile, or its commit will fail: either is right
                except Exception:  # noqa: BLE001 - the same
                    _log.exception("the lease on job %s could not be prolonged", job.number)


def _due_again(job: Job, error: Exception) -> datetime | None:
    match error:
        case FinalError():
            return None
        case LaterError():
            last = retry_at(job, now=datetime.now(UTC), jitter=0) is None
            return None if last else error.at
        case _:
            return retry_at(job, now=datetime.now(UTC), jitter=random())  # noqa: S311 - jitter is no secret
