"""The PROXY protocol's second version: what a load balancer says about who connects (proxy-protocol.txt, 2.2)."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

from reconciler.errors import ReconcilerError

HEADER_BYTES = 16
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"

_LONGEST = 2048
"""Bytes of addresses and further fields that are read; those that are sent in practice stay below 600."""


class NoProxyHeaderError(ReconcilerError):
    """A connection from a load balancer that does not begin with its header."""


def read_source(receive: Callable[[int], bytes]) -> IPv4Address | IPv6Address | None:
    """Return who connects, or None where the balancer speaks for itself, such as to look whether the server is there.

    `receive` returns exactly so many bytes. Raises NoProxyHeaderError.
    """
    header = receive(HEADER_BYTES)
    length = int.from_bytes(header[14:16])
    if not header.startswith(SIGNATURE) or header[12] >> 4 != 2 or length > _LONGEST:  # noqa: PLR2004 - the version
        raise NoProxyHeaderError("no PROXY protocol v2 header came from an address that is trusted to send one")
    fields = receive(length) if length else b""
    match header[12] & 0xF, header[13]:
        case 0, _:
            return None
        case 1, 0x11 if length >= 12:  # noqa: PLR2004 - two addresses and two ports
            return IPv4Address(fields[:4])
        case 1, 0x21 if length >= 36:  # noqa: PLR2004 - the same of IPv6
            address = IPv6Address(fields[:16])
            return address.ipv4_mapped or address
        case 1, 0:
            return None
        case _:
            raise NoProxyHeaderError("a PROXY protocol header of a kind that no SSH connection has")
