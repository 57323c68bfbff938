"""Waking idle workers."""

from threading import Condition


class Bell:
    """Rings when work was committed, in this process or (as far as it is heard of) in another."""

    def __init__(self) -> None:
        self._condition = Condition()
        self._rings = 0

    def ring(self) -> None:
        """Wake everybody."""
        with self._condition:
            self._rings += 1
            self._condition.notify_all()

    def heard(self) -> int:
        """Return how often the bell has rung so far."""
        return self._rings

    def wait(self, since: int, seconds: float) -> None:
        """Wait until the bell rings after `since`, for so many seconds at most."""
        with self._condition:
            self._condition.wait_for(lambda: self._rings != since, seconds)
