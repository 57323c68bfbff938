"""Where large payloads lie: a folder of this machine, or an object store that all nodes reach."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from shutil import copyfileobj
from typing import BinaryIO, Protocol

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Lying:
    """A payload as it lies on a shelf."""

    name: str
    size: int
    modified_at: datetime


class Shelf(Protocol):
    """Keeps immutable bytes under their SHA-256. `open` raises FileNotFoundError; all raise OSError."""

    def keep(self, source: BinaryIO, name: str) -> None:
        """Keep a payload for good: when this returns, it outlives a loss of power."""
        ...

    def holds(self, name: str) -> bool:
        """Say whether the payload is there."""
        ...

    def open(self, name: str) -> BinaryIO:
        """Return a payload as a seekable file, unchecked."""
        ...

    def drop(self, name: str) -> None:
        """Forget a payload, if it is there."""
        ...

    def lying(self) -> Iterator[Lying]:
        """Yield everything that is there."""
        ...


class FolderShelf:
    """Payloads as files of a folder, in subfolders by the first two digits of their names."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def path(self, name: str) -> Path:
        """Return where a payload lies."""
        return self._folder / name[:2] / name[2:]

    def keep(self, source: BinaryIO, name: str) -> None:
        """Give a file its name: bytes flushed to disk first, then the name, then the folders that hold it."""
        path = self.path(name)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        if not path.exists():
            os.fsync(source.fileno())
            with suppress(FileExistsError):  # the same bytes, stored at the same moment
                _link(source, path)
        for folder in (path.parent, self._folder):
            sync_folder(folder)

    def holds(self, name: str) -> bool:
        """Say whether the file is there."""
        return self.path(name).exists()

    def open(self, name: str) -> BinaryIO:
        """Return the file."""
        return self.path(name).open("rb")

    def drop(self, name: str) -> None:
        """Remove the file."""
        self.path(name).unlink(missing_ok=True)

    def lying(self) -> Iterator[Lying]:
        """Yield the files."""
        for path in sorted(self._folder.glob("??/*")):
            with suppress(FileNotFoundError):  # collected meanwhile
                found = path.stat()
                changed = datetime.fromtimestamp(found.st_mtime, UTC)
                yield Lying(path.parent.name + path.name, found.st_size, changed)


def _link(source: BinaryIO, path: Path) -> None:
    """Name an unnamed file without copying it, or copy it where the file system cannot do that."""
    try:
        # Relative to a folder, because Python follows the link to the open file in linkat(2) alone.
        descriptors = os.open("/proc/self/fd", os.O_RDONLY)
        try:
            os.link(str(source.fileno()), path, src_dir_fd=descriptors, follow_symlinks=True)
        finally:
            os.close(descriptors)
    except FileExistsError:
        raise
    except OSError:
        draft = path.with_name(f"{path.name}.{os.getpid()}.{source.fileno()}")
        try:
            with draft.open("wb") as target:
                source.seek(0)
                copyfileobj(source, target, CHUNK)
                target.flush()
                os.fsync(target.fileno())
            draft.rename(path)
        finally:
            draft.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder outlive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
