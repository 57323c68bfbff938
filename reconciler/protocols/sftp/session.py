"""One partner's SFTP session: bytes in, bytes out, no socket. Its only effects are those on the folders."""

import logging
from collections.abc import Generator, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import assert_never
from uuid import UUID

from reconciler.errors import Refusal, RefusedError
from reconciler.protocols.sftp import paths, requests, responses
from reconciler.protocols.sftp.allowance import Allowance
from reconciler.protocols.sftp.attributes import FOLDER, attributes_of, attributes_of_entry, line_of
from reconciler.protocols.sftp.folders import BOUNDLESS, FOLDERS, Entry, Folders, Room
from reconciler.protocols.sftp.open_files import Arrival, Download, Listing, OpenFile
from reconciler.protocols.sftp.permissions import require_move, require_upload
from reconciler.protocols.sftp.requests import Changes, OpenFlag
from reconciler.protocols.sftp.responses import Attributes, Line, Status

_log = logging.getLogger(__name__)

_REMEMBERED = 64
"""Files just received that a session still knows when a worker has already taken them."""


class Session:
    """What one client has open. One thread uses it; `busy` may be asked from others.

    `handles` bounds what is open at once, `largest` the bytes of a file, `room` what all files come to.
    """

    def __init__(self, mailbox: UUID, folders: Folders, *, handles: int, largest: int, room: Room = BOUNDLESS) -> None:
        self._mailbox = mailbox
        self._folders = folders
        self._handles = handles
        self._room = room
        self._allowance = Allowance(mailbox, folders, largest, room)
        self._packets = requests.Packets()
        self._greeted = False
        self._opened = 0
        self._open: dict[bytes, OpenFile] = {}
        self._received: dict[paths.File, Attributes] = {}

    @property
    def busy(self) -> bool:
        """Whether a file or a listing is open."""
        return bool(self._open)

    @property
    def unread(self) -> int:
        """Bytes that were fed and belong to requests that are not performed yet."""
        return len(self._packets)

    def feed(self, data: bytes | memoryview) -> None:
        """Take bytes of the stream."""
        self._packets.feed(data)

    def answers(self) -> Iterator[bytes]:
        """Yield the answer to each complete request, performed when its answer is asked for; may be asked anew.

        Raises MalformedError when what came is no SFTP, or something of it is lost that a file needs.
        """
        for packet in self._packets:
            if self._greeted:
                yield self._answer(packet)
            else:
                requests.decode_init(packet)
                self._greeted = True
                yield responses.version()

    def abandon(self) -> None:
        """End the session: what was not closed by the client was not received."""
        while self._open:
            _, file = self._open.popitem()
            file.release()

    def _answer(self, packet: memoryview) -> bytes:
        try:
            return self._perform(requests.decode(packet))
        except requests.MalformedError as malformed:
            if any(isinstance(file, Arrival) for file in self._open.values()):
                # It may have been meant for a file that must not be said to be received without it.
                raise
            return responses.status(requests.id_of(packet), Status.BAD_MESSAGE, str(malformed))
        except RefusedError as refused:
            return responses.refusal(requests.id_of(packet), refused)
        except OSError:
            # Its text may name places of the host, which are no partner's business.
            _log.exception("mailbox %s: a request failed", self._mailbox)
            failed = "the gateway could not read or store the file"
            return responses.status(requests.id_of(packet), Status.FAILURE, failed)

    def _perform(self, request: requests.Request) -> bytes:  # noqa: C901, PLR0911, PLR0912 - one case a kind of request
        match request:
            case requests.Open(id, path, flags):
                return responses.handle(id, self._hold(self._open_file(path, flags)))
            case requests.Close(id, handle):
                self._close(handle)
                return _ok(id)
            case requests.Read(id, handle, offset, length):
                content = self._read(handle, offset, min(length, requests.MAX_DATA))
                is_more = content or not length
                return responses.data(id, content) if is_more else responses.status(id, Status.EOF, "end of file")
            case requests.Write(id, handle, offset, data):
                _as_arrival(self._held(handle)).write(offset, data)
                return _ok(id)
            case requests.Stat(id, path, itself):
                place = paths.resolve(path)
                arriving = self._arriving(place) if itself else None
                return responses.attributes(id, attributes_of(arriving) if arriving else self._attributes(place))
            case requests.HandleStat(id, handle):
                return responses.attributes(id, attributes_of(self._held(handle)))
            case requests.SetStat(id, path, changes):
                self._change(paths.resolve(path), changes)
                return _ok(id)
            case requests.HandleSetStat(id, handle, changes):
                self._change_open(self._held(handle), changes)
                return _ok(id)
            case requests.OpenFolder(id, path):
                return responses.handle(id, self._hold(Listing(self._lines(paths.resolve(path)))))
            case requests.ReadFolder(id, handle):
                lines = self._listing(handle).following()
                return responses.names(id, lines) if lines else responses.status(id, Status.EOF, "end of folder")
            case requests.Remove(id, path):
                self._remove(_file(paths.resolve(path)))
                return _ok(id)
            case requests.Rename(id, source, target, replace):
                self._rename(_file(paths.resolve(source)), _file(paths.resolve(target)), replace=replace)
                return _ok(id)
            case requests.RealPath(id, path):
                return responses.real_path(id, paths.absolute(path))
            case requests.Limits(id):
                return responses.limits(id, self._handles)
            case requests.Sync(id, handle):
                _as_arrival(self._held(handle)).sync()
                return _ok(id)
            case requests.SpaceOfPath(id, path):
                self._attributes(paths.resolve(path))
                return responses.space(id, self._allowance.space())
            case requests.SpaceOfHandle(id, handle):
                self._held(handle)
                return responses.space(id, self._allowance.space())
            case requests.ChangeFolder(_, path, make):
                raise self._refusal_of_folder(path, make=make)
            case requests.Link():
                raise RefusedError(Refusal.PERMISSION_DENIED, "there are no links")
            case requests.Unsupported(id):
                return responses.status(id, Status.UNSUPPORTED, "this request is not supported")
            case _:
                assert_never(request)

    def _hold(self, file: OpenFile) -> bytes:
        self._opened += 1
        handle = b"%d" % self._opened
        self._open[handle] = file
        return handle

    def _held(self, handle: bytes) -> OpenFile:
        file = self._open.get(handle)
        if file is None:
            raise RefusedError(Refusal.BAD_NAME, "this handle is not open")
        return file

    def _arriving(self, place: paths.Place) -> Arrival | None:
        """Return what this client is writing there.

        It alone may ask about the name, as sshfs does while it creates a file; the file is there when it is closed.
        """
        for file in reversed(self._open.values()):
            if isinstance(file, Arrival) and not file.removed and paths.File(file.folder, file.name) == place:
                return file
        return None

    def _listing(self, handle: bytes) -> Listing:
        file = self._held(handle)
        if not isinstance(file, Listing):
            raise RefusedError(Refusal.PERMISSION_DENIED, "this handle is no folder's")
        return file

    def _require_handle(self) -> None:
        if len(self._open) >= self._handles:
            raise RefusedError(Refusal.QUOTA_EXCEEDED, f"at most {self._handles} handles are open at once")

    def _open_file(self, path: bytes, flags: OpenFlag) -> Download | Arrival:
        self._require_handle()
        file = _file(paths.resolve(path))
        if OpenFlag.WRITE not in flags:
            return Download(self._find(file), self._folders.open(self._mailbox, file.folder, file.name))
        require_upload(file.folder)
        if OpenFlag.CREATE not in flags:
            self._find(file)
        room = self._allowance.for_file(file.folder, file.name)
        room.require(0)
        upload = self._folders.upload(
            self._mailbox,
            file.folder,
            file.name,
            exclusive=OpenFlag.CREATE | OpenFlag.EXCLUSIVE in flags,
            keep=OpenFlag.TRUNCATE not in flags,
            room=self._room,
        )
        return Arrival(
            file.folder,
            file.name,
            upload,
            append=OpenFlag.APPEND in flags,
            room=room,
            readable=OpenFlag.READ in flags,
        )

    def _close(self, handle: bytes) -> None:
        """Close a handle: once, whatever comes of it. A file is received before this returns, or it raises."""
        file = self._held(handle)
        del self._open[handle]
        match file:
            case Arrival():
                self._receive_file(file)
            case Download() | Listing():
                file.release()
            case _:
                assert_never(file)

    def _receive_file(self, file: Arrival) -> None:
        attributes = attributes_of(file)
        file.close()
        if file.removed:
            return
        # Clients ask for the size of what they sent, to be sure of it; a worker may by then have taken the file away.
        self._received[paths.File(file.folder, file.name)] = attributes
        if len(self._received) > _REMEMBERED:
            del self._received[next(iter(self._received))]

    def _read(self, handle: bytes, offset: int, length: int) -> bytes:
        file = self._held(handle)
        match file:
            case Download():
                return file.read(offset, length)
            case Arrival():
                return file.read(offset, length)
            case Listing():
                raise RefusedError(Refusal.PERMISSION_DENIED, "a folder is listed, not read")
            case _:
                assert_never(file)

    def _is_there(self, file: paths.File) -> bool:
        return self._folders.find(self._mailbox, file.folder, file.name) is not None

    def _find(self, file: paths.File) -> Entry:
        entry = self._folders.find(self._mailbox, file.folder, file.name)
        if entry is None:
            here = "until it is closed" if self._arriving(file) else f"in {file.folder}"
            raise RefusedError(Refusal.NO_SUCH_FILE, f"there is no file {file.name} {here}")
        return entry

    def _attributes(self, place: paths.Place) -> Attributes:
        match place:
            case paths.Root() | paths.Folder():
                return FOLDER
            case paths.File():
                entry = self._folders.find(self._mailbox, place.folder, place.name)
                # What was received and is gone already is told once more, then no longer.
                taken = None if entry else self._received.pop(place, None)
                return taken or attributes_of_entry(entry or self._find(place))
            case _:
                assert_never(place)

    def _change(self, place: paths.Place, changes: Changes) -> None:
        """Set what is to be set of a file at rest; owners and modes are accepted and not kept, folders stay as are."""
        arriving = self._arriving(place)
        if arriving is not None:
            self._change_open(arriving, changes)
            return
        if changes.size is not None:
            self._set_size(_file(place), changes.size)
        if isinstance(place, paths.File):
            self._set_modified(place, changes.modified)

    def _change_open(self, file: OpenFile, changes: Changes) -> None:
        if changes.size is not None:
            _as_arrival(file).truncate(changes.size)
        if changes.modified is None:
            return
        modified = datetime.fromtimestamp(changes.modified, UTC)
        if isinstance(file, Arrival):
            file.modified = modified
        elif isinstance(file, Download):
            self._folders.set_modified(self._mailbox, file.entry.folder, file.entry.name, modified)
            file.entry = replace(file.entry, modified=modified)

    def _set_modified(self, file: paths.File, modified: int | None) -> None:
        try:
            if modified is None:
                self._find(file)
            else:
                self._folders.set_modified(self._mailbox, file.folder, file.name, datetime.fromtimestamp(modified, UTC))
        except RefusedError as refused:
            # Clients set the time of what they sent; a worker may by then have taken the file away.
            if refused.refusal is not Refusal.NO_SUCH_FILE or file not in self._received:
                raise

    def _set_size(self, file: paths.File, size: int) -> None:
        require_upload(file.folder)
        self._find(file)
        upload = self._folders.upload(
            self._mailbox, file.folder, file.name, exclusive=False, keep=True, room=self._room
        )
        room = self._allowance.for_file(file.folder, file.name)
        arrival = Arrival(file.folder, file.name, upload, append=False, room=room)
        try:
            arrival.truncate(size)
        finally:
            # A truncation that failed is remembered: closing then aborts and raises it again.
            self._receive_file(arrival)

    def _rename(self, source: paths.File, target: paths.File, *, replace: bool) -> None:
        require_move(source.folder, target.folder)
        arriving = self._arriving(source)
        if source == target:
            if arriving is None:
                self._find(source)
            return
        is_there = arriving is None or self._is_there(source)
        if is_there:
            places = (source.folder, source.name), (target.folder, target.name)
            self._folders.rename(self._mailbox, *places, replace=replace)
        elif not replace and self._is_there(target):
            raise RefusedError(Refusal.ALREADY_EXISTS, f"{target.name} exists already")
        if arriving is not None:
            # It replaces what was renamed just now, as it would have replaced it before.
            arriving.rename(target.name, replace=replace or is_there)
        received = self._received.pop(source, None)
        if received is not None:
            self._received[target] = received

    def _remove(self, file: paths.File) -> None:
        """Remove a file; clients may do so before the answer to its close, and mean what they wrote just now."""
        arriving = self._arriving(file)
        if arriving is None or self._is_there(file):
            self._folders.remove(self._mailbox, file.folder, file.name)
            self._received.pop(file, None)
        if arriving is not None:
            arriving.removed = True

    def _refusal_of_folder(self, path: bytes, *, make: bool) -> RefusedError:
        """Return why no folder is made or removed; clients that make sure of one go on when it is there already."""
        fixed = RefusedError(Refusal.PERMISSION_DENIED, "the five folders are neither made nor removed")
        try:
            place = paths.resolve(path)
            self._attributes(place)
        except RefusedError as refused:
            return fixed if make and refused.refusal is Refusal.NO_SUCH_FILE else refused
        return RefusedError(Refusal.ALREADY_EXISTS, f"{paths.written(place)} is there already") if make else fixed

    def _lines(self, place: paths.Place) -> Generator[Line]:
        self._require_handle()
        match place:
            case paths.Root():
                return (line_of(name, FOLDER) for name in FOLDERS)
            case paths.Folder(name):
                return self._lines_of_folder(name)
            case paths.File():
                self._find(place)
                raise RefusedError(Refusal.PERMISSION_DENIED, "a file is read, not listed")
            case _:
                assert_never(place)

    def _lines_of_folder(self, folder: str) -> Generator[Line]:
        entries = self._folders.entries(self._mailbox, folder)
        try:
            for entry in entries:
                yield line_of(entry.name, attributes_of_entry(entry))
        finally:
            entries.close()


def _ok(request: int) -> bytes:
    return responses.status(request, Status.OK, "done")


def _as_arrival(file: OpenFile) -> Arrival:
    if not isinstance(file, Arrival):
        raise RefusedError(Refusal.PERMISSION_DENIED, "this handle is not open for writing")
    return file


def _file(place: paths.Place) -> paths.File:
    if not isinstance(place, paths.File):
        raise RefusedError(Refusal.PERMISSION_DENIED, f"{paths.written(place)} is a folder, which stays as it is")
    return place
