"""How long a session waits for its mailbox's share of the line."""

from threading import Event

import pytest

from reconciler.protocols.sftp.throttle import Throttle, Throttles


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_second_goes_at_once_and_then_the_rate_holds() -> None:
    clock = Clock()
    throttle = Throttle(1000, clock)
    assert throttle.take(1000) == 0
    assert throttle.take(500) == pytest.approx(0.5)
    assert throttle.take(500) == pytest.approx(1.0)
    clock.now += 1.0
    assert throttle.take(250) == pytest.approx(0.25)


def test_a_pause_saves_no_more_than_a_second() -> None:
    clock = Clock()
    throttle = Throttle(1000, clock)
    clock.now += 3600
    assert throttle.take(1000) == 0
    assert throttle.take(1000) == pytest.approx(1.0)


def test_without_a_rate_nobody_waits() -> None:
    assert Throttle(None).take(10**12) == 0


def test_who_is_cut_waits_no_longer() -> None:
    cut = Event()
    cut.set()
    Throttles(Throttle(1), Throttle(None), cut).received(10**9)
    assert cut.is_set()
