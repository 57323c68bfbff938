"""What is told of a file or a folder: to a program as attributes, to people as `ls -l` prints it."""

from datetime import UTC, datetime, timedelta
from stat import S_IFDIR, S_IFREG, filemode
from typing import assert_never

from reconciler.protocols.sftp.folders import Entry
from reconciler.protocols.sftp.open_files import Arrival, Download, Listing, OpenFile
from reconciler.protocols.sftp.responses import Attributes, Line

FOLDER = Attributes(size=0, mode=S_IFDIR | 0o755, modified=0)

_RECENT = timedelta(days=180)
"""The age up to which a listing tells the time of day, as `ls -l` does; beyond, the year."""


def attributes_of(file: OpenFile) -> Attributes:
    """Return what is told of what is open."""
    match file:
        case Download(entry=entry):
            return attributes_of_entry(entry)
        case Arrival(upload=upload):
            modified = file.modified or datetime.now(UTC)
            return Attributes(size=upload.size, mode=S_IFREG | 0o644, modified=int(modified.timestamp()))
        case Listing():
            return FOLDER
        case _:
            assert_never(file)


def attributes_of_entry(entry: Entry) -> Attributes:
    """Return what is told of a file at rest."""
    return Attributes(size=entry.size, mode=S_IFREG | 0o644, modified=int(entry.modified.timestamp()))


def line_of(name: str, attributes: Attributes) -> Line:
    """Return a line of a listing, as `ls -l` prints it."""
    changed = datetime.fromtimestamp(attributes.modified, UTC)
    when = f"{changed:%b %e %H:%M}" if abs(datetime.now(UTC) - changed) < _RECENT else f"{changed:%b %e  %Y}"
    long = f"{filemode(attributes.mode)} 1 partner partner {attributes.size:>12} {when} {name}"
    return Line(name, long, attributes)
