"""What a worker process gives up before it opens anything untrusted: its limits, the network, its standard streams."""

import ctypes
import os
import resource
import time
from contextlib import suppress
from typing import BinaryIO

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_NO_NEW_PRIVS = 38
_OPEN_FILES = 64
_FILE_BYTES = 16 << 20
_MOST_MEMORY = 2
"""Times the memory that a process has to begin with."""
_MEMORY_OF_FILES = 128
"""Times its size: what a rule's file takes when it is compiled, and what is thrown away meanwhile."""
_PIPE = 1 << 16
"""Bytes that a pipe holds, and that are read and written at once."""


def take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Return the pipes from and to the gateway, and put others in their place, so that no stray print breaks in.

    What libraries write to standard error goes to a file in memory; `diagnostics` reads it.
    """
    stdin, stdout = os.fdopen(os.dup(0), "rb", _PIPE), os.fdopen(os.dup(1), "wb", _PIPE)
    nothing, diagnostics = os.open(os.devnull, os.O_RDWR), os.memfd_create("diagnostics")
    for source, target in ((nothing, 0), (nothing, 1), (diagnostics, 2)):
        os.dup2(source, target)
    return stdin, stdout


def diagnostics() -> str:
    """Return what was written to standard error since the last call."""
    size = os.lseek(2, 0, os.SEEK_CUR)
    if not size:
        return ""
    os.lseek(2, 0, os.SEEK_SET)
    text = os.read(2, size).decode(errors="replace")
    os.ftruncate(2, 0)
    os.lseek(2, 0, os.SEEK_SET)
    return text


def confine(*, memory: int) -> None:
    """Limit this process for good; `memory` is in bytes. Without a kernel's permission it keeps the host's network."""
    # RLIMIT_AS would count the address space that Saxon reserves and never uses (tens of GiB).
    resource.setrlimit(resource.RLIMIT_DATA, (memory, _MOST_MEMORY * memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_BYTES, _FILE_BYTES))
    # os.unshare exists from Python 3.12 on. As a user other than root the network goes with a namespace of users.
    with suppress(AttributeError, OSError):
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        if libc.unshare(_CLONE_NEWNET) != 0:
            libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)


def allow_memory(memory: int, files: int) -> None:
    """Let this process use `memory` bytes and what `files` bytes of rules take; what it was let use before, it may."""
    allowed, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (min(max(allowed, memory + _MEMORY_OF_FILES * files), most), most))


def allow_cpu(seconds: int) -> None:
    """Let this process use so many more seconds of CPU, all threads together, before the kernel ends it."""
    limit = int(time.process_time()) + seconds + 1
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
