"""What takes seconds to find out about ten thousand mailboxes, and is asked for by pages that cannot wait."""

from collections.abc import Callable, Hashable
from threading import Lock, Thread
from typing import Generic, TypeVar

T = TypeVar("T")


class AtHand(Generic[T]):
    """Finds something out once for each `mark`: a value that is another one when the answer may be another."""

    def __init__(self, mark: Callable[[], Hashable], find: Callable[[], T]) -> None:
        self._mark = mark
        self._find = find
        self._found: tuple[Hashable, T] | None = None
        self._lock = Lock()
        self._finding: Thread | None = None

    def now(self) -> T:
        """Return what holds now, however long that takes; who asks meanwhile waits for the same answer."""
        with self._lock:
            mark = self._mark()
            if self._found is None or self._found[0] != mark:
                self._found = (mark, self._find())
            return self._found[1]

    def within(self, seconds: float) -> T | None:
        """Return what holds now; None when finding it out takes longer, and then it is found out beside."""
        if self._is_current():
            return self.last()
        if self._finding is None or not self._finding.is_alive():
            self._finding = Thread(target=self.now, name="at-hand", daemon=True)
            self._finding.start()
        self._finding.join(seconds)
        return self.last() if self._is_current() else None

    def last(self) -> T | None:
        """Return what was found out last, which may not hold any more; None before anything was."""
        found = self._found
        return None if found is None else found[1]

    def _is_current(self) -> bool:
        return self._found is not None and self._found[0] == self._mark()
