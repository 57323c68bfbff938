"""Strangers of one address take turns; who logs in gives the turn back."""

from ipaddress import ip_address, ip_network
from threading import Event, Thread

import pytest

from reconciler.protocols.sftp import turns
from reconciler.protocols.sftp.turns import Turnstile

PEER, OTHER = ip_address("192.0.2.1"), ip_address("192.0.2.2")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def is_let_in(turnstile: Turnstile, peer: str = "192.0.2.1") -> bool:
    """Ask for somebody who was cut already, and so does not wait."""
    cut = Event()
    cut.set()
    return turnstile.enter(ip_address(peer), cut)


def test_a_burst_is_let_in_and_then_so_many_a_second() -> None:
    clock = Clock()
    turnstile = Turnstile(burst=3, rate=2.0, clock=clock)
    assert [is_let_in(turnstile) for _ in range(4)] == [True, True, True, False]
    clock.now += 0.5
    assert [is_let_in(turnstile) for _ in range(2)] == [True, False]
    clock.now += 60
    assert [is_let_in(turnstile) for _ in range(4)] == [True, True, True, False]


def test_addresses_do_not_wait_for_each_other() -> None:
    turnstile = Turnstile(burst=1, rate=1.0, clock=Clock())
    assert [is_let_in(turnstile, peer) for peer in ("192.0.2.1", "192.0.2.2", "192.0.2.1")] == [True, True, False]


def test_a_network_of_ipv6_counts_as_one_address() -> None:
    turnstile = Turnstile(burst=1, rate=1.0, clock=Clock())
    assert [is_let_in(turnstile, peer) for peer in ("2001:db8::1", "2001:db8::2")] == [True, False]


def test_a_login_gives_its_turn_to_who_waits() -> None:
    turnstile = Turnstile(burst=1, rate=0.001, clock=Clock())
    assert is_let_in(turnstile)
    entered: list[bool] = []
    waiting = Thread(target=lambda: entered.append(turnstile.enter(PEER, Event())))
    waiting.start()
    turnstile.give_back(OTHER)
    assert not entered
    turnstile.give_back(PEER)
    waiting.join(50)
    assert entered == [True]


def test_who_is_cut_waits_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_NAP", 0.01)
    turnstile = Turnstile(burst=1, rate=0.001, clock=Clock())
    assert is_let_in(turnstile)
    cut, entered = Event(), list[bool]()
    waiting = Thread(target=lambda: entered.append(turnstile.enter(PEER, cut)))
    waiting.start()
    cut.set()
    waiting.join(50)
    assert entered == [False]


def test_who_is_never_banned_does_not_wait() -> None:
    turnstile = Turnstile(burst=1, rate=0.001, exempt=[ip_network("192.0.2.0/24")], clock=Clock())
    assert all(is_let_in(turnstile) for _ in range(10))
