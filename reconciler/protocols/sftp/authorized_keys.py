"""Public keys that may log in, as OpenSSH writes them (sshd(8), "AUTHORIZED_KEYS FILE FORMAT")."""

import re
from base64 import b64decode
from binascii import Error as Base64Error
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

ALGORITHMS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
)
"""Types of keys; `ssh-rsa` is the name of the key, its signatures are rsa-sha2 alone."""

RSA_BITS = 2048
"""The shortest RSA key that is accepted."""

_OPTION = re.compile(r'(?P<name>[A-Za-z0-9-]+)(?:="(?P<value>(?:[^"\\]|\\.)*)")?(?:,|$)')
_LINE = re.compile(
    r'(?:(?P<options>(?:[^\s"]|"(?:[^"\\]|\\.)*")+)\s+)?(?P<algorithm>[a-z0-9@.-]+)\s+(?P<blob>[A-Za-z0-9+/=]+)(?:\s+(?P<comment>.*))?'
)
_EXPIRY = re.compile(r"(\d{8})(\d{4})?(\d{2})?Z?")

# What these forbid is never given to a partner here, so they are honoured by doing nothing.
_ALWAYS_SO = frozenset(
    {"restrict", "no-pty", "no-port-forwarding", "no-agent-forwarding", "no-x11-forwarding", "no-user-rc"}
)


@dataclass(frozen=True, slots=True)
class AuthorizedKey:
    """One line: the key in SSH wire format, where it may come from and until when.

    `sources` are the patterns of the option `from`, empty for anywhere; `expires` is in UTC.
    """

    algorithm: str
    blob: bytes
    text: str
    sources: tuple[str, ...] = ()
    expires: datetime | None = None

    @classmethod
    def parse(cls, line: str) -> Self:
        """Read one line. Raises ValueError that says what is wrong with it, without the option values."""
        if "\n" in line.strip():
            raise ValueError("one public key a line: write each key as an item of its own")
        text = " ".join(line.split())
        match = _LINE.fullmatch(text)
        if match is None:
            raise ValueError(f"'{_shortened(text)}' is no public key; one looks like: ssh-ed25519 AAAA… name")
        if match["algorithm"] not in ALGORITHMS:
            raise ValueError(f"keys of type {match['algorithm']} are not accepted; use one of {', '.join(ALGORITHMS)}")
        blob = _checked_blob(match["algorithm"], match["blob"])
        sources: tuple[str, ...] = ()
        expires: datetime | None = None
        for name, value in _options(match["options"] or ""):
            match name:
                case "from" if value:
                    sources = tuple(pattern.strip() for pattern in value.split(","))
                case "expiry-time" if value:
                    expires = _expiry(value)
                case _ if name in _ALWAYS_SO and value is None:
                    pass
                case _:
                    raise ValueError(f"the option '{name}' of a public key is not known; from and expiry-time are")
        return cls(match["algorithm"], blob, text, sources, expires)

    def admits(self, peer: IPv4Address | IPv6Address, now: datetime) -> bool:
        """Say whether this key may log in from `peer` at `now`."""
        if self.expires is not None and now >= self.expires:
            return False
        if not self.sources:
            return True
        # One negated match refuses, whatever else matches (ssh_config(5), PATTERNS).
        if any(pattern.startswith("!") and _matches(pattern[1:], peer) for pattern in self.sources):
            return False
        return any(_matches(pattern, peer) for pattern in self.sources if not pattern.startswith("!"))

    def __str__(self) -> str:
        return self.text


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"  # noqa: PLR2004 - enough to find the line by


def _checked_blob(algorithm: str, encoded: str) -> bytes:
    try:
        key = load_ssh_public_key(f"{algorithm} {encoded}".encode())
        blob = b64decode(encoded, validate=True)
    except (ValueError, UnsupportedAlgorithm, Base64Error):
        raise ValueError(f"the {algorithm} key is damaged: copy the whole line of the .pub file") from None
    if isinstance(key, RSAPublicKey) and key.key_size < RSA_BITS:
        raise ValueError(f"the RSA key has {key.key_size} bits; {RSA_BITS} are the least")
    return blob


def _options(text: str) -> list[tuple[str, str | None]]:
    found: list[tuple[str, str | None]] = []
    position = 0
    while position < len(text):
        match = _OPTION.match(text, position)
        if match is None:
            raise ValueError(f"the options of a public key are not readable at '{_shortened(text[position:])}'")
        found.append((match["name"].lower(), match["value"]))
        position = match.end()
    return found


def _expiry(value: str) -> datetime:
    """Read YYYYMMDD[HHMM[SS]][Z], in UTC without the Z too: no meaning of a configuration may depend on the host."""
    match = _EXPIRY.fullmatch(value)
    if match is None:
        raise ValueError(f"expiry-time '{value}' is no time; one looks like 20271231 or 202712312359Z")
    day, minutes, seconds = match.groups(default="")
    try:
        return datetime.strptime(day + (minutes or "0000") + (seconds or "00"), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        raise ValueError(f"expiry-time '{value}' is no day of the calendar") from None


def _matches(pattern: str, peer: IPv4Address | IPv6Address) -> bool:
    """Match an address or network, or an address with * and ?; names of hosts never match, none is looked up."""
    try:
        return peer in ip_network(pattern, strict=False)
    except ValueError:
        return fnmatchcase(str(peer), pattern)
