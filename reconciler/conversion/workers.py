"""The worker processes of conversions, as the gateway holds them: started anew (never forked), limited, replaced.

A worker that dies or exceeds the wall-clock limit costs its own conversion only; its place is taken at once by a new
process, which starts while others work.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import reconciler
from reconciler.conversion.frames import BrokenConversationError, Message, encoded, read, write
from reconciler.conversion.pipe import Pipe
from reconciler.errors import ConversionError


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one conversion may use: seconds of wall clock and of CPU, bytes of memory, of input and of output.

    A worker is replaced after `conversions` of them, so that nothing accumulates.
    """

    seconds: float = 8.0
    cpu_seconds: int = 8
    memory: int = 256 << 20
    payload: int = 64 << 20
    result: int = 64 << 20
    conversions: int = 10_000


T = TypeVar("T")


class WornOutError(ConversionError):
    """A worker died that had run other conversions before, whose garbage it may have died of."""


class Conversation:
    """One conversion's exchange of messages with the worker that runs it, which has been told the first one."""

    def __init__(self, worker: "_Worker") -> None:
        self._worker = worker

    def ask(self, message: Message) -> Message:
        """Send a message and return the reply."""
        self._worker.tell(encoded(message))
        return self.reply()

    def reply(self) -> Message:
        """Return what the worker replies. Raises ConversionError when that is one, or nothing comes in time."""
        reply = self._worker.reply()
        error = reply.header.get("error")
        if isinstance(error, list):
            code, text = error
            raise ConversionError(str(code), str(text))
        return reply

    def abort(self) -> None:
        """Let the worker drop a conversion that waits for answers."""
        with suppress(ConversionError):
            self.ask(Message({"abort": True}))


class _Turn:
    """A conversion that waits for a worker, which whoever has done with one tells of it at once, then wakes it.

    `anew`: it takes none that has run others, so that nobody tells it before it is replaced.
    """

    def __init__(self, content: Sequence[bytes], *, anew: bool) -> None:
        self.content, self.anew = content, anew
        self.worker: _Worker | None = None
        self.begun = False
        self.come = threading.Lock()
        self.come.acquire()


class Workers:
    """As many workers as conversions may run at a time; each starts when it is first needed."""

    def __init__(self, count: int, limits: Limits) -> None:
        if count < 1:
            raise ValueError("conversions need at least one worker")
        self._limits = limits
        self._idle: list[_Worker | None] = [None] * count
        self._waiting: deque[_Turn] = deque()
        self._guard = threading.Lock()
        self._living: set[_Worker] = set()
        self._closed = False

    def run(self, message: Message, conversion: Callable[[Conversation], T]) -> T:
        """Run a conversion with a worker that `message` begins, waiting for one to be idle.

        Raises ConversionError, also after `close`. One whose worker dies runs once more in a new one, so that no other
        conversion decides what comes of it.
        """
        content = encoded(message)
        try:
            with self._conversation(_Turn(content, anew=False)) as conversation:
                return conversion(conversation)
        except WornOutError:
            with self._conversation(_Turn(content, anew=True)) as conversation:
                return conversion(conversation)

    @contextmanager
    def _conversation(self, turn: _Turn) -> Iterator[Conversation]:
        """Lend a worker for one conversion."""
        worker = self._lent(turn)
        try:
            if worker is None:
                worker = self._start()
            elif not turn.begun and (not worker.alive or (turn.anew and worker.used)):
                # It may have died while idle.
                worker = self._replace(worker)
            if not turn.begun:
                worker.begin(turn.content)
            yield Conversation(worker)
        except ConversionError:
            raise
        except BaseException:
            # Whatever interrupted the exchange, the worker may still wait in the midst of it.
            if worker is not None:
                worker.end()
            raise
        finally:
            self._give_back(self._successor(worker))

    def close(self) -> None:
        """End all workers; conversions that still run fail."""
        with self._guard:
            self._closed = True
            living = tuple(self._living)
            self._living.clear()
        for worker in living:
            worker.kill()
        # Whoever holds a lent worker still reads from its pipes, and frees them when the conversation ends.
        with self._guard:
            idle, self._idle = self._idle, [None] * len(self._idle)
        for one in idle:
            if one is not None:
                one.end()

    def process_ids(self) -> tuple[int, ...]:
        """Return the process identifiers of the workers that live."""
        with self._guard:
            return tuple(worker.process_id for worker in self._living)

    def _lent(self, turn: _Turn) -> "_Worker | None":
        """Return a worker, None for one that is to be started."""
        with self._guard:
            if self._idle:
                return self._idle.pop()
            self._waiting.append(turn)
        try:
            turn.come.acquire()
        except BaseException:
            with self._guard:
                if turn in self._waiting:
                    self._waiting.remove(turn)
                    raise
            # It is being given one.
            turn.come.acquire()
            if turn.worker is not None:
                turn.worker.end()
            self._give_back(self._successor(turn.worker))
            raise
        return turn.worker

    def _give_back(self, worker: "_Worker | None") -> None:
        """Let the conversion that waits longest have a worker, or have it idle.

        It is told here and now, since its own thread takes longer to wake than many a conversion takes.
        """
        with self._guard:
            if not self._waiting:
                self._idle.append(worker)
                return
            turn = self._waiting.popleft()
        turn.worker = worker
        if worker is not None and not turn.anew:
            turn.begun = True
            worker.begin(turn.content)
        turn.come.release()

    def _start(self) -> "_Worker":
        with self._guard:
            if self._closed:
                raise ConversionError("conversion_killed", "conversions are being shut down")
            worker = _Worker(self._limits)
            self._living.add(worker)
        return worker

    def _successor(self, worker: "_Worker | None") -> "_Worker | None":
        if worker is None or not worker.spent:
            return worker
        # Started at once, it is up by the time that the next conversion comes.
        with suppress(ConversionError):
            return self._replace(worker)
        return None

    def _replace(self, worker: "_Worker") -> "_Worker":
        with self._guard:
            self._living.discard(worker)
        worker.end()
        return self._start()


class _Worker:
    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._left = limits.conversions
        self._timed_out = False
        command = [sys.executable, "-P", "-m", "reconciler.conversion.worker_process"]
        # Nothing of the gateway's environment, where its keys may be; only where its modules are.
        modules = [*filter(os.path.isabs, sys.path), str(Path(reconciler.__file__).parents[1])]
        environment = {"PYTHONPATH": os.pathsep.join(modules), "LC_ALL": "C.UTF-8"}
        self._process = subprocess.Popen(  # noqa: S603 - our own module, started by this interpreter
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd=os.sep,
            start_new_session=True,
        )
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise ConversionError("conversion_killed", "the worker process has no pipes")
        self._pipe = Pipe(stdout.fileno(), stdin.fileno())
        # A worker that cannot start is found when the first conversion asks it.
        with suppress(OSError):
            write(self._pipe, Message({"limits": dict(asdict(limits))}))

    @property
    def spent(self) -> bool:
        """Whether this process shall run no further conversion, as far as is known without asking the system."""
        return self._left <= 0 or self._timed_out or self._process.returncode is not None

    @property
    def used(self) -> bool:
        """Whether this process has run, or begun, a conversion."""
        return self._left < self._limits.conversions

    @property
    def process_id(self) -> int:
        """The process identifier."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process is still there."""
        return self._process.poll() is None

    def begin(self, content: Sequence[bytes]) -> None:
        """Tell it of a conversion."""
        self._left -= 1
        self.tell(content)

    def tell(self, content: Sequence[bytes]) -> None:
        """Write a message, as far as it goes without waiting; from now on the wall-clock limit counts."""
        self._pipe.deadline = time.monotonic() + self._limits.seconds
        for piece in content:
            self._pipe.write(piece)
        with suppress(OSError):  # reading the reply finds that it is gone
            self._pipe.push()

    def reply(self) -> Message:
        """Read the reply within the wall-clock limit."""
        try:
            self._pipe.flush()
            return read(self._pipe)
        except TimeoutError:
            self._timed_out = True
            raise self._death() from None
        except (OSError, BrokenConversationError, ValueError):
            raise self._death() from None

    def kill(self) -> None:
        """End the process now."""
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """End the process now, and free its pipes, which nobody may be using."""
        self.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()

    def _death(self) -> ConversionError:
        self._process.kill()
        status = self._process.wait()
        if self._timed_out:
            return ConversionError("conversion_timeout", f"the conversion took longer than {self._limits.seconds:g} s")
        if status == -signal.SIGXCPU:
            return ConversionError("conversion_killed", f"it used more than {self._limits.cpu_seconds} s of CPU")
        worn = self._left + 1 < self._limits.conversions
        return (WornOutError if worn else ConversionError)(
            "conversion_killed",
            f"its process ended (status {status}), most likely for want of more than {self._limits.memory >> 20} MiB"
            " of memory",
        )
