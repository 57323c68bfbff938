"""Workers on a store of their own, with handlers that do as they are told."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from threading import enumerate as enumerate_threads
from time import monotonic, sleep

import pytest

from reconciler.jobs import worker
from reconciler.jobs.bell import Bell
from reconciler.jobs.job import LEASE, FinalError, is_suspected
from reconciler.jobs.lane import Lane
from reconciler.jobs.worker import Workers
from reconciler.store import claims, destinations, jobs
from reconciler.store.database import Store
from reconciler.store.destinations import BREAKER_AFTER, Limit
from reconciler.store.job_states import JobState
from reconciler.store.jobs import Job, JobRow

PATIENCE = 60.0


class Told:
    """A handler that finishes jobs, or does what it is told for a subject first."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.told: dict[str, Callable[[Job], None]] = {}
        self.handled: list[str] = []
        self.following: dict[str, str] = {}
        self.given_up: list[str] = []

    def handle(self, job: Job) -> Job | None:
        self.handled.append(job.subject)
        self.told.get(job.subject, nothing)(job)
        following = self.following.get(job.subject)
        with self._store.write() as tx:
            jobs.finish(tx, job)
            begun = jobs.begin(tx, "receipt", following, owner=job.owner, lease=LEASE) if following else None
        return begun() if begun else None

    def give_up(self, job: Job, error: str) -> None:
        self.given_up.append(job.subject)
        with self._store.write() as tx:
            jobs.fail(tx, job, error=error, retry_in=None)


class Site:
    """A store, its workers and their handler."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.handler = Told(store)
        self.bell = Bell()
        self.workers = Workers(
            store,
            {"receipt": self.handler, "post": self.handler},
            [Lane(("receipt",), 2), Lane(("post",), 4)],
            bell=self.bell,
            limit_of=lambda _: Limit(2),
            node="here",
        )

    def add(self, *subjects: str, queue: str = "", ordered: bool = False) -> None:
        with self.store.write() as tx:
            for subject in subjects:
                jobs.add(tx, "post" if queue else "receipt", subject, queue=queue, ordered=ordered)
        self.bell.ring()

    def die_with_it(self, times: int, *, tried: bool = False) -> None:
        """Be killed while the one job is held that there is: only claimed, or tried already."""
        for _ in range(times):
            with self.store.write() as tx:
                (job,) = claims.claim(tx, "here/1", "receipt", "", count=1, limit=Limit(1), lease=timedelta(minutes=1))
                if tried:
                    jobs.begin_trial(tx, job)
                claims.release_node(tx, "here")
                jobs.hasten(tx, "receipt", job.subject)

    def rows(self) -> dict[str, JobRow]:
        with self.store.read() as connection:
            return {row.subject: row for row in jobs.listed(connection, list(JobState), limit=1000)}

    def await_states(self, **wanted: JobState) -> None:
        self.await_that(lambda: all(self.rows()[subject].state is state for subject, state in wanted.items()))

    def await_that(self, condition: Callable[[], bool]) -> None:
        deadline = monotonic() + PATIENCE
        while not condition():
            assert monotonic() < deadline, self.rows()
            sleep(0.005)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with closing(Store(tmp_path)) as store:
        made = Site(store)
        yield made
        made.workers.stop(PATIENCE)


def nothing(_: Job) -> None:
    """Do nothing special."""


def fails(error: Exception) -> Callable[[Job], None]:
    def fail(_: Job) -> None:
        raise error

    return fail


class TestOutcomes:
    def test_what_is_added_is_done_once(self, site: Site) -> None:
        site.workers.start()
        site.add("a", "b", "c")
        site.await_states(a=JobState.DONE, b=JobState.DONE, c=JobState.DONE)
        assert sorted(site.handler.handled) == ["a", "b", "c"]

    def test_what_follows_a_job_is_done_at_once(self, site: Site) -> None:
        site.handler.following = {"a": "b", "b": "c"}
        site.workers.start()
        site.add("a")
        site.await_states(a=JobState.DONE, b=JobState.DONE, c=JobState.DONE)
        assert site.handler.handled == ["a", "b", "c"]

    def test_what_follows_a_job_is_given_back_when_the_worker_stops(self, site: Site) -> None:
        site.handler.following = {"a": "b"}

        def stop(_: Job) -> None:
            Thread(target=site.workers.stop, args=(PATIENCE,)).start()
            site.await_that(lambda: "worker-receipt" not in {thread.name for thread in enumerate_threads()})

        site.handler.told["a"] = stop
        site.workers.start()
        site.add("a")
        site.await_states(a=JobState.DONE, b=JobState.READY)
        assert site.handler.handled == ["a"]

    def test_a_failure_is_recorded_and_comes_back_later(self, site: Site) -> None:
        site.handler.told["a"] = fails(OSError("no route"))
        site.workers.start()
        site.add("a")
        site.await_states(a=JobState.RETRYING)
        assert (site.rows()["a"].failures, site.rows()["a"].error) == (1, "no route")

    def test_what_cannot_be_mended_is_given_up_at_once(self, site: Site) -> None:
        site.handler.told["a"] = fails(FinalError("refused"))
        site.workers.start()
        site.add("a")
        site.await_states(a=JobState.DEAD)
        assert site.handler.given_up == ["a"]

    def test_what_cannot_even_be_given_up_is_dead(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(site.handler, "give_up", lambda _job, _error: 1 / 0)
        site.handler.told["a"] = fails(FinalError("refused"))
        site.workers.start()
        site.add("a")
        site.await_states(a=JobState.DEAD)
        assert "refused; and then: division by zero" in site.rows()["a"].error

    def test_a_poisoned_job_is_not_tried_again(self, site: Site) -> None:
        site.add("a")
        site.die_with_it(2)
        site.die_with_it(1, tried=True)
        site.workers.start()
        site.await_states(a=JobState.DEAD)
        assert (site.handler.handled, site.handler.given_up) == ([], ["a"])

    def test_one_whose_holders_died_before_they_tried_it_is_tried(self, site: Site) -> None:
        tried: list[bool] = []
        site.handler.told["a"] = lambda job: tried.append(is_suspected(replace(job, claims=job.claims - 1)))
        site.add("a")
        site.die_with_it(4)
        site.workers.start()
        site.await_states(a=JobState.DONE)
        assert tried == [True]

    def test_what_another_took_over_is_left_to_it(self, site: Site) -> None:
        def lose(job: Job) -> None:
            with site.store.write() as tx:
                tx.exec_driver_sql("UPDATE job SET lease_owner = 'there/1', claims = 2 WHERE subject = 'a'")

        site.handler.told["a"] = lose
        site.workers.start()
        site.add("a", "b")
        site.await_states(b=JobState.DONE)
        assert site.rows()["a"].state is JobState.RUNNING


class TestStarting:
    def test_takes_up_at_once_what_its_node_held_when_it_died(self, site: Site) -> None:
        site.add("a")
        with site.store.write() as tx:
            claims.claim(tx, "here/dead", "receipt", "", count=1, limit=Limit(1), lease=timedelta(hours=1))
        site.workers.start()
        site.await_states(a=JobState.DONE)

    def test_takes_over_what_another_node_let_lapse(self, site: Site) -> None:
        site.add("a")
        with site.store.write() as tx:
            claims.claim(tx, "there/1", "receipt", "", count=1, limit=Limit(1), lease=timedelta(seconds=-1))
        site.workers.start()
        site.await_states(a=JobState.DONE)


def test_what_runs_keeps_its_lease(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "LEASE", timedelta(seconds=0.3))
    ends: set[int] = set()

    def last(_: Job) -> None:
        def is_prolonged() -> bool:
            with site.store.read() as connection:
                ends.add(connection.exec_driver_sql("SELECT lease_until FROM job").scalar_one())
            return len(ends) > 2

        site.await_that(is_prolonged)

    site.handler.told["a"] = last
    site.workers.start()
    site.add("a")
    site.await_states(a=JobState.DONE)
    assert site.handler.handled == ["a"]  # by nobody else, whose lease would end another time as well


class TestStopping:
    def test_lets_run_what_runs_and_gives_back_the_rest(self, site: Site) -> None:
        running, go_on = Event(), Event()

        def wait(_: Job) -> None:
            running.set()
            go_on.wait(PATIENCE)

        site.handler.told["a"] = wait
        site.workers.start()
        site.add("a")
        running.wait(PATIENCE)
        stopping = Thread(target=site.workers.stop, args=(PATIENCE,))
        stopping.start()
        site.await_that(lambda: "worker-receipt" not in {thread.name for thread in enumerate_threads()})
        site.add("b")
        go_on.set()
        stopping.join(PATIENCE)
        assert {subject: row.state for subject, row in site.rows().items()} == {
            "a": JobState.DONE,
            "b": JobState.READY,
        }

    @pytest.mark.parametrize(("deaths", "claims_then"), [(0, 1), (2, 5)])
    def test_gives_back_what_does_not_end_in_time_and_blames_it_for_nothing(
        self, site: Site, deaths: int, claims_then: int
    ) -> None:
        """Were each stop a death, a job that lasts longer than a stop may would be given up at the third."""
        running, go_on, ended = Event(), Event(), Event()

        def wait(_: Job) -> None:
            running.set()
            go_on.wait(PATIENCE)
            ended.set()

        site.handler.told["a"] = wait
        site.add("a")
        site.die_with_it(deaths)
        site.workers.start()
        running.wait(PATIENCE)
        site.workers.stop(0.01)
        with site.store.write() as tx:
            (job,) = claims.claim(tx, "there/1", "receipt", "", count=1, limit=Limit(1), lease=LEASE)
        assert job.claims == claims_then
        go_on.set()
        ended.wait(PATIENCE)
        for thread in enumerate_threads():
            if thread.name.startswith("worker-receipt"):
                thread.join(PATIENCE)
        assert site.rows()["a"].state is JobState.RUNNING  # there, and what was done here came to nothing


class TestDestinations:
    def test_one_that_hangs_holds_no_more_than_its_share(self, site: Site) -> None:
        go_on = Event()

        def hang(_: Job) -> None:
            go_on.wait(PATIENCE)

        site.handler.told = {f"dead-{number}": hang for number in range(8)}
        site.workers.start()
        site.add(*site.handler.told, queue="post/dead")
        site.add(*(f"alive-{number}" for number in range(20)), queue="post/alive")
        site.await_that(lambda: sum(subject.startswith("alive") for subject in site.handler.handled) == 20)
        assert sum(subject.startswith("dead") for subject in site.handler.handled) == 2
        go_on.set()

    def test_a_holder_that_lost_its_lease_says_nothing_against_one(
        self, site: Site, caplog: pytest.LogCaptureFixture
    ) -> None:
        def lose(_: Job) -> None:
            with site.store.write() as tx:
                tx.exec_driver_sql("UPDATE job SET lease_owner = 'there/1', claims = 2 WHERE subject = 'a'")
            raise OSError("no route")

        site.handler.told["a"] = lose
        site.workers.start()
        site.add("a", queue="post/one")
        site.await_that(lambda: "it failed here meanwhile" in caplog.text)
        with site.store.read() as connection:
            assert not destinations.is_troubled(connection, "post/one")

    def test_one_that_always_fails_is_left_alone(self, site: Site) -> None:
        subjects = [f"dead-{number}" for number in range(20)]
        site.handler.told = {subject: fails(OSError("reset")) for subject in subjects}
        site.workers.start()
        site.add(*subjects, queue="post/dead")
        site.await_that(lambda: len(site.handler.handled) >= BREAKER_AFTER)
        site.add("alive", queue="post/alive")
        site.await_states(alive=JobState.DONE)
        # Those that ran beside the fifth failure had begun before it.
        assert len(site.handler.handled) <= BREAKER_AFTER + 2

    def test_order_is_kept_where_it_is_asked_for(self, site: Site) -> None:
        subjects = [f"{number:02}" for number in range(10)]
        site.workers.start()
        site.add(*subjects, queue="post/ordered", ordered=True)
        site.await_that(lambda: len(site.handler.handled) == 10)
        assert site.handler.handled == subjects


class TestLosingALease:
    def test_a_job_that_the_same_process_claimed_again_keeps_its_new_lease(self, site: Site) -> None:
        """A process that was paused may find its own job lapsed, and claim it while the first attempt still runs."""
        first, second, go_on = Event(), Event(), Event()

        def wait(job: Job) -> None:
            (first if job.claims == 1 else second).set()
            if job.claims == 1:
                second.wait(PATIENCE)
            else:
                go_on.wait(PATIENCE)

        site.handler.told["a"] = wait
        site.workers.start()
        site.add("a")
        first.wait(PATIENCE)
        with site.store.write() as tx:
            tx.exec_driver_sql("UPDATE job SET lease_until = 1")
        site.await_that(second.is_set)
        site.add("b")
        site.await_states(b=JobState.DONE)  # the thread of the first attempt is free, and unharmed
        assert [job.claims for job in site.workers.held()] == [2]
        go_on.set()
        site.await_states(a=JobState.DONE)
        site.workers.require_alive()
