from datetime import UTC, datetime, timedelta

from reconciler.watch.backoff import LONGEST, Backoff

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NONE = Backoff(MINUTE)


def test_one_that_failed_rests_twice_as_long_each_time() -> None:
    backoff = NONE
    for minutes in (2, 4, 8, 16):
        backoff = backoff.failed("acme", NOON)
        assert backoff.resting(NOON + minutes * MINUTE - timedelta(seconds=1)) == {"acme"}
        assert not backoff.resting(NOON + minutes * MINUTE)


def test_no_rest_is_longer_than_the_longest() -> None:
    backoff = NONE
    for _ in range(100):
        backoff = backoff.failed("acme", NOON)
    assert not backoff.resting(NOON + LONGEST)


def test_the_first_healing_is_followed_by_no_rest_and_the_next_one_is() -> None:
    once = NONE.healed("acme", NOON)
    assert not once.resting(NOON)
    assert once.healed("acme", NOON).resting(NOON + MINUTE) == {"acme"}


def test_one_account_does_not_make_another_wait() -> None:
    assert NONE.failed("acme", NOON).failed("globex", NOON + 10 * MINUTE).resting(NOON + 11 * MINUTE) == {"globex"}


def test_what_stays_as_it_should_be_after_its_rest_is_forgotten() -> None:
    tired = NONE.failed("acme", NOON).failed("acme", NOON)
    acme = frozenset({"acme"})
    assert tired.calm(acme, NOON + MINUTE) == tired
    assert tired.calm(acme, NOON + 5 * MINUTE) == NONE
    assert tired.calm(frozenset(), NOON + 5 * MINUTE) == tired
