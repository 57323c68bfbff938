"""What a mailbox's quota leaves to its files."""

from dataclasses import dataclass
from uuid import UUID

from reconciler.protocols.sftp.folders import BOUNDLESS, Folders, Room
from reconciler.protocols.sftp.open_files import RoomForFile
from reconciler.protocols.sftp.responses import Space

_MANY_FILES = 2**32
"""How many files are said to have room where no quota counts them."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """The bounds of a mailbox: `largest` bytes of a file, `room` for all of them."""

    mailbox: UUID
    folders: Folders
    largest: int
    room: Room

    def for_file(self, folder: str, name: str) -> RoomForFile:
        """Return how large a file may become that takes the place of what is there."""
        if self.room == BOUNDLESS:
            return RoomForFile(self.largest, self.room, 0, 0)
        usage = self.folders.usage(self.mailbox)
        taken = self.folders.find(self.mailbox, folder, name)
        gone, one = (taken.size, 1) if taken else (0, 0)
        return RoomForFile(self.largest, self.room, usage.bytes - gone, usage.files - one)

    def space(self) -> Space:
        """Return how much room there is."""
        usage = self.folders.usage(self.mailbox)
        room = usage.free if self.room.bytes is None else self.room.bytes - usage.bytes
        bytes_free = max(0, min(usage.free, room))
        files_free = max(0, (_MANY_FILES if self.room.files is None else self.room.files) - usage.files)
        return Space(usage.bytes + bytes_free, bytes_free, usage.files + files_free, files_free)
