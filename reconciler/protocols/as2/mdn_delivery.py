"""Posting an asynchronous MDN to the URL that a message names, without being led into the own network.

The URL comes from outside. Its host is either the one that the partner's declaration names, or it resolves to public
addresses only; the connection then goes to the address that was checked, so that a second resolution cannot differ.
"""

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

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


def target(url: str, *, declared: str) -> Target:
    """Return where the MDN may be posted. Raises DeliveryError when it may not be posted there."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise DeliveryError("the URL for the MDN is no URL", retryable=False) from error
    host = parts.hostname
    if parts.scheme not in {"http", "https"} or not host or parts.username is not None:
        raise DeliveryError("the URL for the MDN is no http or https URL", retryable=False)
    host_header = f"{host}:{port}" if port else host
    if host == urlsplit(declared).hostname:
        return Target(url, host_header, host)
    address = _public_address(host, port or (443 if parts.scheme == "https" else 80))
    literal = f"[{address}]" if ":" in address else address
    pinned = parts._replace(netloc=f"{literal}:{port}" if port else literal)
    return Target(pinned.geturl(), host_header, host)


def _public_address(host: str, port: int) -> str:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise DeliveryError("the host of the URL for the MDN is not known", retryable=True) from error
    addresses = [str(entry[4][0]) for entry in found]
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
