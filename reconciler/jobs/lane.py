"""A lane: threads for jobs of some kinds, fed by one dispatcher that claims as many as there are threads free."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Condition, Event, Thread

from reconciler.errors import LeaseLostError
from reconciler.jobs.bell import Bell
from reconciler.jobs.job import LEASE
from reconciler.store import claims, jobs
from reconciler.store.claims import Waiting
from reconciler.store.database import Store
from reconciler.store.destinations import Limit
from reconciler.store.jobs import Job, JobKind

LONGEST_SLEEP = 0.5
"""Seconds after which an idle dispatcher looks for work even if nothing has told it of any."""

LimitOf = Callable[[str], Limit]
"""Says what a destination may be asked to bear."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Lane:
    """How many threads take jobs of which kinds, so that slow partners keep nobody's conversions waiting.

    Kinds are served in their order. `ahead` jobs are claimed before a thread is free, and more when half of them are
    used, so that quick ones are claimed several at a time and no thread waits for that. After a look that found nothing
    there is none for `pause` seconds.
    """

    kinds: Sequence[JobKind]
    threads: int
    ahead: int = 0
    pause: float = 0.0


class RunningLane:
    """The threads of a lane. `do` does a job, returns the one that follows at once, if any, and never raises."""

    def __init__(
        self, store: Store, lane: Lane, *, owner: str, bell: Bell, limit_of: LimitOf, do: Callable[[Job], Job | None]
    ) -> None:
        self._store = store
        self._lane = lane
        self._owner = owner
        self._bell = bell
        self._limit_of = limit_of
        self._do = do
        self._stopping = Event()
        self._todo: SimpleQueue[Job | None] = SimpleQueue()
        self._held: set[Job] = set()
        self._room = Condition()
        self._last: dict[JobKind, str] = {}
        name = f"worker-{lane.kinds[0]}"
        self.threads = [Thread(target=self._dispatch, name=name, daemon=True)] + [
            Thread(target=self._work, name=f"{name}-{number}", daemon=True) for number in range(lane.threads)
        ]

    def held(self) -> list[Job]:
        """Return the jobs under this lane's leases."""
        with self._room:
            return list(self._held)

    def stop(self) -> None:
        """Claim nothing more; what runs may end."""
        self._stopping.set()
        with self._room:
            self._room.notify()

    def _dispatch(self) -> None:
        while free := self._awaited_room():
            heard = self._bell.heard()
            try:
                claimed = self._claim(free)
            except Exception:  # noqa: BLE001 - a store out of reach or full must not end the thread that waits for it
                _log.exception("the store is out of reach; workers wait for it")
                claimed = []
            for job in claimed:
                self._todo.put(job)
            if not claimed:
                self._stopping.wait(self._lane.pause)
                self._bell.wait(heard, LONGEST_SLEEP)
        for _ in range(self._lane.threads):
            self._todo.put(None)

    def _awaited_room(self) -> int:
        """Wait until it is worth to claim, and return how many jobs there is room for; 0 when this lane is stopped.

        Nothing else wakes the dispatcher meanwhile: with much to do, the bell rings for every input.
        """
        with self._room:
            self._room.wait_for(lambda: self._stopping.is_set() or self._has_room())
            return 0 if self._stopping.is_set() else self._free()

    def _free(self) -> int:
        return self._lane.threads + self._lane.ahead - len(self._held)

    def _has_room(self) -> bool:
        return self._free() >= max(1, self._lane.ahead // 2)

    def _claim(self, free: int) -> list[Job]:
        claimed: list[Job] = []
        with self._store.read() as connection:  # readers wait for nobody; most looks find nothing
            waiting = claims.waiting(connection, self._lane.kinds)
        found = [(kind, self._in_turn(kind, waiting)) for kind in self._lane.kinds]
        if not any(queues for _, queues in found):
            return []
        with self._store.write() as tx:
            for kind, queues in found:
                for queue in queues:
                    if len(claimed) == free:
                        break
                    limit = self._limit_of(queue)
                    more = claims.claim(
                        tx, self._owner, kind, queue, count=free - len(claimed), limit=limit, lease=LEASE
                    )
                    if more:
                        self._last[kind] = queue
                    claimed += more
        with self._room:
            self._held.update(claimed)
        return claimed

    def _in_turn(self, kind: JobKind, found: Sequence[Waiting]) -> list[str]:
        """Return the queues that have room, beginning behind the one that was served last."""
        free = [
            each.queue
            for each in found
            if each.kind == kind and (not each.queue or each.running < self._limit_of(each.queue).concurrency)
        ]
        last = self._last.get(kind, "")
        return [queue for queue in free if queue > last] + [queue for queue in free if queue <= last]

    def _work(self) -> None:
        while (job := self._todo.get()) is not None:
            while job is not None:
                job = self._done(job)
            self._bell.ring()  # the job may have left others to be done

    def _done(self, job: Job) -> Job | None:
        """Do a job; return the one that follows."""
        following = None
        if self._stopping.is_set():
            self._give_back(job)
        else:
            following = self._do(job)
        with self._room:
            self._held.discard(job)  # and no later claim of it, if its lease was lost
            if following is not None:
                self._held.add(following)
            elif self._has_room():
                self._room.notify()
        return following

    def _give_back(self, job: Job) -> None:
        try:
            with self._store.write() as tx:
                jobs.release(tx, job)
        except LeaseLostError:
            return  # another has it already
        except Exception:  # noqa: BLE001 - the lease ends by itself
            _log.exception("job %s could not be given back", job.number)
