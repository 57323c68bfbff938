"""Messages between the gateway and a conversion's worker process: a JSON header after its length, and raw frames.

No pickle: what a worker that ran a hostile map writes is read as data, never as objects.
"""

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # a worker process starts without pydantic, in a third of the time
    from reconciler.model.noun import Json

_LENGTH = struct.Struct(">Q")
_MAX_LENGTH = 1 << 31
_MAX_FRAMES = 100_000
_SMALL = 1 << 20


class BrokenConversationError(EOFError):
    """The other side ended, or wrote what is no message."""


@dataclass(frozen=True, slots=True)
class Message:
    """A header and the byte strings that belong to it."""

    header: "dict[str, Json]"
    frames: Sequence[bytes] = field(default_factory=tuple)


def present(header: "dict[str, Json]") -> "dict[str, Json]":
    """Return a header without what there is nothing of, which need not be written and read."""
    return {name: value for name, value in header.items() if value}


class Reading(Protocol):
    """What messages are read from."""

    def read(self, size: int, /) -> bytes:
        """Return so many bytes, fewer at the end."""
        ...


class Writing(Protocol):
    """What messages are written to."""

    def write(self, data: bytes, /) -> object:
        """Take bytes."""
        ...

    def flush(self) -> None:
        """Pass on what was taken."""
        ...


def write(stream: Writing, message: Message) -> None:
    """Write a message and flush. Raises OSError when the other side is gone."""
    for piece in encoded(message):
        stream.write(piece)
    stream.flush()


def encoded(message: Message) -> Sequence[bytes]:
    """Return what is to be written of a message."""
    header = json.dumps([message.header, list(map(len, message.frames))]).encode()
    parts = (_LENGTH.pack(len(header)), header, *message.frames)
    # In one piece, so that the reader is woken once; unless that would take the memory for it twice.
    return (b"".join(parts),) if sum(map(len, parts)) <= _SMALL else parts


def read(stream: Reading) -> Message:
    """Read one message. Raises BrokenConversationError when there is none, or half of one."""
    (length,) = _LENGTH.unpack(_exactly(stream, _LENGTH.size))
    try:
        parsed = json.loads(_exactly(stream, length))
    except (ValueError, RecursionError):
        raise BrokenConversationError("the header is not JSON") from None
    match parsed:
        case [dict(header), list(sizes)] if len(sizes) <= _MAX_FRAMES and all(isinstance(size, int) for size in sizes):
            return Message(header, tuple(_exactly(stream, size) for size in sizes))
        case _:
            raise BrokenConversationError("the header is not a mapping and the sizes of frames")


def _exactly(stream: Reading, size: int) -> bytes:
    if not 0 <= size <= _MAX_LENGTH:
        raise BrokenConversationError("a frame is shorter than nothing or longer than any conversion needs")
    data = stream.read(size)
    if len(data) != size:
        raise BrokenConversationError("the other side ended")
    return data
