"""The folders of mailboxes, kept in the store: what the SFTP server sees, each change one transaction."""

import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from shutil import disk_usage
from typing import BinaryIO
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from reconciler.errors import ReconcilerError, Refusal, RefusedError
from reconciler.jobs import error_folder
from reconciler.jobs.acceptance import place
from reconciler.jobs.reprocessing import convert_again
from reconciler.jobs.tracing import Tracer, untold
from reconciler.model.rule import Direction
from reconciler.protocols.sftp.folders import BOUNDLESS, Entry, Room, Upload, Usage
from reconciler.store import conversions, files, receipts
from reconciler.store.blobs import Spool
from reconciler.store.database import Store
from reconciler.store.files import StoredFile

_log = logging.getLogger(__name__)


class StoreFolders:
    """Implements the SFTP server's port `Folders`. `wake` is called after a commit that leaves work to be done.

    `queue_of` names the queue of a mailbox that keeps the order, and is empty for others; `temporary` are patterns of
    names under which an upload waits for its rename.
    """

    def __init__(
        self,
        store: Store,
        wake: Callable[[], None],
        queue_of: Callable[[UUID], str] = lambda _mailbox: "",
        *,
        temporary: Sequence[str] = (),
        tracer: Tracer = untold,
    ) -> None:
        self._store = store
        self._tracer = tracer
        self._wake = wake
        self._queue_of = queue_of
        self._temporary = temporary

    def entries(self, mailbox: UUID, folder: str) -> Generator[Entry]:
        """Yield the files of a folder in the order of their names, a page at a time."""
        after = ""
        while True:
            with _refusing(), self._store.read() as connection:
                page = files.page(connection, mailbox, folder, after)
            if not page:
                return
            yield from map(_entry, page)
            after = page[-1].name

    def find(self, mailbox: UUID, folder: str, name: str) -> Entry | None:
        """Return a file's entry, or None."""
        with _refusing(), self._store.read() as connection:
            found = files.find(connection, mailbox, folder, name)
        return None if found is None else _entry(found)

    def open(self, mailbox: UUID, folder: str, name: str) -> BinaryIO:
        """Open a file's bytes."""
        with _refusing(), self._store.read() as connection:
            return self._store.blobs.open(connection, _existing(connection, mailbox, folder, name).sha256)

    def usage(self, mailbox: UUID) -> Usage:
        """Return what a mailbox's files come to, and what the disk still takes."""
        with _refusing(), self._store.read() as connection:
            total, count = files.usage(connection, mailbox)
        return Usage(total, count, disk_usage(self._store.blobs.spool_folder).free)

    def upload(
        self, mailbox: UUID, folder: str, name: str, *, exclusive: bool, keep: bool, room: Room = BOUNDLESS
    ) -> Upload:
        """Begin a file."""
        spool = Spool(self._store.blobs)
        if exclusive or keep:
            with _refusing(), self._store.read() as connection:
                found = files.find(connection, mailbox, folder, name)
                if found is not None and exclusive:
                    raise _taken(name)
                if found is not None:
                    with self._store.blobs.open(connection, found.sha256) as content:
                        spool.fill(content)
        return _StoreUpload(self, spool, mailbox, folder, name, exclusive=exclusive, room=room)

    def rename(self, mailbox: UUID, source: tuple[str, str], target: tuple[str, str], *, replace: bool) -> None:
        """Move a file; out of `error/` it runs again, and under its final name an upload begins to count."""
        with _refusing(), self._store.write() as tx:
            file = _existing(tx, mailbox, *source)
            if source == target:
                return
            if replace:
                _withdraw_and_remove(tx, mailbox, *target)
            elif files.find(tx, mailbox, *target) is not None:
                raise _taken(target[1])
            if not _ran_again(tx, file, target):
                if not _withdraw_and_remove(tx, mailbox, *source):
                    raise _missing(*source)
                if file.conversion is not None:
                    error_folder.clear_reason(tx, file)
                placed = place(
                    tx,
                    mailbox,
                    *target,
                    sha256=file.sha256,
                    size=file.size,
                    temporary=self._temporary,
                    queue=self._queue_of(mailbox),
                    modified_at=file.modified_at,
                    exclusive=not replace,
                )
                if not placed:
                    raise _taken(target[1])
        self._wake()

    def remove(self, mailbox: UUID, folder: str, name: str) -> None:
        """Remove a file; one that has not been processed yet is withdrawn."""
        with _refusing(), self._store.write() as tx:
            if not _withdraw_and_remove(tx, mailbox, folder, name):
                raise _missing(folder, name)

    def set_modified(self, mailbox: UUID, folder: str, name: str, modified: datetime) -> None:
        """Set the time of a file's last change."""
        with _refusing(), self._store.write() as tx:
            if not files.set_modified(tx, mailbox, folder, name, modified):
                raise _missing(folder, name)

    def commit(self, upload: "_StoreUpload", modified: datetime | None) -> None:
        """Make an upload durable, visible and a job. Raises RefusedError when its name was taken in the meantime."""
        with self._tracer("sftp upload", mailbox=str(upload.mailbox)):
            self._commit(upload, modified)
            place_of = f"{upload.folder}/{upload.name}"
            _log.info("mailbox %s: received %s, %d bytes", upload.mailbox, place_of, upload.size)
        self._wake()

    def _commit(self, upload: "_StoreUpload", modified: datetime | None) -> None:
        sealed = upload.spool.seal()
        with _refusing(), self._store.write() as tx:
            if upload.room != BOUNDLESS:
                files.count_alone(tx, upload.mailbox)
                taken = files.find(tx, upload.mailbox, upload.folder, upload.name)
                total, count = files.usage(tx, upload.mailbox)
                gone, one = (taken.size, 0) if taken else (0, 1)
                upload.room.require(total - gone + sealed.size, count + one)
            self._store.blobs.put(tx, sealed)
            placed = place(
                tx,
                upload.mailbox,
                upload.folder,
                upload.name,
                sha256=sealed.sha256,
                size=sealed.size,
                temporary=self._temporary,
                queue=self._queue_of(upload.mailbox),
                modified_at=modified,
                exclusive=upload.exclusive,
            )
            if not placed:
                raise _taken(upload.name)


class _StoreUpload:
    """An upload on its way into the store."""

    def __init__(
        self,
        folders: StoreFolders,
        spool: Spool,
        mailbox: UUID,
        folder: str,
        name: str,
        *,
        exclusive: bool,
        room: Room,
    ) -> None:
        self._folders = folders
        self.spool = spool
        self.mailbox = mailbox
        self.folder = folder
        self.name = name
        self.exclusive = exclusive
        self.room = room

    @property
    def size(self) -> int:
        return self.spool.size

    def read(self, offset: int, length: int) -> bytes:
        return self.spool.read(offset, length)

    def write(self, offset: int, data: bytes | memoryview) -> None:
        self.spool.write(offset, data)

    def truncate(self, size: int) -> None:
        self.spool.truncate(size)

    def sync(self) -> None:
        self.spool.sync()

    def rename(self, name: str, *, replace: bool) -> None:
        self.name = name
        self.exclusive = not replace

    def commit(self, modified: datetime | None = None) -> None:
        self._folders.commit(self, modified)

    def abort(self) -> None:
        self.spool.discard()


@contextmanager
def _refusing() -> Iterator[None]:
    """Tell a partner in its own words what goes wrong in the store, such as a database that is locked or full."""
    try:
        yield
    except RefusedError:
        raise
    except (SQLAlchemyError, ReconcilerError) as error:
        _log.exception("the store failed")
        raise RefusedError(Refusal.UNAVAILABLE, "the gateway cannot reach its store now; try again later") from error


def _entry(file: StoredFile) -> Entry:
    return Entry(file.folder, file.name, file.size, file.modified_at)


def _existing(connection: Connection, mailbox: UUID, folder: str, name: str) -> StoredFile:
    found = files.find(connection, mailbox, folder, name)
    if found is None:
        raise _missing(folder, name)
    return found


def _missing(folder: str, name: str) -> RefusedError:
    return RefusedError(Refusal.NO_SUCH_FILE, f"there is no {name} in {folder}")


def _taken(name: str) -> RefusedError:
    return RefusedError(Refusal.ALREADY_EXISTS, f"{name} exists already")


def _ran_again(tx: Connection, file: StoredFile, target: tuple[str, str]) -> bool:
    """Run what failed again because its file was moved out of `error/`; False when the move means no such thing."""
    if file.conversion is None:
        return False
    record = conversions.get(tx, file.conversion)
    match record.direction, target[0]:
        case Direction.OUT, "coutbox":
            convert_again(tx, record, name=target[1])
            files.put(tx, file.mailbox, *target, sha256=file.sha256, size=file.size, receipt=record.receipt)
            return True
        case Direction.IN, "cinbox":
            # What comes of it appears in the folder under the name that the rule gives it.
            convert_again(tx, record)
            return True
        case _:
            return False


def _withdraw_and_remove(tx: Connection, mailbox: UUID, folder: str, name: str) -> bool:
    """Remove a file; False when there is none, or none any more: a job that ends it at this moment is waited for."""
    file = files.find(tx, mailbox, folder, name)
    if file is not None and file.receipt is not None:
        receipts.end(tx, file.receipt, "withdrawn")
    return file is not None and files.remove(tx, mailbox, folder, name)
