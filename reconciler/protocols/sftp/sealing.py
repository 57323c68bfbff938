"""Sealing packets in one pass: the ciphers of which the length of a packet is in clear."""

from hmac import compare_digest
from hmac import new as hmac_new
from typing import TYPE_CHECKING, Any

from paramiko import SSHException

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.ciphers import CipherContext
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM


class _Gcm:
    """AES-GCM in one direction (RFC 5647 section 7.1): a key, and a nonce that counts."""

    tag = 16

    def __init__(self, engine: "AESGCM", nonce: bytes) -> None:
        self._engine = engine
        self._fixed = nonce[:4]
        self._counter = int.from_bytes(nonce[4:])

    def seal(self, _number: int, head: bytes, body: bytes) -> tuple[bytes, ...]:
        return head, self._engine.encrypt(self._nonce(), body, head)

    def open(self, _number: int, head: bytes, sealed: memoryview) -> bytes:
        return self._engine.decrypt(self._nonce(), sealed, head)

    def _nonce(self) -> bytes:
        nonce = self._fixed + self._counter.to_bytes(8)
        self._counter = (self._counter + 1) & 0xFFFFFFFFFFFFFFFF
        return nonce


class _EncryptThenMac:
    """A stream cipher and a MAC over what it made (OpenSSH's PROTOCOL, section 1.5)."""

    def __init__(self, engine: "CipherContext", mac: "Callable[[], Any]", tag: int, key: bytes | bytearray) -> None:
        self.tag = tag
        self._engine = engine
        self._mac = hmac_new(key, digestmod=mac)

    def seal(self, number: int, head: bytes, body: bytes) -> tuple[bytes, ...]:
        sealed = self._engine.update(body)
        return head, sealed, self._tag_of(number, head, sealed)

    def open(self, number: int, head: bytes, sealed: memoryview) -> bytes:
        body = sealed[: -self.tag]
        if not compare_digest(self._tag_of(number, head, body), sealed[-self.tag :]):
            raise SSHException("a packet that was changed on its way")
        return self._engine.update(body)

    def _tag_of(self, number: int, head: bytes, sealed: bytes | memoryview) -> bytes:
        mac = self._mac.copy()
        mac.update(number.to_bytes(4) + head)
        mac.update(sealed)
        return mac.digest()[: self.tag]


Sealing = _Gcm | _EncryptThenMac
"""What seals and opens the packets of one direction."""


def sealing_of(
    engine: Any,  # noqa: ANN401 - a cipher, or AES-GCM
    mac: Any,  # noqa: ANN401 - one of hashlib
    mac_size: int,
    mac_key: bytes | bytearray,
    nonce: bytes | None,
    *,
    etm: bool,
) -> Sealing | None:
    """Return what seals with the cipher that was agreed on, or None for one that paramiko itself has to apply."""
    if nonce is not None:
        return _Gcm(engine, nonce)
    return _EncryptThenMac(engine, mac, mac_size, mac_key) if etm else None
