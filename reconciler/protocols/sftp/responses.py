"""What a client is told, as bytes: SFTP version 3 (draft-ietf-secsh-filexfer-02; OpenSSH's PROTOCOL, section 4)."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from itertools import chain

from reconciler.errors import Refusal, RefusedError
from reconciler.protocols.sftp.paths import NAME_BYTES
from reconciler.protocols.sftp.requests import MAX_DATA, MAX_PACKET

VERSION = 3

_EXTENSIONS = (
    (b"posix-rename@openssh.com", b"1"),
    (b"statvfs@openssh.com", b"2"),
    (b"fstatvfs@openssh.com", b"2"),
    (b"fsync@openssh.com", b"1"),
    (b"limits@openssh.com", b"1"),
)
_SIZE, _OWNERS, _PERMISSIONS, _TIMES = 0x1, 0x2, 0x4, 0x8


class Status(IntEnum):
    """What a request came to (section 7)."""

    OK = 0
    EOF = 1
    NO_SUCH_FILE = 2
    PERMISSION_DENIED = 3
    FAILURE = 4
    BAD_MESSAGE = 5
    UNSUPPORTED = 8


_REFUSALS = {
    # Programs look for these words, which OpenSSH's server uses, at the beginning of a message.
    Refusal.NO_SUCH_FILE: (Status.NO_SUCH_FILE, "No such file: "),
    Refusal.PERMISSION_DENIED: (Status.PERMISSION_DENIED, "Permission denied: "),
    # Version 3 has no codes of its own for these; the message says which it is.
    Refusal.ALREADY_EXISTS: (Status.FAILURE, ""),
    Refusal.BAD_NAME: (Status.FAILURE, ""),
    Refusal.QUOTA_EXCEEDED: (Status.FAILURE, ""),
    Refusal.UNAVAILABLE: (Status.FAILURE, ""),
}


@dataclass(frozen=True, slots=True)
class Attributes:
    """What is told of a file or folder: bytes, mode as in stat(2), time of the last change in seconds since 1970."""

    size: int
    mode: int
    modified: int

    def encoded(self) -> bytes:
        """Return the attributes as the protocol writes them (section 5); its times end in the year 2106.

        Clients that would change an owner ask for it first: everything is user 0's and group 0's.
        """
        seconds = min(max(self.modified, 0), 0xFFFFFFFF)
        flags = _SIZE | _OWNERS | _PERMISSIONS | _TIMES
        return struct.pack(">IQIIIII", flags, self.size, 0, 0, self.mode, seconds, seconds)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a listing: the name, the line as `ls -l` would print it, and the attributes."""

    name: str
    long: str
    attributes: Attributes


def version() -> bytes:
    """Return the answer to Init: version 3 and the extensions that are really there."""
    return _packet(2, struct.pack(">I", VERSION), *(_string(part) for part in chain.from_iterable(_EXTENSIONS)))


def status(request: int, code: Status, message: str) -> bytes:
    """Return a status with a message for people."""
    return _packet(101, struct.pack(">II", request, code), _string(message.encode()), _string(b"en"))


def refusal(request: int, refused: RefusedError) -> bytes:
    """Return the status that tells why a request is refused."""
    code, words = _REFUSALS[refused.refusal]
    return status(request, code, f"{words}{refused}")


def handle(request: int, name: bytes) -> bytes:
    """Return a handle."""
    return _packet(102, struct.pack(">I", request), _string(name))


def data(request: int, content: bytes) -> bytes:
    """Return bytes that were read."""
    return _packet(103, struct.pack(">II", request, len(content)), content)


def names(request: int, lines: Iterable[Line]) -> bytes:
    """Return a part of a listing."""
    encoded = [_string(line.name.encode()) + _string(line.long.encode()) + line.attributes.encoded() for line in lines]
    return _packet(104, struct.pack(">II", request, len(encoded)), *encoded)


def real_path(request: int, path: str) -> bytes:
    """Return a path; its attributes are left out, as section 6.11 asks."""
    name = _string(path.encode())
    return _packet(104, struct.pack(">II", request, 1), name, name, struct.pack(">I", 0))


def attributes(request: int, found: Attributes) -> bytes:
    """Return attributes."""
    return _packet(105, struct.pack(">I", request), found.encoded())


def limits(request: int, handles: int) -> bytes:
    """Return the longest packet, read and write, and how many handles a session has."""
    return _packet(201, struct.pack(">IQQQQ", request, MAX_PACKET, MAX_DATA, MAX_DATA, handles))


@dataclass(frozen=True, slots=True)
class Space:
    """Room for files: bytes in all and still free, files in all and still free."""

    bytes: int
    bytes_free: int
    files: int
    files_free: int


_BLOCK = 1024
_NO_SUID = 0x2


def space(request: int, found: Space) -> bytes:
    """Return how much room there is, in the fields of statvfs(3)."""
    return _packet(
        201,
        struct.pack(
            ">I11Q",
            request,
            _BLOCK,
            _BLOCK,
            found.bytes // _BLOCK,
            found.bytes_free // _BLOCK,
            found.bytes_free // _BLOCK,
            found.files,
            found.files_free,
            found.files_free,
            0,
            _NO_SUID,
            NAME_BYTES,
        ),
    )


def _string(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


def _packet(kind: int, *parts: bytes) -> bytes:
    return b"".join((struct.pack(">IB", sum(map(len, parts)) + 1, kind), *parts))
