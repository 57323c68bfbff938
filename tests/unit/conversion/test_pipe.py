"""Messages through pipes: in pieces, larger than a pipe, and never longer than until the deadline."""

import os
import threading
import time
from collections.abc import Iterator

import pytest

from reconciler.conversion.frames import BrokenConversationError, Message, read, write
from reconciler.conversion.pipe import Pipe


@pytest.fixture
def ends() -> Iterator[tuple[Pipe, int, int]]:
    """Return a pipe, and what its other side reads from and writes to."""
    reading, their_writing = os.pipe()
    their_reading, writing = os.pipe()
    pipe = Pipe(reading, writing)
    pipe.deadline = time.monotonic() + 60
    yield pipe, their_reading, their_writing
    for descriptor in (reading, writing, their_reading, their_writing):
        os.close(descriptor)


def test_a_message_larger_than_the_pipe_goes_both_ways(ends: tuple[Pipe, int, int]) -> None:
    pipe, reading, writing = ends
    message = Message({"a": 1}, (b"x" * 3_000_000, b"", b"y"))

    def echo() -> None:
        with os.fdopen(os.dup(reading), "rb") as stream, os.fdopen(os.dup(writing), "wb") as answers:
            write(answers, read(stream))

    thread = threading.Thread(target=echo)
    thread.start()
    write(pipe, message)
    assert read(pipe) == message
    thread.join()


def test_a_message_that_comes_byte_by_byte(ends: tuple[Pipe, int, int]) -> None:
    pipe, _, writing = ends
    header = b'[{"b":2},[2]]'
    content = len(header).to_bytes(8, "big") + header + b"ok"

    def trickle() -> None:
        for byte in content:
            os.write(writing, bytes([byte]))

    thread = threading.Thread(target=trickle)
    thread.start()
    assert read(pipe) == Message({"b": 2}, (b"ok",))
    thread.join()


def test_silence_and_a_full_pipe_end_at_the_deadline(ends: tuple[Pipe, int, int]) -> None:
    pipe, _, _ = ends
    pipe.deadline = time.monotonic() + 0.05
    with pytest.raises(TimeoutError):
        pipe.read(1)
    pipe.deadline = time.monotonic() + 0.05
    pipe.write(b"x" * 1_000_000)
    with pytest.raises(TimeoutError):
        pipe.flush()


def test_the_end_of_the_other_side_is_a_broken_conversation() -> None:
    reading, their_writing = os.pipe()
    their_reading, writing = os.pipe()
    pipe = Pipe(reading, writing)
    pipe.deadline = time.monotonic() + 60
    os.write(their_writing, b"\0\0")
    os.close(their_writing)
    with pytest.raises(BrokenConversationError):
        read(pipe)
    os.close(their_reading)
    with pytest.raises(OSError, match="pipe"):
        write(pipe, Message({}))
    os.close(reading)
    os.close(writing)
