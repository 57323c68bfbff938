"""Reading a file of a configuration: regular, of bounded size, and inside the configuration's folder."""

import errno
import os
import stat
from pathlib import Path

MAX_SIZE = 64 * 2**20
"""Bytes that a file may have: more is no configuration, stylesheet, schema, template or dictionary."""


def read_file(root: Path, path: str) -> bytes:
    """Return the content of a file by its path relative to the root. Raises OSError, `strerror` saying why.

    Links are followed, but not out of the root: whoever writes a configuration reads nothing else by it.
    """
    place = str(root)
    for part in path.split("/"):
        place = f"{place}/{part}"
        if part == ".." or os.path.islink(place):  # noqa: PTH114 - a Path takes longer, for very many files
            return read_regular(_inside(root, path))
    return read_regular(place)


def _inside(root: Path, path: str) -> str:
    """Return where a path leads over links. Raises OSError when that is outside the root."""
    real_root = os.path.realpath(root)
    real = os.path.realpath(root / path)
    if os.path.commonpath((real, real_root)) != real_root:
        raise OSError(errno.EPERM, "it is a link that leads outside the configuration's folder")
    return real


def read_regular(path: str) -> bytes:
    """Return the content of a file, wherever it is; raises OSError as `read_file` does."""
    # A pipe without a writer would keep an ordinary open waiting.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a file")
        content = stream.read(MAX_SIZE + 1)
    if len(content) > MAX_SIZE:
        raise OSError(errno.EFBIG, f"it is larger than {MAX_SIZE // 2**20} MiB")
    return content
