"""Payloads: immutable bytes named by their SHA-256, small ones inside their row, large ones as files."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import BinaryIO

from sqlalchemy import Connection, select

from reconciler.errors import BlobError
from reconciler.model.source_file import digest
from reconciler.store.tables import blob
from reconciler.store.upsert import insert_if_absent

INLINE = 32 * 1024
"""Bytes up to which a payload stays inside its row: one fsync fewer than a file of its own."""

_CHUNK = 1 << 20


class Sealed:
    """A payload whose bytes are safe on disk (or small enough for a row) but not named by any row yet."""

    def __init__(self, name: str, size: int, content: bytes | None) -> None:
        self.sha256 = name
        self.size = size
        self.content = content


class Spool:
    """A payload while it is being written, at any offset; it has no name, so that a crash leaves nothing behind."""

    def __init__(self, blobs: "Blobs") -> None:
        self._blobs = blobs
        self._file = TemporaryFile(dir=blobs.spool_folder)  # noqa: SIM115 - closed by seal or discard

    def write(self, offset: int, data: bytes) -> None:
        """Write bytes at an offset; a gap reads as zeros."""
        os.pwrite(self._file.fileno(), data, offset)

    def fill(self, content: BinaryIO) -> None:
        """Begin with the bytes of a file."""
        copyfileobj(content, self._file, _CHUNK)
        self._file.flush()

    def read(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes from an offset."""
        return os.pread(self._file.fileno(), size, offset)

    def truncate(self, size: int) -> None:
        """Cut or extend to `size` bytes."""
        os.ftruncate(self._file.fileno(), size)

    @property
    def size(self) -> int:
        """Bytes so far."""
        return os.fstat(self._file.fileno()).st_size

    def seal(self) -> Sealed:
        """Return the finished payload, durable where it is a file. Raises OSError when the disk refuses."""
        size = self.size
        if size <= INLINE:
            content = self.read(0, size)
            self._file.close()
            return Sealed(digest(content), size, content)
        name = sha256()
        for offset in range(0, size, _CHUNK):
            name.update(self.read(offset, _CHUNK))
        self._blobs.keep(self._file, name.hexdigest())
        self._file.close()
        return Sealed(name.hexdigest(), size, None)

    def discard(self) -> None:
        """Forget the bytes; may be called at any time, more than once."""
        self._file.close()


class Blobs:
    """The payloads of one store. `folder` holds the large ones."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "blobs"
        self.spool_folder = folder / "spool"
        for path in (self._folder, self.spool_folder):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def path(self, name: str) -> Path:
        """Return where a large payload lies."""
        return self._folder / name[:2] / name[2:]

    def keep(self, source: BinaryIO, name: str) -> None:
        """Give a large payload its name: bytes flushed to disk first, then the name, then the folders that hold it."""
        path = self.path(name)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        if not path.exists():
            os.fsync(source.fileno())
            with suppress(FileExistsError):  # the same bytes, stored at the same moment
                _link(source, path)
        for folder in (path.parent, self._folder):
            _sync_folder(folder)

    def seal(self, content: bytes) -> Sealed:
        """Return bytes that are in memory already as a finished payload."""
        with self.spool() as spool:
            spool.write(0, content)
            return spool.seal()

    def put(self, tx: Connection, sealed: Sealed) -> str:
        """Name a finished payload in this transaction and return its SHA-256."""
        row = {
            "sha256": sealed.sha256,
            "size": sealed.size,
            "content": sealed.content,
            "created_at": datetime.now(UTC),
        }
        insert_if_absent(tx, blob, row)
        return sealed.sha256

    def size(self, connection: Connection, name: str) -> int:
        """Return a payload's size in bytes. Raises BlobError when no row names it."""
        size: int | None = connection.execute(select(blob.c.size).where(blob.c.sha256 == name)).scalar()
        if size is None:
            raise BlobError(f"payload {name} is missing")
        return size

    def read(self, connection: Connection, name: str) -> bytes:
        """Return a payload, checked against its name. Raises BlobError when it is missing or damaged."""
        row = connection.execute(select(blob.c.content).where(blob.c.sha256 == name)).first()
        if row is None:
            raise BlobError(f"payload {name} is missing")
        try:
            content: bytes = self.path(name).read_bytes() if row.content is None else row.content
        except FileNotFoundError:
            raise BlobError(f"payload {name} is missing: {self.path(name)} is not there") from None
        if digest(content) != name:
            raise BlobError(f"payload {name} is damaged: its bytes are not those that were stored")
        return content

    def open(self, connection: Connection, name: str) -> BinaryIO:
        """Return a payload as a seekable file. Raises BlobError when it is missing or, for a small one, damaged."""
        row = connection.execute(select(blob.c.content).where(blob.c.sha256 == name)).first()
        if row is not None and row.content is None:
            try:
                return self.path(name).open("rb")
            except FileNotFoundError:
                raise BlobError(f"payload {name} is missing: {self.path(name)} is not there") from None
        return BytesIO(self.read(connection, name))

    @contextmanager
    def spool(self) -> Iterator[Spool]:
        """Yield a place to write a payload to; its bytes are gone afterwards unless sealed."""
        spool = Spool(self)
        try:
            yield spool
        finally:
            spool.discard()


class Batch:
    """Payloads that are made durable before a transaction, so that it need not wait for the disk, and named in it."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._sealed: list[Sealed] = []

    def add(self, content: bytes) -> str:
        """Make bytes durable and return their SHA-256."""
        self._sealed.append(self._blobs.seal(content))
        return self._sealed[-1].sha256

    def put(self, tx: Connection) -> None:
        """Name all payloads in this transaction."""
        for sealed in self._sealed:
            self._blobs.put(tx, sealed)


def _link(source: BinaryIO, path: Path) -> None:
    """Name an unnamed file without copying it, or copy it where the file system cannot do that."""
    try:
        os.link(f"/proc/self/fd/{source.fileno()}", path, follow_symlinks=True)
    except FileExistsError:
        raise
    except OSError:
        draft = path.with_name(f"{path.name}.{os.getpid()}.{source.fileno()}")
        try:
            with draft.open("wb") as target:
                source.seek(0)
                copyfileobj(source, target, _CHUNK)
                target.flush()
                os.fsync(target.fileno())
            draft.rename(path)
        finally:
            draft.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
