"""Which paths there are: the root, its five folders, and files in them. Textual: nothing here asks a file system."""

import re
import unicodedata
from dataclasses import dataclass
from typing import assert_never

from reconciler.errors import Refusal, RefusedError
from reconciler.protocols.sftp.folders import FOLDERS

NAME_BYTES = 255
"""The longest name of a file, in bytes of UTF-8."""

PATH_BYTES = 4096
"""The longest path that is looked at."""

# Zl and Zp break lines as control characters do; a backslash separates folders where files may go next.
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\\]")


@dataclass(frozen=True, slots=True)
class Root:
    """`/`, which holds the five folders."""


@dataclass(frozen=True, slots=True)
class Folder:
    """One of the five folders."""

    name: str


@dataclass(frozen=True, slots=True)
class File:
    """A file that is, or might be, in a folder."""

    folder: str
    name: str


Place = Root | Folder | File


def resolve(path: bytes) -> Place:
    """Return the place that a path means; relative paths start at the root, and `..` ends there, as in `/..` of POSIX.

    Raises RefusedError: BAD_NAME for what no file may be called, NO_SUCH_FILE for what lies outside the five folders.
    """
    names = _names(path)
    match names:
        case []:
            return Root()
        case [folder, *_] if folder not in FOLDERS:
            raise RefusedError(Refusal.NO_SUCH_FILE, f"there is no such folder; there are {', '.join(FOLDERS)}")
        case [folder]:
            return Folder(folder)
        case [folder, name]:
            return File(folder, name)
        case _:
            raise RefusedError(Refusal.NO_SUCH_FILE, "the folders have no folders in them")


def absolute(path: bytes) -> str:
    """Return a path in its one absolute form, whether or not anything is there. Raises RefusedError with BAD_NAME."""
    return "/" + "/".join(_names(path))


def written(place: Place) -> str:
    """Return the path of a place."""
    match place:
        case Root():
            return "/"
        case Folder(name):
            return f"/{name}"
        case File(folder, name):
            return f"/{folder}/{name}"
        case _:
            assert_never(place)


def _names(path: bytes) -> list[str]:
    if len(path) > PATH_BYTES:
        raise RefusedError(Refusal.BAD_NAME, f"the path is longer than {PATH_BYTES} bytes")
    try:
        text = unicodedata.normalize("NFC", path.decode())
    except UnicodeDecodeError:
        raise RefusedError(Refusal.BAD_NAME, "the path is not UTF-8") from None
    if _FORBIDDEN.search(text):
        raise RefusedError(Refusal.BAD_NAME, "a name has neither control characters nor backslashes")
    names: list[str] = []
    for name in text.split("/"):
        if name == "..":
            del names[-1:]
        elif name not in {"", "."}:
            if len(name.encode()) > NAME_BYTES:
                raise RefusedError(Refusal.BAD_NAME, f"a name has at most {NAME_BYTES} bytes")
            names.append(name)
    return names
