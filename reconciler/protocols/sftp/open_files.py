"""What a session holds open: a file that is read, a file on its way in, a listing."""

from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import BinaryIO

from reconciler.errors import Refusal, RefusedError
from reconciler.protocols.sftp.folders import Entry, Room, Upload
from reconciler.protocols.sftp.responses import Line

LINES = 128
"""Lines of a listing that one answer carries; so many of the longest names still fit into a packet."""


@dataclass(slots=True)
class Download:
    """A file that is read."""

    entry: Entry
    file: BinaryIO
    _position: int = 0

    def read(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset` on; empty at and after the end."""
        if offset >= self.entry.size:
            return b""
        if offset != self._position:
            self.file.seek(offset)
        content = self.file.read(length)
        self._position = offset + len(content)
        return content

    def release(self) -> None:
        """Close the file."""
        self.file.close()


@dataclass(frozen=True, slots=True)
class RoomForFile:
    """How large a file may become: `largest` bytes, and what the mailbox's other files leave of its `room`.

    The commit decides; this tells a client early, for some pay no heed to what closing a file comes to.
    """

    largest: int
    room: Room
    other_bytes: int
    other_files: int

    def require(self, size: int) -> None:
        """Raise RefusedError with QUOTA_EXCEEDED when the file may not have so many bytes."""
        if size > self.largest:
            raise RefusedError(Refusal.QUOTA_EXCEEDED, f"a file has at most {self.largest} bytes")
        self.room.require(self.other_bytes + size, self.other_files + 1)


@dataclass(slots=True)
class Arrival:
    """A file on its way in. What cannot be written spoils the whole: the client must not be told that it arrived."""

    folder: str
    name: str
    upload: Upload
    append: bool
    room: RoomForFile
    readable: bool = False
    modified: datetime | None = None
    removed: bool = False
    _failure: RefusedError | OSError | None = None

    def write(self, offset: int, data: memoryview) -> None:
        """Write `data` at `offset`, or at the end when appending. Raises RefusedError or OSError."""
        start = self.upload.size if self.append else offset
        self._require_room(start + len(data))
        try:
            self.upload.write(start, data)
        except (RefusedError, OSError) as failure:
            self._failure = failure
            raise

    def read(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes of what was written so far. Raises RefusedError or OSError."""
        if not self.readable:
            raise RefusedError(Refusal.PERMISSION_DENIED, "this handle is not open for reading")
        return self.upload.read(offset, length) if offset < self.upload.size else b""

    def truncate(self, size: int) -> None:
        """Set the size. Raises RefusedError or OSError."""
        self._require_room(size)
        try:
            self.upload.truncate(size)
        except (RefusedError, OSError) as failure:
            self._failure = failure
            raise

    def sync(self) -> None:
        """Bring the file to the disk as far as it is there. Raises RefusedError or OSError."""
        try:
            self.upload.sync()
        except (RefusedError, OSError) as failure:
            self._failure = failure
            raise

    def close(self) -> None:
        """Commit the file, unless the client removed it while it wrote.

        Raises what an earlier write raised, or what the commit raises; then nothing is left.
        """
        if self.removed:
            self.upload.abort()
            return
        if self._failure is not None:
            self.upload.abort()
            raise self._failure
        try:
            self.upload.commit(self.modified)
        except BaseException:
            self.upload.abort()
            raise

    def rename(self, name: str, *, replace: bool) -> None:
        """Let it become another file of its folder."""
        self.upload.rename(name, replace=replace)
        self.name = name

    def release(self) -> None:
        """Forget the file."""
        self.upload.abort()

    def _require_room(self, size: int) -> None:
        try:
            self.room.require(size)
        except RefusedError as failure:
            self._failure = failure
            raise


@dataclass(slots=True)
class Listing:
    """A folder that is being listed, read from its source no further than the client has asked."""

    lines: Generator[Line]

    def following(self) -> list[Line]:
        """Return the next lines; none at the end."""
        return list(islice(self.lines, LINES))

    def release(self) -> None:
        """Stop listing."""
        self.lines.close()


OpenFile = Download | Arrival | Listing
