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
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import Empty, LifoQueue
from typing import TypeVar

import reconciler
from reconciler.conversion.frames import BrokenConversationError, Message, read, write
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
    conversions: int = 2000


T = TypeVar("T")


class WornOutError(ConversionError):
    """A worker died that had run other conversions before, whose garbage it may have died of."""


class Conversation:
    """One conversion's exchange of messages with the worker that runs it."""

    def __init__(self, worker: "_Worker") -> None:
        self._worker = worker

    def ask(self, message: Message) -> Message:
        """Send a message and return the reply. Raises ConversionError when the reply is one, or none comes in time."""
        reply = self._worker.exchange(message)
        error = reply.header.get("error")
        if isinstance(error, list):
            code, text = error
            raise ConversionError(str(code), str(text))
        return reply

    def abort(self) -> None:
        """Let the worker drop a conversion that waits for answers."""
        with suppress(ConversionError):
            self.ask(Message({"abort": True}))


class Workers:
    """As many workers as conversions may run at a time; each starts when it is first needed."""

    def __init__(self, count: int, limits: Limits) -> None:
        if count < 1:
            raise ValueError("conversions need at least one worker")
        self._limits = limits
        self._idle: LifoQueue[_Worker | None] = LifoQueue()
        self._guard = threading.Lock()
        self._living: set[_Worker] = set()
        self._closed = False
        for _ in range(count):
            self._idle.put(None)

    def run(self, conversion: Callable[[Conversation], T]) -> T:
        """Run a conversion with a worker, waiting for one to be idle. Raises ConversionError, also after `close`.

        One whose worker dies runs once more in a new one, so that no other conversion decides what comes of it.
        """
        try:
            with self._conversation() as conversation:
                return conversion(conversation)
        except WornOutError:
            with self._conversation(anew=True) as conversation:
                return conversion(conversation)

    @contextmanager
    def _conversation(self, *, anew: bool = False) -> Iterator[Conversation]:
        """Lend a worker for one conversion; `anew`: one that has run none."""
        worker = self._idle.get()
        try:
            if worker is None:
                worker = self._start()
            elif not worker.alive or (anew and worker.used):
                # It may have died while idle.
                worker = self._replace(worker)
            yield Conversation(worker)
        except ConversionError:
            raise
        except BaseException:
            # Whatever interrupted the exchange, the worker may still wait in the midst of it.
            if worker is not None:
                worker.end()
            raise
        finally:
            self._idle.put(self._successor(worker))

    def close(self) -> None:
        """End all workers; conversions that still run fail."""
        with self._guard:
            self._closed = True
            living = tuple(self._living)
            self._living.clear()
        for worker in living:
            worker.kill()
        # Whoever holds a lent worker still reads from its pipes, and frees them when the conversation ends.
        idle: list[_Worker | None] = []
        with suppress(Empty):
            while True:
                idle.append(self._idle.get_nowait())
        for one in idle:
            if one is not None:
                one.end()
            self._idle.put(None)

    def process_ids(self) -> tuple[int, ...]:
        """Return the process identifiers of the workers that live."""
        with self._guard:
            return tuple(worker.process_id for worker in self._living)

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

    def exchange(self, message: Message) -> Message:
        """Write a message and read the reply within the wall-clock limit."""
        if "task" in message.header:
            self._left -= 1
        self._pipe.deadline = time.monotonic() + self._limits.seconds
        try:
            write(self._pipe, message)
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
