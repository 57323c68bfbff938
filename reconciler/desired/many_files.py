"""Examining very many files on all cores.

A process of its own for each further core begins as a copy of this one, and hands back what it found, a few files at a
time. Those begin with the first files, this one with the last.
"""

import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Generator, Iterator, Sequence

from reconciler.desired.examination import Examination
from reconciler.desired.findings import FileFindings

_MANY = 100
"""Files, from which on further processes are worth their start."""
_AT_ONCE = 10
_AHEAD = 3
"""Times as many files, of each further process, so that none waits for this one."""
_MOST = 4
"""Processes altogether: each has memory of its own, and what is found is put together in one."""

_mine: Examination
"""In a further process, what it examines files by."""


def examined(files: Sequence[str], examination: Examination) -> Generator[FileFindings, None, None]:
    """Yield what files say by themselves, in no order; those that are patched, or may be, are left out."""
    further = _further_processes()
    if len(files) < _MANY or not further:
        yield from _examined(files, examination)
        return
    from concurrent.futures import Future, ProcessPoolExecutor  # noqa: PLC0415 - takes time that few files do not
    from concurrent.futures.process import BrokenProcessPool  # noqa: PLC0415
    from multiprocessing import get_context  # noqa: PLC0415

    left = deque(files[begin : begin + _AT_ONCE] for begin in range(0, len(files), _AT_ONCE))
    begun: deque[tuple[Sequence[str], Future[list[FileFindings]]]] = deque()
    pool = ProcessPoolExecutor(further, get_context("fork"), _begin, (examination,))
    try:
        while left or begun:
            while left and len(begun) < _AHEAD * further:
                begun.append((left[0], pool.submit(_in_further_process, left[0])))
                left.popleft()
            if begun and (not left or begun[0][1].done()):
                yield from begun[0][1].result()
                begun.popleft()
            else:
                yield from _examined(left.pop(), examination)
    except BrokenProcessPool:  # somebody ended it: nothing is lost but time
        for part in (*left, *(part for part, _ in begun)):
            yield from _examined(part, examination)
    finally:
        pool.shutdown(cancel_futures=True)


def _further_processes() -> int:
    """Return how many processes there may be beside this one."""
    # A copy of a process of several threads can wait for one that it does not have.
    if sys.platform != "linux" or threading.active_count() > 1:
        return 0
    return min(len(os.sched_getaffinity(0)), _MOST) - 1


def _examined(files: Sequence[str], examination: Examination) -> Iterator[FileFindings]:
    for file in files:
        found = examination.alone(file)
        if found is not None:
            yield found


def _begin(examination: Examination) -> None:
    global _mine  # noqa: PLW0603 - what a pool calls has no other place for it
    _mine = examination
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to all; the first process ends the others
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    from multiprocessing import parent_process  # noqa: PLC0415

    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _in_further_process(files: Sequence[str]) -> list[FileFindings]:
    return list(_examined(files, _mine))
