"""Posting an asynchronous MDN to the URL that a message names, without being led into the own network.

The URL comes from outside. Its host and port are either those that the partner's declaration names, or the host
resolves to public addresses only; the connection then goes to the address that was checked, so that a second resolution
cannot differ.
"""

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import httpx

from reconciler.protocols.as2.ports import Answer, DeliveryError

_TIMEOUT = 30.0
_SUCCESS = range(200, 300)


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect: a URL, and the host name that TLS and the Host header are about."""

    url: str
    host: str
    host_name: str


Resolver = Callable[[str, int], Sequence[str]]
"""Host and port → addresses. Raises DeliveryError when the host is not known."""


def resolved(host: str, port: int) -> list[str]:
    """Return the addresses of a host, as the system knows them."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise DeliveryError("the host of the URL for the MDN is not known", retryable=True) from error
    return [str(entry[4][0]) for entry in found]


def target(url: str, *, declared: str, resolve: Resolver = resolved) -> Target:
    """Return where the MDN may be posted. Raises DeliveryError when it may not be posted there."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise DeliveryError("the URL for the MDN is no URL", retryable=False) from error
    if parts.scheme not in {"http", "https"} or not host or parts.username is not None:
        raise DeliveryError("the URL for the MDN is no http or https URL", retryable=False)
    host_header = parts.netloc
    if _origin(parts) == _origin(urlsplit(declared)):
        return Target(url, host_header, host)
    address = _public(resolve(host, _origin(parts)[1]))
    literal = f"[{address}]" if ":" in address else address
    pinned = parts._replace(netloc=f"{literal}:{port}" if port else literal)
    return Target(pinned.geturl(), host_header, host)


def _origin(parts: SplitResult) -> tuple[str | None, int]:
    return parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def _public(addresses: Sequence[str]) -> str:
    if not addresses or not all(ipaddress.ip_address(address).is_global for address in addresses):
        raise DeliveryError("the URL for the MDN leads into a private network", retryable=False)
    return addresses[0]


def post_mdn(url: str, mdn: Answer, *, declared: str) -> None:
    """Post an MDN. `declared` is the partner's own URL. Raises DeliveryError when the partner does not take it."""
    where = target(url, declared=declared)
    headers = {**mdn.headers, "Host": where.host}
    try:
        with (
            httpx.Client(trust_env=False, timeout=_TIMEOUT) as client,
            client.stream(
                "POST", where.url, content=mdn.body, headers=headers, extensions={"sni_hostname": where.host_name}
            ) as answer,
        ):
            status = answer.status_code
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise DeliveryError(f"the MDN cannot be posted: {error}", retryable=True) from error
    if status not in _SUCCESS:
        raise DeliveryError(f"the MDN was answered with HTTP {status}", retryable=True)
