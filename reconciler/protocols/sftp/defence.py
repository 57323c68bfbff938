"""Who is kept out for having failed to log in too often: a score by address and by login, and bans that grow."""

import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address, ip_network
from threading import Lock
from typing import Protocol
from uuid import UUID

from reconciler.desired.sftp_gateway import SftpDefence
from reconciler.errors import ReconcilerError
from reconciler.protocols.sftp.logins import Address

_log = logging.getLogger(__name__)

_REMEMBERED = 10_000
"""Subjects whose failures are counted at once; those that failed longest ago make room."""

_KNOWN = 16
"""Addresses of a login that are remembered for having logged in."""

NETWORK_OF_IPV6 = 64
"""Bits of an IPv6 address that stand for one host: whoever has one address has all of its network."""


@dataclass(frozen=True, slots=True)
class Ban:
    """A subject that is kept out until a time (UTC); `count` is how often in a row it was."""

    subject: str
    until: datetime
    count: int


class BanLedger(Protocol):
    """Where bans survive a restart. Any method may raise ReconcilerError."""

    def bans(self) -> Iterable[Ban]:
        """Return all that is remembered, bans that are over included."""
        ...

    def record(self, ban: Ban) -> None:
        """Remember a ban in the place of an earlier one of its subject."""
        ...


def subject_of_address(peer: Address) -> str:
    """Return the subject that an address is scored by."""
    if isinstance(peer, IPv6Address):
        return f"address {ip_network((peer, NETWORK_OF_IPV6), strict=False)}"
    return f"address {peer}"


def subject_of_login(mailbox: UUID) -> str:
    """Return the subject that a login is scored by."""
    return f"login {mailbox}"


def next_ban(settings: SftpDefence, subject: str, earlier: Ban | None, now: datetime) -> Ban:
    """Return the ban that follows an earlier one: twice as long, unless that one is long over."""
    longest = timedelta(seconds=settings.longest_ban)
    recent = earlier is not None and now - earlier.until < longest
    count = earlier.count + 1 if earlier is not None and recent else 1
    length = min(timedelta(seconds=settings.ban_time) * 2 ** min(count - 1, 30), longest)
    return Ban(subject, now + length, count)


class Defence:
    """Counts failures and keeps bans. Used by many threads."""

    def __init__(
        self,
        settings: SftpDefence,
        ledger: BanLedger | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._clock = clock
        self._never = [ip_network(network) for network in settings.never_ban]
        self._lock = Lock()
        self._failures: OrderedDict[str, deque[datetime]] = OrderedDict()
        self._known: dict[UUID, OrderedDict[str, None]] = {}
        self._bans: dict[str, Ban] = {}

    def refresh(self) -> None:
        """Take up what the ledger says: the bans of before a restart, and those that an operator removed."""
        if self._ledger is None:
            return
        try:
            bans = {ban.subject: ban for ban in self._ledger.bans()}
        except ReconcilerError:
            _log.exception("the bans could not be read; those that are known hold")
            return
        with self._lock:
            for subject in self._bans.keys() - bans.keys():
                self._failures.pop(subject, None)
            self._bans = bans

    def keeps_out(self, peer: Address) -> bool:
        """Say whether an address is banned."""
        return self._is_banned(subject_of_address(peer))

    def keeps_out_of(self, mailbox: UUID, peer: Address) -> bool:
        """Say whether a login is banned for an address; never for one that it has logged in from."""
        with self._lock:
            is_known = subject_of_address(peer) in self._known.get(mailbox, ())
        return not is_known and not self._is_exempt(peer) and self._is_banned(subject_of_login(mailbox))

    def failed(self, mailbox: UUID | None, peer: Address) -> bool:
        """Count a failed login; `mailbox` is whose name was given, if anybody's. Say whether the address is banned."""
        if self._is_exempt(peer):
            return False
        if mailbox is not None:
            self._count(subject_of_login(mailbox), self._settings.ban_login_after)
        return self._count(subject_of_address(peer), self._settings.ban_after)

    def succeeded(self, mailbox: UUID, peer: Address) -> None:
        """Remember where a login came from, and forget what failed there."""
        subject = subject_of_address(peer)
        with self._lock:
            self._failures.pop(subject, None)
            known = self._known.setdefault(mailbox, OrderedDict())
            known[subject] = None
            known.move_to_end(subject)
            if len(known) > _KNOWN:
                known.popitem(last=False)

    def _is_exempt(self, peer: Address) -> bool:
        return any(peer in network for network in self._never)

    def _is_banned(self, subject: str) -> bool:
        ban = self._bans.get(subject)
        return ban is not None and self._clock() < ban.until

    def _count(self, subject: str, most: int) -> bool:
        now = self._clock()
        with self._lock:
            failures = self._failures.setdefault(subject, deque(maxlen=most))
            self._failures.move_to_end(subject)
            if len(self._failures) > _REMEMBERED:
                self._failures.popitem(last=False)
            failures.append(now)
            if len(failures) < most or (now - failures[0]).total_seconds() > self._settings.window:
                return self._is_banned(subject)
            failures.clear()
            ban = self._bans[subject] = next_ban(self._settings, subject, self._bans.get(subject), now)
        _log.warning("%s is banned until %s", subject, f"{ban.until:%Y-%m-%d %H:%M:%S} UTC")
        if self._ledger is not None:
            try:
                self._ledger.record(ban)
            except ReconcilerError:
                _log.exception("the ban of %s holds until the next restart only", subject)
        return True
