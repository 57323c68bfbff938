"""The pipes to a worker process, read and written until a deadline, without a thread that watches the clock."""

import os
import select
import time
from collections.abc import Sequence

_CHUNK = 1 << 16
_CHUNKS = 256


class Pipe:
    """Two file descriptors, which are the caller's to close. Not to be shared between threads at one time.

    `read` and `flush` raise TimeoutError at the `deadline`, a time of `time.monotonic`.
    """

    def __init__(self, reading: int, writing: int) -> None:
        self.deadline = 0.0
        self._reading, self._writing = reading, writing
        self._readable, self._writable = select.poll(), select.poll()
        self._readable.register(reading, select.POLLIN)
        self._writable.register(writing, select.POLLOUT)
        self._read = bytearray()
        self._unwritten: list[memoryview] = []
        for descriptor in (reading, writing):
            os.set_blocking(descriptor, False)

    def read(self, size: int) -> bytes:
        """Return so many bytes, fewer when the other side ended."""
        while len(self._read) < size:
            self._await(self._readable)
            chunk = os.read(self._reading, max(_CHUNK, min(size - len(self._read), 1 << 20)))
            if not chunk:
                break
            self._read += chunk
        with memoryview(self._read) as read:
            data = bytes(read[:size])
        del self._read[:size]
        return data

    def write(self, data: bytes) -> None:
        """Take bytes to be written."""
        if data:
            self._unwritten.append(memoryview(data))

    def flush(self) -> None:
        """Write what was taken. Raises OSError when the other side is gone."""
        while not self.push():
            self._await(self._writable)

    def push(self) -> bool:
        """Write what can be written without waiting, and say whether that was all. Raises OSError as `flush` does."""
        while self._unwritten:
            try:
                written = os.writev(self._writing, self._unwritten[:_CHUNKS])
            except BlockingIOError:
                return False
            self._unwritten = _after(self._unwritten, written)
        return True

    def _await(self, ready: select.poll) -> None:
        left = self.deadline - time.monotonic()
        if left <= 0 or not ready.poll(left * 1000):
            raise TimeoutError


def _after(pending: Sequence[memoryview], written: int) -> list[memoryview]:
    """Return what is left of buffers after so many bytes of them."""
    for index, data in enumerate(pending):
        if written < len(data):
            return [data[written:], *pending[index + 1 :]]
        written -= len(data)
    return []
