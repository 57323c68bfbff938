"""Messages between the gateway and a conversion's worker process: a JSON header and raw frames, each length-prefixed.

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
    header = json.dumps([message.header, len(message.frames)]).encode()
    parts = [piece for part in (header, *message.frames) for piece in (_LENGTH.pack(len(part)), part)]
    # In one piece, so that the reader is woken once; unless that would take the memory for it twice.
    for piece in [b"".join(parts)] if sum(map(len, parts)) <= _SMALL else parts:
        stream.write(piece)
    stream.flush()


def read(stream: Reading) -> Message:
    """Read one message. Raises BrokenConversationError when there is none, or half of one."""
    try:
        parsed = json.loads(_part(stream))
    except (ValueError, RecursionError):
        raise BrokenConversationError("the header is not JSON") from None
    match parsed:
        case [dict(header), int(count)] if 0 <= count <= _MAX_FRAMES:
            return Message(header, tuple(_part(stream) for _ in range(count)))
        case _:
            raise BrokenConversationError("the header is not a mapping and the number of frames")


def _part(stream: Reading) -> bytes:
    (length,) = _LENGTH.unpack(_exactly(stream, _LENGTH.size))
    if length > _MAX_LENGTH:
        raise BrokenConversationError("a frame is longer than any conversion needs")
    return _exactly(stream, length)


def _exactly(stream: Reading, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise BrokenConversationError("the other side ended")
    return data
