"""The worker processes of conversions, as the gateway holds them: started anew (never forked), limited, replaced.

A worker that dies or exceeds the wall-clock limit costs its own conversion only; its place is taken at once by a new
process, which starts while others work.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import LifoQueue
from typing import BinaryIO

import reconciler
from reconciler.conversion.frames import BrokenConversationError, Message, read, write
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

    @contextmanager
    def conversation(self) -> Iterator[Conversation]:
        """Lend a worker for one conversion, waiting for one to be idle. Raises ConversionError after `close`."""
        worker = self._idle.get()
        try:
            if worker is None:
                worker = self._start()
            elif worker.spent:
                # It died while idle.
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
            worker.end()

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
        # A worker that cannot start is found when the first conversion asks it.
        with suppress(OSError):
            write(self._stdin, Message({"limits": dict(asdict(limits))}))

    @property
    def _stdin(self) -> BinaryIO:
        stream = self._process.stdin
        if stream is None:
            raise ConversionError("conversion_killed", "the worker process has no input")
        return stream  # type: ignore[return-value]

    @property
    def spent(self) -> bool:
        """Whether this process shall run no further conversion."""
        # An alarm that rings just as the reply comes leaves a process that is about to die.
        return self._left <= 0 or self._timed_out or self._process.poll() is not None

    def exchange(self, message: Message) -> Message:
        """Write a message and read the reply within the wall-clock limit."""
        if "task" in message.header:
            self._left -= 1
        stdout = self._process.stdout
        if stdout is None:
            raise ConversionError("conversion_killed", "the worker process has no output")
        alarm = threading.Timer(self._limits.seconds, self._time_out)
        alarm.daemon = True
        alarm.start()
        try:
            write(self._stdin, message)
            return read(stdout)  # type: ignore[arg-type]
        except (OSError, BrokenConversationError, ValueError):
            raise self._death() from None
        finally:
            alarm.cancel()

    def end(self) -> None:
        """End the process now, and free its pipes."""
        # First the process: a thread that reads from it holds the pipe until then.
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()

    def _time_out(self) -> None:
        self._timed_out = True
        self._process.kill()

    def _death(self) -> ConversionError:
        self._process.kill()
        status = self._process.wait()
        if self._timed_out:
            return ConversionError("conversion_timeout", f"the conversion took longer than {self._limits.seconds:g} s")
        if status == -signal.SIGXCPU:
            return ConversionError("conversion_killed", f"it used more than {self._limits.cpu_seconds} s of CPU")
        return ConversionError(
            "conversion_killed",
            f"its process ended (status {status}), most likely for want of more than {self._limits.memory >> 20} MiB"
            " of memory",
        )
