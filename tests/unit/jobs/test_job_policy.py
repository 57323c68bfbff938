"""When a failed job is tried again, and when not any more."""

from datetime import timedelta

import pytest

from reconciler.jobs.job import ATTEMPTS, FIRST_DELAY, LONGEST_DELAY, is_poisoned, is_suspected, retry_in
from reconciler.store.destinations import BREAKER_AFTER, FIRST_REST, LONGEST_REST, rest
from reconciler.store.jobs import Job, JobKind


def job(failures: int = 0, claims: int = 1, kind: JobKind = "post") -> Job:
    return Job(1, kind, "subject", "", claims, failures, "node/1")


class TestRetries:
    def test_delays_double_up_to_a_bound(self) -> None:
        delays = [retry_in(job(failures), jitter=0) for failures in range(11)]
        assert delays[:3] == [FIRST_DELAY, 2 * FIRST_DELAY, 4 * FIRST_DELAY]
        assert delays[-1] == LONGEST_DELAY

    @pytest.mark.parametrize("jitter", [0.0, 0.5, 1.0])
    def test_jitter_takes_off_a_quarter_at_most(self, jitter: float) -> None:
        assert retry_in(job(), jitter=jitter) == FIRST_DELAY * (1 - jitter / 4)

    @pytest.mark.parametrize("kind", list(ATTEMPTS))
    def test_the_last_attempt_is_not_followed_by_another(self, kind: JobKind) -> None:
        last = ATTEMPTS[kind] - 1
        assert retry_in(job(last, kind=kind), jitter=0) is None
        assert retry_in(job(last - 1, kind=kind), jitter=0) is not None


class TestPoison:
    def test_what_saw_two_deaths_is_tried(self) -> None:
        assert [is_suspected(job(claims=claims)) for claims in (1, 2, 3)] == [False, False, True]

    def test_what_died_in_its_trial_is_tried_once_more(self) -> None:
        begun = 3 + 1
        assert (is_suspected(job(claims=begun + 1)), is_poisoned(job(claims=begun + 1))) == (True, False)
        begun_again = begun + 2
        assert (is_suspected(job(claims=begun_again + 1)), is_poisoned(job(claims=begun_again + 1))) == (False, True)

    def test_failures_are_no_deaths(self) -> None:
        assert not is_suspected(job(failures=9, claims=10))
        assert not is_poisoned(job(failures=9, claims=10))


class TestBreaker:
    def test_opens_at_the_fifth_failure_and_rests_longer_each_time(self) -> None:
        assert rest(BREAKER_AFTER - 1) is None
        assert rest(BREAKER_AFTER) == FIRST_REST
        assert rest(BREAKER_AFTER + 1) == 2 * FIRST_REST

    def test_a_rest_is_bounded(self) -> None:
        assert rest(10_000) == LONGEST_REST
        assert timedelta(minutes=10) > LONGEST_REST
