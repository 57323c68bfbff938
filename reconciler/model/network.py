"""Networks of addresses, in their one written form."""

import re
from collections.abc import Iterable
from ipaddress import ip_network

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_ADDRESS = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
"""An IPv4 address in its one form: what most networks are, so that nothing has to be made of them."""


def canonical_networks(networks: Iterable[str]) -> tuple[str, ...]:
    """Return networks in their one form, sorted, each once. Raises ValueError that says how to write one."""
    return tuple(sorted({_canonical(network) for network in networks}))


def _canonical(network: str) -> str:
    if _ADDRESS.fullmatch(network):
        return f"{network}/32"
    try:
        return str(ip_network(network))
    except ValueError:
        pass  # then there is more to say about it
    try:
        loose = ip_network(network, strict=False)
    except ValueError:
        raise ValueError(f"'{network}' is no network; one looks like 192.0.2.0/24 or 2001:db8::/32") from None
    raise ValueError(f"'{network}' is an address inside a network; write {loose} for all of it")
