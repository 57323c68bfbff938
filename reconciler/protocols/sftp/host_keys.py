"""The keys by which clients know this server."""

from collections.abc import Iterable
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

HostKeys = tuple[PKey, ...]
"""Private keys, one of each type."""


def load_host_keys(credentials: Iterable[LiveCredential]) -> HostKeys:
    """Return the newest key of each type, from private keys as OpenSSH or PEM (PKCS #8) write them.

    `credentials` come newest first. Raises ValueError when one is no key that a server can have, without showing it.
    """
    keys: dict[str, PKey] = {}
    for credential in credentials:
        key = _load(credential)
        keys.setdefault(key.get_name(), key)
    return tuple(keys.values())


def _load(credential: LiveCredential) -> PKey:
    text = credential.reveal().reveal().encode()
    load = load_ssh_private_key if b"BEGIN OPENSSH PRIVATE KEY" in text else load_pem_private_key
    try:
        key = load(text, password=None)
    except (ValueError, TypeError):
        raise ValueError(f"the host key {credential.fingerprint} is not readable") from None
    match key:
        case Ed25519PrivateKey() | RSAPrivateKey() | EllipticCurvePrivateKey():
            openssh = StringIO(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode())
        case _:
            raise ValueError(f"the host key {credential.fingerprint} is neither ed25519 nor RSA nor ECDSA")
    match key:
        case Ed25519PrivateKey():
            return Ed25519Key(file_obj=openssh)
        case RSAPrivateKey():
            return RSAKey(file_obj=openssh)
        case EllipticCurvePrivateKey():
            return ECDSAKey(file_obj=openssh)
