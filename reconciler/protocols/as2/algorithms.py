"""The algorithms, by the names of the settings, and as CMS writes them (RFC 3370, 5754, 4056, 3560, 5084)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import CipherAlgorithm
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from reconciler.protocols.as2.der import SEQUENCE, oid, tlv

HASHES: Mapping[str, hashes.HashAlgorithm] = {
    "md5": hashes.MD5(),  # noqa: S303 - accepted only where the settings name it
    "sha1": hashes.SHA1(),  # noqa: S303 - the same
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
"""The digests that signatures and MICs can have."""

MIC_DIGESTS = frozenset({"sha1", "sha256", "sha384", "sha512"})
"""The digests that an MDN's sender may choose from; SHA-1 is what many products name first."""

STRONG_DIGESTS = frozenset({"sha256", "sha384", "sha512"})
"""The digests that are accepted without being named in the settings."""

DIGEST_OIDS: Mapping[str, bytes] = {
    "md5": oid("1.2.840.113549.2.5"),
    "sha1": oid("1.3.14.3.2.26"),
    "sha256": oid("2.16.840.1.101.3.4.2.1"),
    "sha384": oid("2.16.840.1.101.3.4.2.2"),
    "sha512": oid("2.16.840.1.101.3.4.2.3"),
}
DIGESTS_BY_OID: Mapping[bytes, str] = {code: name for name, code in DIGEST_OIDS.items()}

RSA_WITH: Mapping[str, bytes] = {
    "md5": oid("1.2.840.113549.1.1.4"),
    "sha1": oid("1.2.840.113549.1.1.5"),
    "sha256": oid("1.2.840.113549.1.1.11"),
    "sha384": oid("1.2.840.113549.1.1.12"),
    "sha512": oid("1.2.840.113549.1.1.13"),
}
ECDSA_WITH: Mapping[str, bytes] = {
    "sha1": oid("1.2.840.10045.4.1"),
    "sha256": oid("1.2.840.10045.4.3.2"),
    "sha384": oid("1.2.840.10045.4.3.3"),
    "sha512": oid("1.2.840.10045.4.3.4"),
}
EC_KEY = oid("1.2.840.10045.2.1")
"""What some products write instead of the name of ECDSA with its digest."""
RSA = oid("1.2.840.113549.1.1.1")
RSA_PSS = oid("1.2.840.113549.1.1.10")
RSA_OAEP = oid("1.2.840.113549.1.1.7")
MGF1 = oid("1.2.840.113549.1.1.8")

DATA = oid("1.2.840.113549.1.7.1")
SIGNED_DATA = oid("1.2.840.113549.1.7.2")
ENVELOPED_DATA = oid("1.2.840.113549.1.7.3")
AUTH_ENVELOPED_DATA = oid("1.2.840.113549.1.9.16.1.23")
COMPRESSED_DATA = oid("1.2.840.113549.1.9.16.1.9")
ZLIB = oid("1.2.840.113549.1.9.16.3.8")
CONTENT_TYPE = oid("1.2.840.113549.1.9.3")
MESSAGE_DIGEST = oid("1.2.840.113549.1.9.4")
SIGNING_TIME = oid("1.2.840.113549.1.9.5")

NULL = b"\x05\x00"


@dataclass(frozen=True, slots=True)
class ContentCipher:
    """A cipher for content: its key's length in bytes, and whether it authenticates (GCM)."""

    name: str
    code: bytes
    algorithm: Callable[[bytes], CipherAlgorithm]
    key_size: int
    block_size: int
    authenticates: bool = False


_CIPHERS = (
    ContentCipher("aes128-cbc", oid("2.16.840.1.101.3.4.1.2"), AES, 16, 16),
    ContentCipher("aes192-cbc", oid("2.16.840.1.101.3.4.1.22"), AES, 24, 16),
    ContentCipher("aes256-cbc", oid("2.16.840.1.101.3.4.1.42"), AES, 32, 16),
    ContentCipher("aes128-gcm", oid("2.16.840.1.101.3.4.1.6"), AES, 16, 16, authenticates=True),
    ContentCipher("aes192-gcm", oid("2.16.840.1.101.3.4.1.26"), AES, 24, 16, authenticates=True),
    ContentCipher("aes256-gcm", oid("2.16.840.1.101.3.4.1.46"), AES, 32, 16, authenticates=True),
    ContentCipher("tripledes-192-cbc", oid("1.2.840.113549.3.7"), TripleDES, 24, 8),
)
CIPHERS: Mapping[str, ContentCipher] = {cipher.name: cipher for cipher in _CIPHERS}
CIPHERS_BY_OID: Mapping[bytes, ContentCipher] = {cipher.code: cipher for cipher in _CIPHERS}

STRONG_CIPHERS = frozenset(name for name in CIPHERS if name.startswith("aes"))
"""The ciphers that are accepted without being named in the settings."""


def algorithm(code: bytes, *parameters: bytes) -> bytes:
    """Return an AlgorithmIdentifier (RFC 5280 section 4.1.1.2)."""
    return tlv(SEQUENCE, code, *parameters)


def digest_algorithm(digest: str) -> bytes:
    """Return a digest's identifier, with the NULL that older products expect."""
    return algorithm(DIGEST_OIDS[digest], NULL)


def pss_algorithm(digest: str) -> bytes:
    """Return the identifier of RSASSA-PSS with one digest throughout and a salt of its length (RFC 4055, 3.1)."""
    used = digest_algorithm(digest)
    salt = bytes((0x02, 0x01, HASHES[digest].digest_size))
    return algorithm(RSA_PSS, tlv(SEQUENCE, tlv(0xA0, used), tlv(0xA1, algorithm(MGF1, used)), tlv(0xA2, salt)))


def oaep_algorithm(digest: str) -> bytes:
    """Return the identifier of RSAES-OAEP with one digest throughout (RFC 4055 section 4.1); SHA-1 is the default."""
    if digest == "sha1":
        return algorithm(RSA_OAEP, tlv(SEQUENCE))
    used = digest_algorithm(digest)
    return algorithm(RSA_OAEP, tlv(SEQUENCE, tlv(0xA0, used), tlv(0xA1, algorithm(MGF1, used))))
