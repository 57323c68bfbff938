"""The keys by which clients know this server."""

from collections.abc import Iterable
from dataclasses import dataclass
from io import StringIO

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_ssh_private_key,
)
from paramiko import ECDSAKey, Ed25519Key, PKey, RSAKey

from reconciler.protocols.protocol import LiveCredential


@dataclass(frozen=True, slots=True)
class HostKeys:
    """Private keys: one of each type that is used, and all that clients are told of."""

    used: tuple[PKey, ...] = ()
    announced: tuple[PKey, ...] = ()


def load_host_keys(credentials: Iterable[LiveCredential]) -> HostKeys:
    """Return the first key of each type, and all, from private keys as OpenSSH or PEM (PKCS #8) write them.

    Raises ValueError when one is no key that a server can have, without showing it.
    """
    announced = tuple(_load(credential) for credential in credentials)
    used: dict[str, PKey] = {}
    for key in announced:
        used.setdefault(key.get_name(), key)
    return HostKeys(tuple(used.values()), announced)


def _load(credential: LiveCredential) -> PKey:
    text = credential.reveal().reveal().encode()
    load = load_ssh_private_key if b"BEGIN OPENSSH PRIVATE KEY" in text else load_pem_private_key
    try:
        key = load(text, password=None)
    except (ValueError, TypeError):
        raise ValueError(f"the host key {credential.fingerprint} is not readable") from None
    match key:
        case RSAPrivateKey():
            return RSAKey(key=key)  # read from its text, it would be proved to be one a second time
        case Ed25519PrivateKey():
            return Ed25519Key(file_obj=_openssh(key))
        case EllipticCurvePrivateKey():
            return ECDSAKey(file_obj=_openssh(key))
        case _:
            raise ValueError(f"the host key {credential.fingerprint} is neither ed25519 nor RSA nor ECDSA")


def _openssh(key: Ed25519PrivateKey | EllipticCurvePrivateKey) -> StringIO:
    return StringIO(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode())
