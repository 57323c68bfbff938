"""Networks of addresses, in their one written form."""

from collections.abc import Iterable
from ipaddress import ip_network


def canonical_networks(networks: Iterable[str]) -> tuple[str, ...]:
    """Return networks in their one form, sorted, each once. Raises ValueError that says how to write one."""
    return tuple(sorted({_canonical(network) for network in networks}))


def _canonical(network: str) -> str:
    try:
        return str(ip_network(network))
    except ValueError:
        pass  # then there is more to say about it
    try:
        loose = ip_network(network, strict=False)
    except ValueError:
        raise ValueError(f"'{network}' is no network; one looks like 192.0.2.0/24 or 2001:db8::/32") from None
    raise ValueError(f"'{network}' is an address inside a network; write {loose} for all of it")
