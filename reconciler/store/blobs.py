"""Payloads: immutable bytes named by their SHA-256, small ones inside their row, large ones on a shelf."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryFile
from time import monotonic
from typing import BinaryIO
from weakref import finalize

from sqlalchemy import Connection, and_, bindparam, func, or_, select

from reconciler.errors import BlobError
from reconciler.model.source_file import digest
from reconciler.store.shelf import CHUNK, FolderShelf, Shelf
from reconciler.store.statement import Statement, insertion
from reconciler.store.tables import blob
from reconciler.store.upsert import Insert, insert_into

INLINE = 32 * 1024
"""Bytes up to which a payload stays inside its row: one fsync fewer than a file of its own."""

YOUNG = timedelta(hours=12)
"""The age up to which nothing is collected; an older payload that is put again becomes young."""


_CONTENT = Statement(select(blob.c.content).where(blob.c.sha256 == bindparam("named")))


def _putting(dialect: str) -> Insert:
    statement = insert_into(dialect, blob)
    put = statement.excluded
    is_aged = blob.c.created_at < bindparam("aged", type_=blob.c.created_at.type)
    # A small payload that was damaged lost its bytes to the quarantine.
    is_empty = and_(blob.c.content.is_(None), put.content.is_not(None))
    return statement.on_conflict_do_update(
        index_elements=[blob.c.sha256],
        set_={"created_at": put.created_at, "content": func.coalesce(blob.c.content, put.content)},
        where=or_(is_aged, is_empty),
    )


_PUT = Statement(_putting, insertion(blob))


_TRUSTED = 3600.0
"""Seconds for which a file that was hashed, and did not change since by what its system says, is not hashed again."""

_REMEMBERED = 4096

_State = tuple[int, ...]


class Sealed:
    """A payload whose bytes are safe on disk (or small enough for a row) but not named by any row yet.

    A large one keeps its bytes at hand until it is forgotten: the file may be collected before a row names it.
    """

    def __init__(self, name: str, size: int, content: bytes | None, source: BinaryIO | None = None) -> None:
        self.sha256 = name
        self.size = size
        self.content = content
        self.source = source
        if source is not None:
            finalize(self, source.close)


class Spool:
    """A payload while it is being written, at any offset; it has no name, so that a crash leaves nothing behind.

    A small one stays in memory. What is written from the beginning on is hashed on its way.
    """

    def __init__(self, blobs: "Blobs") -> None:
        self._blobs = blobs
        self._small: bytearray | None = bytearray()
        self._file: BinaryIO | None = None
        self._hash = sha256()
        self._hashed = 0
        self._size = 0

    def write(self, offset: int, data: bytes | memoryview) -> None:
        """Write bytes at an offset; a gap reads as zeros."""
        end = offset + len(data)
        if self._small is not None and end <= INLINE:
            self._small.extend(bytes(max(0, offset - len(self._small))))
            self._small[offset:end] = data
        else:
            written = 0
            while written < len(data):
                written += os.pwrite(self._large().fileno(), memoryview(data)[written:], offset + written)
            if offset == self._hashed:
                self._hash.update(data)
                self._hashed = end
            elif offset < self._hashed:
                self._hash_anew()
        self._size = max(self._size, end)

    def fill(self, content: BinaryIO) -> None:
        """Begin with the bytes of a file."""
        while chunk := content.read(CHUNK):
            self.write(self._size, chunk)

    def read(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes from an offset."""
        if self._small is not None:
            return bytes(self._small[offset : offset + size])
        return os.pread(self._large().fileno(), size, offset)

    def sync(self) -> None:
        """Bring what was written so far to the disk."""
        os.fsync(self._large().fileno())

    def truncate(self, size: int) -> None:
        """Cut or extend to `size` bytes."""
        if self._small is not None and size <= INLINE:
            self._small.extend(bytes(max(0, size - len(self._small))))
            del self._small[size:]
        else:
            os.ftruncate(self._large().fileno(), size)
            if size < self._hashed:
                self._hash_anew()
        self._size = size

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._size

    def seal(self) -> Sealed:
        """Return the finished payload, durable where it is large. Raises OSError when there is no place for it."""
        if self._size <= INLINE:
            content = self.read(0, self._size)
            self.discard()
            return Sealed(digest(content), self._size, content)
        file = self._large()
        file.seek(self._hashed)
        while chunk := file.read(CHUNK):
            self._hash.update(chunk)
        name = self._hash.hexdigest()
        self._blobs.shelf.keep(file, name)
        self._blobs.remember(name, file)
        self._file = None
        return Sealed(name, self._size, None, file)

    def discard(self) -> None:
        """Forget the bytes; may be called at any time, more than once."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _large(self) -> BinaryIO:
        """Return the file that holds the bytes, of which the first were in memory until now."""
        if self._file is None:
            self._file = _unnamed_file(self._blobs.spool_folder)
            if self._small:
                os.pwrite(self._file.fileno(), self._small, 0)
                self._hash.update(self._small)
                self._hashed = len(self._small)
            self._small = None
        return self._file

    def _hash_anew(self) -> None:
        """Hash the whole at the end: what was hashed already is written over."""
        self._hash = sha256()
        self._hashed = 0


class Blobs:
    """The payloads of one store. Large ones lie on `shelf`: in `folder`, unless another is given."""

    def __init__(self, folder: Path, shelf: Shelf | None = None) -> None:
        self.spool_folder = folder / "spool"
        self.spool_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.shelf = shelf or FolderShelf(folder / "blobs")
        self._checked: dict[str, tuple[_State, float]] = {}

    def seal(self, content: bytes | memoryview) -> Sealed:
        """Return bytes that are in memory already as a finished payload."""
        if len(content) <= INLINE:
            small = bytes(content)
            return Sealed(digest(small), len(small), small)
        with self.spool() as spool:
            spool.write(0, content)
            return spool.seal()

    def put(self, tx: Connection, sealed: Sealed) -> str:
        """Name a finished payload in this transaction and return its SHA-256.

        Collecting locks the row of what it takes, so from here on this payload is not taken; if it was just before,
        its bytes are laid down again.
        """
        now = datetime.now(UTC)
        row = {"sha256": sealed.sha256, "size": sealed.size, "content": sealed.content}
        row |= {"created_at": now, "aged": now - YOUNG}
        if sealed.source is None:
            _PUT.send(tx, row)
            return sealed.sha256
        _PUT.run(tx, row)  # and waits for whoever collects it at this very moment
        if not self.shelf.holds(sealed.sha256):
            self.shelf.keep(sealed.source, sealed.sha256)
        return sealed.sha256

    def size(self, connection: Connection, name: str) -> int:
        """Return a payload's size in bytes. Raises BlobError when no row names it."""
        size: int | None = connection.execute(select(blob.c.size).where(blob.c.sha256 == name)).scalar()
        if size is None:
            raise BlobError(f"payload {name} is missing")
        return size

    def read(self, connection: Connection, name: str) -> bytes:
        """Return a payload, checked against its name. Raises BlobError when it is missing or damaged."""
        with self.open(connection, name) as file:
            return file.read()

    def reading(self, connection: Connection, name: str) -> Callable[[], bytes]:
        """Return what returns a payload, or raises its BlobError, once the connection may be gone."""
        try:
            content = self.read(connection, name)
        except BlobError as error:
            return partial(_fail, error)
        return lambda: content

    def open(self, connection: Connection, name: str, *, afresh: bool = False) -> BinaryIO:
        """Return a payload as a seekable file, checked against its name; its content may be read once it is opened.

        With `afresh` it is hashed even when it just was. Raises BlobError when it is missing or damaged.
        """
        row = _CONTENT.first(connection, {"named": name})
        if row is None:
            raise BlobError(f"payload {name} is missing")
        (content,) = row
        try:
            file = self.shelf.open(name) if content is None else BytesIO(content)
        except FileNotFoundError:
            raise BlobError(f"payload {name} is missing: it is not where large payloads lie") from None
        if content is None and not afresh and self._is_checked(name, file):
            return file
        if _digest_of(file) != name:
            file.close()
            raise BlobError(f"payload {name} is damaged: its bytes are not those that were stored")
        file.seek(0)
        if content is None:
            self.remember(name, file)
        return file

    def remember(self, name: str, file: BinaryIO) -> None:
        """Take note that the bytes of a file were hashed just now; while it stays as it is, they need not be again."""
        if len(self._checked) >= _REMEMBERED:
            self._checked.clear()
        self._checked[name] = (_state(file), monotonic())

    def _is_checked(self, name: str, file: BinaryIO) -> bool:
        state, moment = self._checked.get(name, (None, 0.0))
        return state == _state(file) and monotonic() - moment < _TRUSTED

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
        self._sealed: dict[str, Sealed] = {}

    def add(self, content: bytes | memoryview) -> str:
        """Make bytes durable and return their SHA-256."""
        sealed = self._blobs.seal(content)
        self._sealed[sealed.sha256] = sealed
        return sealed.sha256

    def put(self, tx: Connection) -> None:
        """Name all payloads in this transaction, in the same order as every other, so that none waits for the other."""
        for _, sealed in sorted(self._sealed.items()):
            self._blobs.put(tx, sealed)


def _unnamed_file(folder: Path) -> BinaryIO:
    """Return a file without a name that can be given one, which the standard library's cannot (open(2), O_TMPFILE)."""
    try:
        return os.fdopen(os.open(folder, os.O_RDWR | os.O_TMPFILE, 0o600), "w+b", buffering=0)
    except OSError:
        return TemporaryFile(dir=folder, buffering=0)


def _state(file: BinaryIO) -> _State:
    found = os.fstat(file.fileno())
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _fail(error: BlobError) -> bytes:
    raise error


def _digest_of(file: BinaryIO) -> str:
    name = sha256()
    while chunk := file.read(CHUNK):
        name.update(chunk)
    return name.hexdigest()
