"""Whose turn it is to be spoken to: strangers of one address are served no faster than their rate.

A key exchange costs the server more than the one who asks for it (CVE-2002-20001). A login gives its turn back, so that
partners who share an address, and programs that log in often, do not wait.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from threading import Event, Lock
from time import monotonic

from reconciler.protocols.sftp.defence import subject_of_address
from reconciler.protocols.sftp.logins import Address
from reconciler.protocols.sftp.measures import DELAYED

_log = logging.getLogger(__name__)

_NAP = 0.5
"""Seconds after which a connection that waits looks whether it was cut."""

_REMEMBERED = 10_000
"""Addresses that are known at once; those that connected longest ago make room, unless they wait."""

_QUIET = 60.0
"""Seconds in which an address that has to wait is mentioned once."""


@dataclass(slots=True)
class _Turns:
    """What one address has: turns at a moment, and who waits for one, the newest last."""

    free: float
    counted_at: float
    mentioned_at: float
    waiting: list[Event] = field(default_factory=list)


class Turnstile:
    """Lets `burst` strangers of an address in at once, and then `rate` a second; all of `exempt` at once.

    The newest goes first: under a flood, those who waited long have mostly given up.
    """

    def __init__(
        self,
        *,
        burst: int,
        rate: float,
        exempt: Sequence[IPv4Network | IPv6Network] = (),
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._burst = burst
        self._rate = rate
        self._exempt = exempt
        self._clock = clock
        self._lock = Lock()
        self._addresses: OrderedDict[str, _Turns] = OrderedDict()

    def enter(self, peer: Address, cut: Event) -> bool:
        """Wait for a turn and take it; False when the connection was cut before."""
        if self._is_exempt(peer):
            return True
        subject = subject_of_address(peer)
        turn = Event()
        with self._lock:
            turns = self._of(subject)
            if turns.free >= 1 and not turns.waiting:
                turns.free -= 1
                return True
            turns.waiting.append(turn)
            mention = self._clock() - turns.mentioned_at >= _QUIET
            if mention:
                turns.mentioned_at = self._clock()
        DELAYED.inc()
        if mention:
            _log.warning("%s: strangers come faster than %g a second and wait for their turn", subject, self._rate)
        while True:
            with self._lock:
                turns = self._of(subject)
                is_cut, is_next = cut.is_set(), turns.waiting[-1] is turn
                if is_cut or (is_next and turns.free >= 1):
                    turns.waiting.remove(turn)
                    turns.free -= not is_cut
                    _wake(turns)
                    return not is_cut
                turn.clear()
                due = (1 - turns.free) / self._rate if is_next else _NAP
            turn.wait(min(due, _NAP))

    def give_back(self, peer: Address) -> None:
        """Return the turn of a stranger who turned out to be a partner."""
        if self._is_exempt(peer):
            return
        with self._lock:
            turns = self._of(subject_of_address(peer))
            turns.free = min(turns.free + 1, self._burst)
            _wake(turns)

    def _is_exempt(self, peer: Address) -> bool:
        return any(peer in network for network in self._exempt)

    def _of(self, subject: str) -> _Turns:
        """Return what an address has now."""
        now = self._clock()
        turns = self._addresses.setdefault(subject, _Turns(self._burst, now, now - _QUIET))
        self._addresses.move_to_end(subject)
        turns.free = min(turns.free + (now - turns.counted_at) * self._rate, self._burst)
        turns.counted_at = now
        if len(self._addresses) > _REMEMBERED:
            oldest, idle = next(iter(self._addresses.items()))
            if not idle.waiting:
                del self._addresses[oldest]
        return turns


def _wake(turns: _Turns) -> None:
    if turns.waiting:
        turns.waiting[-1].set()
