"""How fast a mailbox's sessions may be: a bucket of bytes that fills with time."""

from collections.abc import Callable
from threading import Event, Lock
from time import monotonic

_BURST = 1.0
"""Seconds' worth of bytes that may go at once after a pause."""

_NAP = 1.0
"""Seconds after which a thread that waits for its turn looks whether its connection was cut."""


class Throttle:
    """One direction of one mailbox, shared by its sessions. `rate` is in bytes a second; None is without limit."""

    def __init__(self, rate: int | None, clock: Callable[[], float] = monotonic) -> None:
        self.rate = rate
        self._clock = clock
        self._lock = Lock()
        self._free_at = 0.0

    def take(self, length: int) -> float:
        """Take bytes, and return the seconds to wait before the next."""
        if self.rate is None:
            return 0.0
        with self._lock:
            now = self._clock()
            self._free_at = max(self._free_at, now - _BURST) + length / self.rate
            return max(0.0, self._free_at - now)


class Throttles:
    """Both directions, as one session meets them: it waits until it may go on, or until its connection is cut."""

    def __init__(self, upload: Throttle, download: Throttle, cut: Event) -> None:
        self._upload = upload
        self._download = download
        self._cut = cut

    def received(self, length: int) -> None:
        """Wait as long as the bytes received take."""
        self._wait(self._upload.take(length))

    def sent(self, length: int) -> None:
        """Wait as long as the bytes sent take."""
        self._wait(self._download.take(length))

    def _wait(self, seconds: float) -> None:
        while seconds > 0 and not self._cut.wait(min(seconds, _NAP)):
            seconds -= _NAP
