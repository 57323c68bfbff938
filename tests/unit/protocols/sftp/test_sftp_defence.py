"""Who is banned, for how long, and who never is."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from uuid import uuid4

import pytest

from reconciler.desired.sftp_gateway import SftpDefence
from reconciler.errors import ReconcilerError
from reconciler.protocols.sftp.defence import Ban, Defence, next_ban, subject_of_address

START = datetime(2030, 1, 1, tzinfo=UTC)
THEM = ip_address("198.51.100.7")
US = ip_address("192.0.2.9")
MAILBOX = uuid4()


class Ledger:
    """Bans in memory; unreachable when told so."""

    def __init__(self) -> None:
        self.kept: dict[str, Ban] = {}
        self.is_down = False

    def bans(self) -> list[Ban]:
        self._answer()
        return list(self.kept.values())

    def record(self, ban: Ban) -> None:
        self._answer()
        self.kept[ban.subject] = ban

    def _answer(self) -> None:
        if self.is_down:
            raise ReconcilerError("the ledger does not answer")


class World:
    """A defence with a clock of its own."""

    def __init__(self, settings: SftpDefence | None = None, ledger: Ledger | None = None) -> None:
        self.now = START
        self.ledger = ledger or Ledger()
        self.defence = Defence(settings or SftpDefence(ban_after=3, ban_login_after=5), self.ledger, lambda: self.now)

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def test_an_address_is_banned_after_so_many_failures() -> None:
    world = World()
    assert [world.defence.failed(None, THEM) for _ in range(3)] == [False, False, True]
    assert world.defence.keeps_out(THEM)
    assert not world.defence.keeps_out(US)


def test_failures_far_apart_ban_nobody() -> None:
    world = World()
    for _ in range(9):
        assert not world.defence.failed(None, THEM)
        world.later(400)


def test_a_ban_ends_and_the_next_lasts_twice_as_long() -> None:
    world = World()
    for _ in range(3):
        world.defence.failed(None, THEM)
    world.later(601)
    assert not world.defence.keeps_out(THEM)
    for _ in range(3):
        world.defence.failed(None, THEM)
    world.later(1199)
    assert world.defence.keeps_out(THEM)
    world.later(2)
    assert not world.defence.keeps_out(THEM)


def test_a_ban_survives_a_restart_and_ends_when_it_is_lifted() -> None:
    world = World()
    for _ in range(3):
        world.defence.failed(None, THEM)
    after = World(ledger=world.ledger)
    assert not after.defence.keeps_out(THEM)
    after.defence.refresh()
    assert after.defence.keeps_out(THEM)
    world.ledger.kept.clear()
    after.defence.refresh()
    assert not after.defence.keeps_out(THEM)


def test_a_ledger_that_is_down_changes_nothing() -> None:
    world = World()
    world.ledger.is_down = True
    for _ in range(3):
        world.defence.failed(None, THEM)
    world.defence.refresh()
    assert world.defence.keeps_out(THEM)


def test_who_is_never_banned_is_not_counted() -> None:
    world = World(SftpDefence(ban_after=1, ban_login_after=1, never_ban=("198.51.100.0/24",)))
    assert not world.defence.failed(MAILBOX, THEM)
    assert not world.defence.keeps_out_of(MAILBOX, US)


def test_a_login_is_banned_for_all_but_those_it_came_from() -> None:
    world = World()
    world.defence.succeeded(MAILBOX, US)
    for last in range(5):
        world.defence.failed(MAILBOX, ip_address(f"198.51.100.{last}"))
    assert world.defence.keeps_out_of(MAILBOX, THEM)
    assert not world.defence.keeps_out_of(MAILBOX, US)
    assert not world.defence.keeps_out_of(uuid4(), THEM)


def test_success_forgets_what_failed_before() -> None:
    world = World()
    for _ in range(2):
        world.defence.failed(MAILBOX, US)
    world.defence.succeeded(MAILBOX, US)
    assert not world.defence.failed(MAILBOX, US)


def test_a_network_of_ipv6_is_one_address() -> None:
    assert subject_of_address(ip_address("2001:db8::1")) == subject_of_address(ip_address("2001:db8::ffff:1"))
    assert subject_of_address(ip_address("2001:db8::1")) != subject_of_address(ip_address("2001:db8:0:1::1"))


@pytest.mark.parametrize(("count", "seconds"), [(1, 600), (2, 1200), (5, 9600), (40, 604_800)])
def test_bans_double_up_to_the_longest(count: int, seconds: int) -> None:
    earlier = Ban("address x", START, count - 1) if count > 1 else None
    ban = next_ban(SftpDefence(), "address x", earlier, START)
    assert (ban.count, ban.until - START) == (count, timedelta(seconds=seconds))


def test_a_ban_that_is_long_over_is_forgiven() -> None:
    assert next_ban(SftpDefence(), "a", Ban("a", START, 7), START + timedelta(days=8)).count == 1
