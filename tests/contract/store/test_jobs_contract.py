"""Jobs on every database: claimed once, in their order, within their limits, and finished with their effects or not."""

from datetime import timedelta
from itertools import pairwise
from threading import Barrier, Thread

import pytest
from sqlalchemy import BigInteger, Connection, literal, select, update

from reconciler.errors import LeaseLostError
from reconciler.jobs.job import is_poisoned, is_suspected
from reconciler.store import claims, destinations, jobs, tables
from reconciler.store.database import Store
from reconciler.store.destinations import Limit
from reconciler.store.job_states import JobState
from reconciler.store.jobs import Job
from tests.contract.store.conftest import Opener

LEASE = timedelta(seconds=30)
OVER = timedelta(seconds=-1)
PARTNER = "post/partner"


def claim(
    store: Store, count: int = 1, *, queue: str = "", owner: str = "one/1", limit: int = 10, lease: timedelta = LEASE
) -> list[Job]:
    kind: jobs.JobKind = "post" if queue else "receipt"
    with store.write() as tx:
        return claims.claim(tx, owner, kind, queue, count=count, limit=Limit(limit), lease=lease)


def add(store: Store, *subjects: str, queue: str = "", ordered: bool = False, priority: int = 0) -> None:
    with store.write() as tx:
        for subject in subjects:
            kind: jobs.JobKind = "post" if queue else "receipt"
            jobs.add(tx, kind, subject, queue=queue, ordered=ordered, priority=priority)


def finish(store: Store, job: Job) -> None:
    with store.write() as tx:
        jobs.finish(tx, job)


def subjects(claimed: list[Job]) -> list[str]:
    return [job.subject for job in claimed]


def states(store: Store) -> list[JobState]:
    with store.read() as connection:
        return [row.state for row in jobs.listed(connection, list(JobState), limit=100)]


class TestClaiming:
    def test_takes_the_oldest_first_and_each_once(self, store: Store) -> None:
        add(store, "a", "b", "c")
        assert subjects(claim(store, 2)) == ["a", "b"]
        assert subjects(claim(store, 2)) == ["c"]
        assert claim(store) == []

    def test_takes_what_people_wait_for_first(self, store: Store) -> None:
        add(store, "a")
        add(store, "b", priority=jobs.IN_A_HURRY)
        assert subjects(claim(store, 2)) == ["b", "a"]

    def test_of_what_was_rolled_back_there_is_nothing(self, store: Store) -> None:
        with pytest.raises(ZeroDivisionError), store.write() as tx:  # noqa: PT012 - the transaction is what is rolled back
            jobs.add(tx, "receipt", "a")
            raise ZeroDivisionError
        assert claim(store) == []

    def test_threads_and_processes_never_claim_the_same(self, open_store: Opener) -> None:
        stores = [open_store(), open_store()]
        add(stores[0], *(str(number) for number in range(60)))
        found: list[str] = []
        barrier = Barrier(4)

        def work(number: int) -> None:
            barrier.wait()
            while claimed := claim(stores[number % 2], 3, owner=f"node/{number}"):
                found.extend(subjects(claimed))

        threads = [Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(found, key=int) == [str(number) for number in range(60)]

    def test_waits_for_its_delay(self, store: Store) -> None:
        with store.write() as tx:
            jobs.add(tx, "receipt", "later", delay=timedelta(hours=1))
            jobs.add(tx, "receipt", "soon", delay=timedelta(microseconds=1))
        assert claim(store, 2) == []
        with store.write() as tx:
            assert claims.is_anything_overdue(tx)
            assert claims.come_due(tx) == 1
            assert not claims.is_anything_overdue(tx)
        assert subjects(claim(store, 2)) == ["soon"]

    def test_a_key_is_taken_once_until_its_job_is_done(self, store: Store) -> None:
        with store.write() as tx:
            assert jobs.add(tx, "mail", "a", key="daily")
            assert not jobs.add(tx, "mail", "b", key="daily")
            (job,) = claims.claim(tx, "one/1", "mail", "", count=2, limit=Limit(1), lease=LEASE)
            assert not jobs.add(tx, "mail", "c", key="daily")
            jobs.finish(tx, job)
            assert jobs.add(tx, "mail", "d", key="daily")


class TestBeginning:
    """A job that its adder does next."""

    def test_is_held_by_its_adder_and_by_nobody_else(self, store: Store) -> None:
        with store.write() as tx:
            begun = jobs.begin(tx, "receipt", "a", owner="one/1", lease=LEASE)
        assert states(store) == [JobState.RUNNING]
        assert claim(store) == []
        finish(store, begun())
        assert states(store) == [JobState.DONE]

    def test_comes_back_when_its_adder_died(self, store: Store) -> None:
        with store.write() as tx:
            begun = jobs.begin(tx, "receipt", "a", owner="one/1", lease=OVER)
        with store.write() as tx:
            assert claims.reap(tx) == 1
        assert subjects(claim(store, owner="two/1")) == ["a"]
        with pytest.raises(LeaseLostError):
            finish(store, begun())

    def test_is_not_there_when_its_transaction_was_rolled_back(self, store: Store) -> None:
        with pytest.raises(ZeroDivisionError), store.write() as tx:  # noqa: PT012 - the transaction is what is rolled back
            jobs.begin(tx, "receipt", "a", owner="one/1", lease=LEASE)
            raise ZeroDivisionError
        assert states(store) == []


class TestFencing:
    def test_a_lost_lease_commits_nothing(self, store: Store) -> None:
        add(store, "a")
        (first,) = claim(store, lease=OVER)
        with store.write() as tx:
            assert claims.reap(tx) == 1
        (second,) = claim(store, owner="two/1")
        with pytest.raises(LeaseLostError), store.write() as tx:  # noqa: PT012 - the transaction is what is rolled back
            jobs.add(tx, "receipt", "an effect of the first")
            jobs.finish(tx, first)
        finish(store, second)
        assert states(store) == [JobState.DONE]

    def test_the_same_owner_s_earlier_claim_is_fenced_too(self, store: Store) -> None:
        add(store, "a")
        (first,) = claim(store, lease=OVER)
        with store.write() as tx:
            claims.reap(tx)
        claim(store)
        with pytest.raises(LeaseLostError):
            finish(store, first)

    def test_a_renewed_lease_is_not_reaped(self, store: Store) -> None:
        add(store, "a")
        held = claim(store, lease=OVER)
        with store.write() as tx:
            claims.renew(tx, "one/1", held, LEASE)
            assert claims.reap(tx) == 0
        finish(store, held[0])

    def test_what_ended_ends_once(self, store: Store) -> None:
        add(store, "a")
        (job,) = claim(store)
        finish(store, job)
        with pytest.raises(LeaseLostError):
            finish(store, job)


class TestFailing:
    def test_a_retry_gives_its_place_back_and_comes_again(self, store: Store) -> None:
        add(store, "a", "b")
        (job,) = claim(store)
        with store.write() as tx:
            jobs.fail(tx, job, error="no luck", retry_in=timedelta(microseconds=1))
        assert subjects(claim(store)) == ["b"]
        with store.write() as tx:
            claims.come_due(tx)
        (again,) = claim(store)
        assert (again.subject, again.failures, again.claims) == ("a", 1, 2)

    def test_dead_letters_are_kept_listed_revived_and_dropped(self, store: Store) -> None:
        add(store, "a", "b")
        for job in claim(store, 2):
            with store.write() as tx:
                jobs.fail(tx, job, error="for good", retry_in=None)
        with store.read() as connection:
            dead = jobs.listed(connection, [JobState.DEAD], limit=10)
        assert [(row.subject, row.error) for row in dead] == [("a", "for good"), ("b", "for good")]
        with store.write() as tx:
            assert jobs.revive(tx, "receipt", "a")
            assert jobs.drop(tx, dead[1].number)
            assert not jobs.drop(tx, dead[1].number)
        (again,) = claim(store, 2)
        assert (again.subject, again.failures, again.claims) == ("a", 0, 1)

    def test_a_node_releases_its_own_and_nobody_else_s(self, store: Store) -> None:
        add(store, "a", "b")
        claim(store, owner="one/1")
        claim(store, owner="one-more/1")
        with store.write() as tx:
            assert claims.release_node(tx, "one") == 1
        assert subjects(claim(store, 2)) == ["a"]

    def test_a_job_rests_after_the_second_death(self, store: Store) -> None:
        add(store, "a")
        for _ in range(2):
            claim(store, owner="one/1")
            with store.write() as tx:
                assert claims.release_node(tx, "one") == 1
        assert claim(store) == []
        assert states(store) == [JobState.RETRYING]

    def test_it_rests_anew_while_gateways_hardly_live(self, store: Store) -> None:
        add(store, "a")
        for _ in range(2):
            claim(store, owner="one/1")
            with store.write() as tx:
                claims.release_node(tx, "one")
        with store.write() as tx:
            tx.execute(update(tables.job).values(run_at=literal(0, BigInteger)))  # it has rested
            claims.release_node(tx, "one")
            assert claims.come_due(tx) == 0
        assert states(store) == [JobState.RETRYING]

    def test_those_that_died_together_are_tried_apart(self, store: Store) -> None:
        add(store, "a", "b", "deadly")
        for _ in range(2):
            assert len(claim(store, 3, owner="one/1")) == 3
            with store.write() as tx:
                assert claims.release_node(tx, "one") == 3
        with store.read() as connection:
            due = list(connection.scalars(select(tables.job.c.run_at).order_by(tables.job.c.number)))
        assert all(later - earlier >= claims.APART for earlier, later in pairwise(due))

    def test_one_of_them_is_tried_at_a_time(self, store: Store) -> None:
        add(store, "a", "b")
        for _ in range(2):
            assert len(claim(store, 2, owner="one/1")) == 2
            with store.write() as tx:
                claims.release_node(tx, "one")
        add(store, "c")
        (other,) = claim(store)
        with store.write() as tx:
            jobs.put_off(tx, other, delay=timedelta(hours=1))
            rested(tx, "a", "c")
            assert claims.come_due(tx) == 2
        assert subjects(claim(store, 2)) == ["a", "c"]
        with store.write() as tx:
            rested(tx, "b")
            assert not claims.is_anything_overdue(tx)
            assert claims.come_due(tx) == 0
            tx.execute(update(tables.job).where(tables.job.c.subject == "a").values(state=JobState.DONE))
            assert claims.come_due(tx) == 1

    def test_a_trial_that_was_not_begun_is_no_reason_to_condemn(self, store: Store) -> None:
        add(store, "a")
        for _ in range(5):
            claim(store, owner="one/1")
            with store.write() as tx:
                assert claims.release_node(tx, "one") == 1
                rested(tx, "a")
                claims.come_due(tx)
        (job,) = claim(store)
        assert is_suspected(job)

    @pytest.mark.parametrize("held", [("a",), ("a", "b")])
    def test_three_deaths_that_are_its_own_condemn_a_job(self, store: Store, held: tuple[str, ...]) -> None:
        """Two while others were held may be anybody's, and condemn it only together with two in its own trials."""
        add(store, *held)
        deaths = [False, False, True] if held == ("a",) else [False, False, True, True]
        for is_tried in deaths:
            found = claim(store, 1 if is_tried else 2, owner="one/1")
            assert not is_poisoned(found[0])
            with store.write() as tx:
                if is_tried:
                    jobs.begin_trial(tx, found[0])
                claims.release_node(tx, "one")
                rested(tx, "a")
                claims.come_due(tx)
        (again,) = claim(store)
        assert (again.subject, is_poisoned(again)) == ("a", True)

    def test_who_tries_a_job_is_its_only_holder(self, store: Store) -> None:
        add(store, "a")
        (job,) = claim(store)
        with store.write() as tx:
            tried = jobs.begin_trial(tx, job)
        with pytest.raises(LeaseLostError), store.write() as tx:
            jobs.finish(tx, job)
        with pytest.raises(LeaseLostError), store.write() as tx:
            jobs.begin_trial(tx, job)
        finish(store, tried)

    def test_what_was_not_begun_is_given_back_unblamed(self, store: Store) -> None:
        add(store, "a")
        (job,) = claim(store)
        with store.write() as tx:
            jobs.release(tx, job)
        (again,) = claim(store)
        assert again.claims == 1

    def test_a_stop_is_no_death_and_leaves_its_holder_nothing_to_write(self, store: Store) -> None:
        add(store, "a")
        (job,) = claim(store, owner="one/1")
        with store.write() as tx:
            claims.give_back(tx, "one/1")
        (again,) = claim(store, owner="two/1")
        assert again.claims == job.claims  # the owner alone tells them apart
        with pytest.raises(LeaseLostError), store.write() as tx:
            jobs.require_held(tx, job)
        with pytest.raises(LeaseLostError):
            finish(store, job)
        finish(store, again)

    def test_what_waits_is_hastened(self, store: Store) -> None:
        add(store, "a")
        (job,) = claim(store)
        with store.write() as tx:
            jobs.put_off(tx, job, delay=timedelta(hours=1))
            jobs.hasten(tx, "receipt", "a")
        (again,) = claim(store)
        assert (again.failures, again.claims) == (0, 1)


def rested(tx: Connection, *subjects: str) -> None:
    due = update(tables.job).where(tables.job.c.subject.in_(subjects)).values(run_at=literal(0, BigInteger))
    tx.execute(due)


class TestDestinations:
    def test_one_has_no_more_running_than_its_limit(self, store: Store) -> None:
        add(store, "a", "b", "c", queue=PARTNER)
        first = claim(store, 5, queue=PARTNER, limit=2)
        assert subjects(first) == ["a", "b"]
        assert claim(store, 5, queue=PARTNER, limit=2) == []
        finish(store, first[0])
        assert subjects(claim(store, 5, queue=PARTNER, limit=2)) == ["c"]

    def test_nodes_share_its_limit(self, open_store: Opener) -> None:
        stores = [open_store(), open_store()]
        add(stores[0], *(str(number) for number in range(20)), queue=PARTNER)
        found: list[Job] = []
        barrier = Barrier(4)

        def work(number: int) -> None:
            barrier.wait()
            found.extend(claim(stores[number % 2], 5, queue=PARTNER, owner=f"node/{number}", limit=3))

        threads = [Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert 1 <= len(found) <= 3

    def test_of_an_ordered_queue_only_the_first_runs(self, store: Store) -> None:
        add(store, "a", "b", queue=PARTNER, ordered=True)
        (first,) = claim(store, 5, queue=PARTNER)
        assert first.subject == "a"
        assert claim(store, 5, queue=PARTNER) == []
        with store.write() as tx:
            jobs.fail(tx, first, error="again", retry_in=timedelta(hours=1))
        assert claim(store, 5, queue=PARTNER) == []
        with store.write() as tx:
            jobs.hasten(tx, "post", "a")
        (again,) = claim(store, 5, queue=PARTNER)
        assert again.subject == "a"
        finish(store, again)
        assert subjects(claim(store, 5, queue=PARTNER)) == ["b"]

    def test_one_that_fails_five_times_is_left_alone_and_then_tried_by_one_job(self, store: Store) -> None:
        add(store, "a", "b", queue=PARTNER)
        with store.write() as tx:
            pauses = [destinations.failed(tx, PARTNER) for _ in range(5)]
        assert pauses == [None] * 4 + [destinations.FIRST_REST]
        assert claim(store, 5, queue=PARTNER) == []
        with store.write() as tx:
            assert claims.waiting(tx, ["post"]) == []
            tx.exec_driver_sql("UPDATE destination SET open_until = 1")
        assert len(claim(store, 5, queue=PARTNER)) == 1
        with store.write() as tx:
            assert destinations.is_troubled(tx, PARTNER)
            destinations.answered(tx, PARTNER)
            assert not destinations.is_troubled(tx, PARTNER)
        assert len(claim(store, 5, queue=PARTNER)) == 1

    def test_one_is_asked_no_more_often_than_it_bears(self, store: Store) -> None:
        add(store, "a", "b", queue=PARTNER)
        with store.write() as tx:
            once = Limit(5, per_minute=1)
            assert len(claims.claim(tx, "one/1", "post", PARTNER, count=5, limit=once, lease=LEASE)) == 1
            assert claims.claim(tx, "one/1", "post", PARTNER, count=5, limit=once, lease=LEASE) == []

    def test_all_queues_that_have_something_are_found_with_what_runs(self, store: Store) -> None:
        add(store, "a")
        add(store, "b", "c", queue="post/one")
        add(store, "d", queue="post/two")
        claim(store, queue="post/one")
        with store.read() as connection:
            assert claims.waiting(connection, ["mail"]) == []
            assert claims.waiting(connection, ["receipt", "mail"]) == [claims.Waiting("receipt", "", 0)]
            assert sorted(claims.waiting(connection, ["post", "receipt"]), key=lambda each: each.queue) == [
                claims.Waiting("receipt", "", 0),
                claims.Waiting("post", "post/one", 1),
                claims.Waiting("post", "post/two", 0),
            ]


class TestCounting:
    def test_counts_what_is_not_done(self, store: Store) -> None:
        add(store, "a", "b", "c")
        held = claim(store, 2)
        finish(store, held[0])
        with store.read() as connection:
            assert jobs.counts(connection) == {("receipt", JobState.READY): 1, ("receipt", JobState.RUNNING): 1}


class TestBacklogs:
    @pytest.mark.parametrize("url", ["sqlite"], indirect=True)  # PostgreSQL chooses by what it has counted
    def test_what_is_looked_for_is_found_by_an_index_of_its_state(self, store: Store) -> None:
        """However many jobs there are; SQLite takes such an index only for a state that is compared as the index is."""
        first = "SELECT number FROM job WHERE {} AND kind = 'post' AND queue = '' ORDER BY priority, number"
        due = "SELECT number FROM job WHERE {} AND run_at < 1"
        ended = "SELECT number FROM job WHERE {} AND lease_until < 1"
        about = "SELECT number FROM job WHERE {} AND kind = 'post' AND subject = 'a'"
        with store.read() as connection:
            for statement, state, index in (
                (first, JobState.READY, "ix_job_ready"),
                (due, JobState.RETRYING, "ix_job_retrying"),
                (ended, JobState.RUNNING, "ix_job_running"),
                (about, JobState.RETRYING, "ix_job_retrying_subject"),
                (about, JobState.DEAD, "ix_job_dead_subject"),
            ):
                explained = f"EXPLAIN QUERY PLAN {statement.format(jobs.is_in(state))}"
                plan = [row[3] for row in connection.exec_driver_sql(explained)]
                assert [index in step for step in plan] == [True], plan
