"""Who may log in: decided from the partners as they are now, the proof that was given, the peer and the time."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
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


class Verdict(Enum):
    """What proofs come to."""

    REFUSED = auto()
    HALF = auto()
    """The key is right, and the password is required too."""
    ADMITTED = auto()


@dataclass(frozen=True, slots=True)
class Login:
    """What admits one partner, and what the partner then may take up."""

    mailbox: UUID
    settings: SftpSettings
    passwords: tuple[Password, ...]
    keys: tuple[AuthorizedKey, ...]
    networks: tuple[IPv4Network | IPv6Network, ...]

    @classmethod
    def of(cls, partner: Partner) -> Self:
        """Read a partner's settings and credentials."""
        settings = SftpSettings.model_validate(dict(partner.settings))
        return cls(
            partner.mailbox,
            settings,
            tuple(Password(live.verifier, live.expires) for live in partner.credentials.get("password", ())),
            tuple(AuthorizedKey.parse(line) for line in settings.authorized_keys),
            tuple(ip_network(network) for network in settings.allow_from),
        )

    def judge(self, proofs: Iterable[Proof], peer: Address, now: datetime) -> Verdict:
        """Judge proofs of which the signatures are right. Everything is compared, so that the time tells nothing."""
        has_key = has_password = False
        for proof in proofs:
            match proof:
                case PasswordProof(digest):
                    held = [
                        compare_digest(digest, password.verifier)
                        and (password.expires is None or now < password.expires)
                        for password in self.passwords
                    ]
                    has_password |= any(held)
                case KeyProof(blob):
                    held = [compare_digest(blob, key.blob) and key.admits(peer, now) for key in self.keys]
                    has_key |= any(held)
                case _:
                    assert_never(proof)
        if self.networks and not any(peer in network for network in self.networks):
            return Verdict.REFUSED
        match self.settings.authentication:
            case "any":
                return Verdict.ADMITTED if has_key or has_password else Verdict.REFUSED
            case "both" if has_key:
                return Verdict.ADMITTED if has_password else Verdict.HALF
            case "both":
                return Verdict.REFUSED
            case _:
                assert_never(self.settings.authentication)


_NOBODY = Login(UUID(int=0), SftpSettings(), (Password(token_bytes(32), None),), (), ())
"""Who stands in for a name that nobody has: no password has this verifier."""


class Logins:
    """All logins, by name: a mailbox's UUID, or what its settings declare. Another configuration is another value."""

    def __init__(self, partners: Iterable[Partner] = ()) -> None:
        logins = [Login.of(partner) for partner in partners]
        named = [(name, login) for login in logins for name in login.settings.login_names]
        times = Counter(name for name, _ in named)
        # A name that two mailboxes claim is nobody's: it must not depend on their order whose it is.
        self._logins: Mapping[str, Login] = MappingProxyType(
            {str(login.mailbox): login for login in logins} | {name: login for name, login in named if times[name] == 1}
        )

    def find(self, name: str) -> Login | None:
        """Return the login that has a name, or None."""
        return self._logins.get(name)

    def judge(self, name: str, proofs: Iterable[Proof], peer: Address, now: datetime) -> Verdict:
        """Judge proofs for a name. A name that nobody has costs what a wrong password costs."""
        return self._logins.get(name, _NOBODY).judge(proofs, peer, now)


def peer_address(host: str) -> Address:
    """Return a peer's address; an IPv4 peer of a socket that takes both is an IPv4 peer."""
    address = ip_address(host.partition("%")[0])
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
