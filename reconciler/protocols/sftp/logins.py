"""Who may log in: decided from the partners as they are now, the proof that was given, the peer and the time."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from hmac import compare_digest
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from secrets import token_bytes
from types import MappingProxyType
from typing import Self, assert_never
from uuid import UUID

from reconciler.protocols.protocol import Partner
from reconciler.protocols.sftp.authorized_keys import AuthorizedKey
from reconciler.protocols.sftp.settings import SftpSettings

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class PasswordProof:
    """The SHA-256 of the password that was given.

    Passwords are generated with at least 160 random bits: a slow hash would protect nothing that can be guessed.
    """

    digest: bytes

    @classmethod
    def of(cls, password: bytes) -> Self:
        """Return the proof that a password is."""
        return cls(sha256(password).digest())


@dataclass(frozen=True, slots=True)
class KeyProof:
    """The public key, in SSH wire format, whose signature was or is to be verified."""

    blob: bytes


Proof = PasswordProof | KeyProof


@dataclass(frozen=True, slots=True)
class Password:
    """A valid password's SHA-256, and when it ends."""

    verifier: bytes
    expires: datetime | None


@dataclass(frozen=True, slots=True)
class Login:
    """What admits one partner."""

    mailbox: UUID
    passwords: tuple[Password, ...]
    keys: tuple[AuthorizedKey, ...]
    networks: tuple[IPv4Network | IPv6Network, ...]

    @classmethod
    def of(cls, partner: Partner) -> Self:
        """Read a partner's settings and credentials."""
        settings = SftpSettings.model_validate(dict(partner.settings))
        return cls(
            partner.mailbox,
            tuple(Password(live.verifier, live.expires) for live in partner.credentials.get("password", ())),
            tuple(AuthorizedKey.parse(line) for line in settings.authorized_keys),
            tuple(ip_network(network) for network in settings.allow_from),
        )

    def admits(self, proof: Proof, peer: Address, now: datetime) -> bool:
        """Say whether `proof` admits a peer. Everything is compared, so that the time taken tells nothing."""
        match proof:
            case PasswordProof(digest):
                proven = [
                    compare_digest(digest, password.verifier) and (password.expires is None or now < password.expires)
                    for password in self.passwords
                ]
            case KeyProof(blob):
                proven = [compare_digest(blob, key.blob) and key.admits(peer, now) for key in self.keys]
            case _:
                assert_never(proof)
        return any(proven) and (not self.networks or any(peer in network for network in self.networks))


_NOBODY = Login(UUID(int=0), (Password(token_bytes(32), None),), (), ())
"""Who stands in for a name that nobody has: no password has this verifier."""


class Logins:
    """All logins, by name: a mailbox's UUID. Never changed; another configuration is another value."""

    def __init__(self, partners: Iterable[Partner] = ()) -> None:
        self._logins: Mapping[str, Login] = MappingProxyType(
            {str(partner.mailbox): Login.of(partner) for partner in partners}
        )

    def admit(self, name: str, proof: Proof, peer: Address, now: datetime) -> UUID | None:
        """Return the mailbox that a login opens, or None. A name that nobody has costs what a wrong password costs."""
        login = self._logins.get(name, _NOBODY)
        return login.mailbox if login.admits(proof, peer, now) else None


def peer_address(host: str) -> Address:
    """Return a peer's address; an IPv4 peer of a socket that takes both is an IPv4 peer."""
    address = ip_address(host.partition("%")[0])
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
