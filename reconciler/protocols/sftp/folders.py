"""The port to the five folders of a mailbox: what the SFTP server needs of whoever keeps the files."""

from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol
from uuid import UUID

from reconciler.errors import Refusal, RefusedError

FOLDERS = ("inbox", "outbox", "cinbox", "coutbox", "error")
"""What each login sees, and nothing else."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in a folder: size in bytes, time of its last change in UTC."""

    folder: str
    name: str
    size: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class Room:
    """What the files of a mailbox may come to: bytes of all, and how many; None is without limit."""

    bytes: int | None = None
    files: int | None = None

    def require(self, bytes_: int, files: int) -> None:
        """Raise RefusedError with QUOTA_EXCEEDED when so much is more than may be."""
        if self.bytes is not None and bytes_ > self.bytes:
            raise RefusedError(
                Refusal.QUOTA_EXCEEDED, f"the mailbox is full: its files have at most {self.bytes} bytes"
            )
        if self.files is not None and files > self.files:
            raise RefusedError(Refusal.QUOTA_EXCEEDED, f"the mailbox is full: it has at most {self.files} files")


BOUNDLESS = Room()


@dataclass(frozen=True, slots=True)
class Usage:
    """What the files of a mailbox come to, and the bytes that can still be stored, whatever the quota."""

    bytes: int
    files: int
    free: int


class Upload(Protocol):
    """A file on its way in: invisible until `commit`, traceless after `abort`. One thread uses it at a time.

    Every method but `abort` may raise RefusedError, such as for a quota, or OSError, such as for a full disk.
    """

    @property
    def size(self) -> int:
        """The bytes that the file would have if it were committed now."""
        ...

    def read(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes of what was written so far; empty at and after the end."""
        ...

    def write(self, offset: int, data: bytes | memoryview) -> None:
        """Write all of `data` at `offset`; a gap before it reads as zeros."""
        ...

    def truncate(self, size: int) -> None:
        """Cut the file, or lengthen it with zeros, to `size` bytes."""
        ...

    def sync(self) -> None:
        """Bring what was written so far to the disk."""
        ...

    def rename(self, name: str, *, replace: bool) -> None:
        """Let it become another file of its folder, by a commit that refuses to take another's place or does not."""
        ...

    def commit(self, modified: datetime | None = None) -> None:
        """Make the file durable, visible and a job, in one transaction; nothing of it when this raises.

        `modified` is the time of its last change; None is now.
        """
        ...

    def abort(self) -> None:
        """Forget the file. May be called again, and after `commit`, where it does nothing. Never raises."""
        ...


class Folders(Protocol):
    """The folders of all mailboxes. Called from many threads at once; every method may raise RefusedError or OSError.

    `folder` is one of FOLDERS, `name` obeys `paths`. What may be done in which folder is decided before: `permissions`.
    """

    def entries(self, mailbox: UUID, folder: str) -> Generator[Entry]:
        """Yield the files of a folder in the order of their names, read as they are asked for.

        It is closed early when nobody reads it to its end.
        """
        ...

    def find(self, mailbox: UUID, folder: str, name: str) -> Entry | None:
        """Return a file's entry, or None when there is none."""
        ...

    def open(self, mailbox: UUID, folder: str, name: str) -> BinaryIO:
        """Open a file's bytes, seekable; what it was opened on stays readable after the file is gone. NO_SUCH_FILE."""
        ...

    def upload(
        self, mailbox: UUID, folder: str, name: str, *, exclusive: bool, keep: bool, room: Room = BOUNDLESS
    ) -> Upload:
        """Begin a file. `keep` starts from the content that is there (none is empty), else from nothing.

        `exclusive` refuses with ALREADY_EXISTS when the file exists, now or at the commit; QUOTA_EXCEEDED at the commit
        when the mailbox's files would then come to more than `room`.
        """
        ...

    def usage(self, mailbox: UUID) -> Usage:
        """Return what a mailbox's files come to."""
        ...

    def set_modified(self, mailbox: UUID, folder: str, name: str, modified: datetime) -> None:
        """Set the time of a file's last change. NO_SUCH_FILE when there is none."""
        ...

    def rename(self, mailbox: UUID, source: tuple[str, str], target: tuple[str, str], *, replace: bool) -> None:
        """Move (folder, name) to (folder, name), in one transaction.

        NO_SUCH_FILE; ALREADY_EXISTS when the target exists and is not to be replaced.
        """
        ...

    def remove(self, mailbox: UUID, folder: str, name: str) -> None:
        """Remove a file. NO_SUCH_FILE when there is none."""
        ...
