"""Where a connection may go, so that no URL leads it into the own network.

A host is resolved once, its addresses are judged, and the connection goes to an address that was judged, so that a
second resolution cannot differ. Private addresses are for partners whose declaration allows them; metadata services,
which live on link-local addresses, are for nobody.
"""

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from reconciler.protocols.as2.ports import DeliveryError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], Sequence[str]]
"""Host and port → addresses. Raises DeliveryError when the host is not known."""

# These carry an IPv4 address inside, which is where the packets end (RFC 6052, RFC 3056, RFC 4380).
_TUNNELS = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")))


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect: a URL for each address, the host as its header says it, and the name that TLS is about."""

    urls: tuple[str, ...]
    host: str
    host_name: str
    is_tls: bool


def resolved(host: str, port: int) -> list[str]:
    """Return the addresses of a host, as the system knows them."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise DeliveryError(f"the host {host} is not known", retryable=True) from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def target(url: str, *, allow_private: bool, resolve: Resolver = resolved) -> Target:
    """Return where to connect for a URL. Raises DeliveryError when that is nowhere."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise DeliveryError("the URL is none", retryable=False) from error
    if parts.scheme not in {"http", "https"} or not host or parts.username is not None:
        raise DeliveryError("the URL is no http or https URL", retryable=False)
    addresses = resolve(host, _origin(parts)[1])
    if not addresses or not all(_may_be_reached(address, allow_private=allow_private) for address in addresses):
        raise DeliveryError(
            "the URL leads into a private network, which the declaration does not allow", retryable=False
        )
    literals = [f"[{address}]" if ":" in address else address for address in addresses]
    urls = tuple(parts._replace(netloc=f"{each}:{port}" if port else each).geturl() for each in literals)
    return Target(urls, parts.netloc, host, parts.scheme == "https")


def same_origin(url: str, other: str) -> bool:
    """Say whether two URLs name the same scheme, host and port."""
    try:
        one, two = urlsplit(url), urlsplit(other)
        return one.scheme == two.scheme and _origin(one) == _origin(two)
    except ValueError:
        return False


def _origin(parts: SplitResult) -> tuple[str | None, int]:
    return parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def _may_be_reached(text: str, *, allow_private: bool) -> bool:
    address: Address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_link_local or address.is_multicast or address.is_unspecified or address.is_reserved:
        return False
    if any(address in tunnel for tunnel in _TUNNELS):
        return False
    return address.is_global or (allow_private and address.is_private)
