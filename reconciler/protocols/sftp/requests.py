"""What a client asks, read from bytes: SFTP version 3 (draft-ietf-secsh-filexfer-02; OpenSSH's PROTOCOL, section 4)."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntFlag

from reconciler.errors import ReconcilerError

MAX_PACKET = 256 * 1024
"""The longest packet in bytes, its length field not counted: what OpenSSH takes."""

MAX_DATA = MAX_PACKET - 1024
"""The most bytes that one read or write carries."""

_LENGTH_FIELD = 4

_SIZE, _OWNERS, _PERMISSIONS, _TIMES = 0x1, 0x2, 0x4, 0x8
"""The flags of the attributes that follow them (section 5)."""


class OpenFlag(IntFlag):
    """How a file is opened (section 6.3)."""

    READ = 0x01
    WRITE = 0x02
    APPEND = 0x04
    CREATE = 0x08
    TRUNCATE = 0x10
    EXCLUSIVE = 0x20


class MalformedError(ReconcilerError):
    """What came is no SFTP; nothing after it can be understood, so the session ends."""


@dataclass(frozen=True, slots=True)
class Init:
    """The first packet of a client: the highest version that it speaks."""

    version: int


@dataclass(frozen=True, slots=True)
class Open:
    """Open a file."""

    id: int
    path: bytes
    flags: OpenFlag


@dataclass(frozen=True, slots=True)
class Close:
    """Close a file or a listing."""

    id: int
    handle: bytes


@dataclass(frozen=True, slots=True)
class Read:
    """Read bytes of an open file."""

    id: int
    handle: bytes
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Write:
    """Write bytes to an open file."""

    id: int
    handle: bytes
    offset: int
    data: memoryview


@dataclass(frozen=True, slots=True)
class Stat:
    """Ask for the attributes of a path; `itself` is said where a link would not be followed (lstat)."""

    id: int
    path: bytes
    itself: bool


@dataclass(frozen=True, slots=True)
class HandleStat:
    """Ask for the attributes of an open file."""

    id: int
    handle: bytes


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be set: bytes, and the time of the last change in seconds since 1970; None where it shall stay.

    Owners and modes are read over: nobody keeps them here.
    """

    size: int | None
    modified: int | None


@dataclass(frozen=True, slots=True)
class SetStat:
    """Set attributes of a path."""

    id: int
    path: bytes
    changes: Changes


@dataclass(frozen=True, slots=True)
class HandleSetStat:
    """Set attributes of an open file."""

    id: int
    handle: bytes
    changes: Changes


@dataclass(frozen=True, slots=True)
class OpenFolder:
    """Begin a listing."""

    id: int
    path: bytes


@dataclass(frozen=True, slots=True)
class ReadFolder:
    """Ask for the next part of a listing."""

    id: int
    handle: bytes


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove a file."""

    id: int
    path: bytes


@dataclass(frozen=True, slots=True)
class Rename:
    """Move a file; `replace` for posix-rename@openssh.com."""

    id: int
    source: bytes
    target: bytes
    replace: bool


@dataclass(frozen=True, slots=True)
class RealPath:
    """Ask for the absolute form of a path."""

    id: int
    path: bytes


@dataclass(frozen=True, slots=True)
class Limits:
    """Ask how much a request may carry (limits@openssh.com)."""

    id: int


@dataclass(frozen=True, slots=True)
class Sync:
    """Bring a file on its way in to the disk (fsync@openssh.com)."""

    id: int
    handle: bytes


@dataclass(frozen=True, slots=True)
class SpaceOfPath:
    """Ask how much room there is (statvfs@openssh.com)."""

    id: int
    path: bytes


@dataclass(frozen=True, slots=True)
class SpaceOfHandle:
    """Ask how much room there is (fstatvfs@openssh.com)."""

    id: int
    handle: bytes


@dataclass(frozen=True, slots=True)
class ChangeFolder:
    """Make a folder, or remove it."""

    id: int
    path: bytes
    make: bool


@dataclass(frozen=True, slots=True)
class Link:
    """Make or read a link, symbolic or hard."""

    id: int


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A request that is not known here."""

    id: int


Request = (
    Open
    | Close
    | Read
    | Write
    | Stat
    | HandleStat
    | SetStat
    | HandleSetStat
    | OpenFolder
    | ReadFolder
    | Remove
    | Rename
    | RealPath
    | Limits
    | Sync
    | SpaceOfPath
    | SpaceOfHandle
    | ChangeFolder
    | Link
    | Unsupported
)


class Packets:
    """Cuts a stream into packets; iterating yields those that are complete, each without its length."""

    def __init__(self) -> None:
        self._parts: deque[memoryview] = deque()
        self._length = 0

    def feed(self, data: bytes | memoryview) -> None:
        """Add bytes of the stream; they are not copied, and must stay as they are."""
        if data:
            self._parts.append(memoryview(data))
            self._length += len(data)

    def __len__(self) -> int:
        """Return how many bytes wait."""
        return self._length

    def __iter__(self) -> Iterator[memoryview]:
        """Yield complete packets. Raises MalformedError at a length that no packet has, before the packet is there."""
        while self._length >= _LENGTH_FIELD:
            length = int.from_bytes(self._first(_LENGTH_FIELD))
            if not 0 < length <= MAX_PACKET:
                raise MalformedError(f"a packet of {length} bytes; at most {MAX_PACKET} are taken")
            if self._length < _LENGTH_FIELD + length:
                return
            packet = self._first(_LENGTH_FIELD + length)
            self._drop(len(packet))
            yield packet[_LENGTH_FIELD:]

    def _first(self, length: int) -> memoryview:
        """Return the first bytes, joined only where they came in several parts."""
        parts = self._parts
        if len(parts[0]) < length:
            joined: list[memoryview] = []
            missing = length
            while missing > 0:
                joined.append(part := parts.popleft())
                missing -= len(part)
            parts.appendleft(memoryview(b"".join(joined)))
        return parts[0][:length]

    def _drop(self, length: int) -> None:
        self._length -= length
        rest = self._parts.popleft()[length:]
        if rest:
            self._parts.appendleft(rest)


class _Fields:
    """Reads the fields of one packet in turn."""

    def __init__(self, packet: bytes | memoryview) -> None:
        self._packet = memoryview(packet)
        self._position = 1

    def _take(self, length: int) -> memoryview:
        start, self._position = self._position, self._position + length
        if self._position > len(self._packet):
            raise MalformedError("a packet ends within a field")
        return self._packet[start : self._position]

    def uint32(self) -> int:
        return int.from_bytes(self._take(4))

    def uint64(self) -> int:
        return int.from_bytes(self._take(8))

    def string(self) -> bytes:
        return bytes(self.data())

    def data(self) -> memoryview:
        return self._take(self.uint32())

    def changes(self) -> Changes:
        flags = self.uint32()
        size = self.uint64() if flags & _SIZE else None
        self._take(8 * bool(flags & _OWNERS) + 4 * bool(flags & _PERMISSIONS))
        if not flags & _TIMES:
            return Changes(size, None)
        self.uint32()
        return Changes(size, self.uint32())


def decode_init(packet: memoryview) -> Init:
    """Read the first packet of a session. Raises MalformedError when it is another."""
    if packet[0] != 1:
        raise MalformedError("a session begins with its version")
    return Init(_Fields(packet).uint32())


def id_of(packet: memoryview) -> int:
    """Return the number by which a client knows its request. Raises MalformedError when there is none."""
    return _Fields(packet).uint32()


def decode(packet: memoryview) -> Request:  # noqa: C901, PLR0911, PLR0912 - one case a kind of request
    """Read a request. Raises MalformedError when a field is cut off."""
    fields = _Fields(packet)
    request = fields.uint32()
    match packet[0]:
        case 3:
            return Open(request, fields.string(), OpenFlag(fields.uint32() & 0x3F))
        case 4:
            return Close(request, fields.string())
        case 5:
            return Read(request, fields.string(), fields.uint64(), fields.uint32())
        case 6:
            return Write(request, fields.string(), fields.uint64(), fields.data())
        case 7 | 17 as kind:
            return Stat(request, fields.string(), itself=kind == 7)  # noqa: PLR2004 - SSH_FXP_LSTAT
        case 8:
            return HandleStat(request, fields.string())
        case 9:
            return SetStat(request, fields.string(), fields.changes())
        case 10:
            return HandleSetStat(request, fields.string(), fields.changes())
        case 11:
            return OpenFolder(request, fields.string())
        case 12:
            return ReadFolder(request, fields.string())
        case 13:
            return Remove(request, fields.string())
        case 14:
            return ChangeFolder(request, fields.string(), make=True)
        case 15:
            return ChangeFolder(request, fields.string(), make=False)
        case 16:
            return RealPath(request, fields.string())
        case 18:
            return Rename(request, fields.string(), fields.string(), replace=False)
        case 19 | 20:
            return Link(request)
        case 200:
            return _decode_extended(request, fields)
        case _:
            return Unsupported(request)


def _decode_extended(request: int, fields: _Fields) -> Request:  # noqa: PLR0911 - one case a kind of request
    match fields.string():
        case b"posix-rename@openssh.com":
            return Rename(request, fields.string(), fields.string(), replace=True)
        case b"limits@openssh.com":
            return Limits(request)
        case b"fsync@openssh.com":
            return Sync(request, fields.string())
        case b"statvfs@openssh.com":
            return SpaceOfPath(request, fields.string())
        case b"fstatvfs@openssh.com":
            return SpaceOfHandle(request, fields.string())
        case b"hardlink@openssh.com":
            return Link(request)
        case _:
            return Unsupported(request)
