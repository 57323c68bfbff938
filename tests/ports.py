"""Ports for servers that are started later, or again, and meanwhile must not become another's."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from itertools import cycle

# Below those that the system hands out, to who asks for any port and to each outgoing connection.
_FIRST, _LAST, _BLOCK = 10_000, 32_000, 500


def _of_this_process() -> Iterator[int]:
    """Give the ports of a block that no other process of tests has, in turn and for ever."""
    with socket.socket(socket.AF_UNIX) as claim:
        for first in range(_FIRST, _LAST, _BLOCK):
            with suppress(OSError):
                claim.bind(f"\0reconciler-tests-{first}")  # a name without a file: it ends with this process
                yield from cycle(range(first, first + _BLOCK))
    raise RuntimeError("every block of ports is another process's")


_PORTS = _of_this_process()


def free_port() -> int:
    """Return a port of the loopback interface on which nobody listens, nor soon will."""
    for port in _PORTS:
        with suppress(OSError):
            socket.create_server(("127.0.0.1", port)).close()
            return port
    raise AssertionError
