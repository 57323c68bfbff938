"""Folders in memory: what the store does with rows, done with a dictionary. It passes the contract suite."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from threading import RLock
from typing import BinaryIO
from uuid import UUID

from reconciler.errors import Refusal, RefusedError
from reconciler.protocols.sftp.folders import BOUNDLESS, Entry, Room, Usage

Place = tuple[UUID, str, str]


@dataclass
class MemoryFolders:
    """`before_commit` runs before each commit, and may raise; `uploads` are those neither committed nor aborted."""

    files: dict[Place, tuple[bytes, datetime]] = field(default_factory=dict)
    commits: list[tuple[str, str]] = field(default_factory=list)
    uploads: set["MemoryUpload"] = field(default_factory=set)
    before_commit: Callable[[], None] = lambda: None
    _lock: RLock = field(default_factory=RLock)

    def put(self, mailbox: UUID, folder: str, name: str, content: bytes) -> None:
        """Lay a file down as the gateway does."""
        self.files[mailbox, folder, name] = (content, datetime.now(UTC))

    def get(self, mailbox: UUID, folder: str, name: str) -> bytes:
        """Return the bytes of a file."""
        return self.files[mailbox, folder, name][0]

    def names(self, mailbox: UUID, folder: str) -> list[str]:
        """Return the names in a folder, in order."""
        return [entry.name for entry in self.entries(mailbox, folder)]

    def entries(self, mailbox: UUID, folder: str) -> Generator[Entry]:
        for place in sorted(place for place in self.files if place[:2] == (mailbox, folder)):
            found = self.find(*place)
            if found is not None:
                yield found

    def find(self, mailbox: UUID, folder: str, name: str) -> Entry | None:
        found = self.files.get((mailbox, folder, name))
        return Entry(folder, name, len(found[0]), found[1]) if found else None

    def open(self, mailbox: UUID, folder: str, name: str) -> BinaryIO:
        return BytesIO(self._there((mailbox, folder, name))[0])

    def usage(self, mailbox: UUID) -> Usage:
        contents = [content for place, (content, _) in self.files.items() if place[0] == mailbox]
        return Usage(sum(map(len, contents)), len(contents), 1 << 40)

    def upload(
        self, mailbox: UUID, folder: str, name: str, *, exclusive: bool, keep: bool, room: Room = BOUNDLESS
    ) -> "MemoryUpload":
        place = (mailbox, folder, name)
        if exclusive and place in self.files:
            raise RefusedError(Refusal.ALREADY_EXISTS, f"{name} exists already")
        upload = MemoryUpload(
            self, place, exclusive, self.files[place][0] if keep and place in self.files else b"", room
        )
        self.uploads.add(upload)
        return upload

    def set_modified(self, mailbox: UUID, folder: str, name: str, modified: datetime) -> None:
        with self._lock:
            content, _ = self._there((mailbox, folder, name))
            self.files[mailbox, folder, name] = (content, modified)

    def commit(self, upload: "MemoryUpload", content: bytes, modified: datetime | None) -> None:
        with self._lock:
            self.before_commit()
            if upload.exclusive and upload.place in self.files:
                raise RefusedError(Refusal.ALREADY_EXISTS, f"{upload.place[2]} exists already")
            usage = self.usage(upload.place[0])
            taken = self.files.get(upload.place)
            gone, one = (len(taken[0]), 0) if taken else (0, 1)
            upload.room.require(usage.bytes - gone + len(content), usage.files + one)
            self.put(*upload.place, content)
            if modified is not None:
                self.files[upload.place] = (content, modified)
            self.commits.append(upload.place[1:])

    def rename(self, mailbox: UUID, source: tuple[str, str], target: tuple[str, str], *, replace: bool) -> None:
        with self._lock:
            found = self._there((mailbox, *source))
            if not replace and (mailbox, *target) in self.files:
                raise RefusedError(Refusal.ALREADY_EXISTS, f"{target[1]} exists already")
            self.files[mailbox, *target] = found
            del self.files[mailbox, *source]

    def remove(self, mailbox: UUID, folder: str, name: str) -> None:
        with self._lock:
            self._there((mailbox, folder, name))
            del self.files[mailbox, folder, name]

    def _there(self, place: Place) -> tuple[bytes, datetime]:
        if place not in self.files:
            raise RefusedError(Refusal.NO_SUCH_FILE, f"there is no {place[2]}")
        return self.files[place]


class MemoryUpload:
    """An upload into MemoryFolders."""

    def __init__(self, folders: MemoryFolders, place: Place, exclusive: bool, content: bytes, room: Room) -> None:
        self.room = room
        self.place = place
        self.exclusive = exclusive
        self._folders = folders
        self._content = BytesIO(content)

    @property
    def size(self) -> int:
        return len(self._content.getbuffer())

    def read(self, offset: int, length: int) -> bytes:
        self._content.seek(offset)
        return self._content.read(length)

    def write(self, offset: int, data: bytes | memoryview) -> None:
        self._content.seek(offset)
        self._content.write(data)

    def truncate(self, size: int) -> None:
        self._content.truncate(size)
        if size > self.size:
            self._content.seek(size - 1)
            self._content.write(b"\0")

    def sync(self) -> None:
        pass

    def rename(self, name: str, *, replace: bool) -> None:
        self.place = (*self.place[:2], name)
        self.exclusive = not replace

    def commit(self, modified: datetime | None = None) -> None:
        self._folders.commit(self, self._content.getvalue(), modified)
        self._folders.uploads.discard(self)

    def abort(self) -> None:
        self._folders.uploads.discard(self)
