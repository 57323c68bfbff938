"""Making CMS (RFC 5652): sign, encrypt, compress. Content is copied once, into the result."""

import secrets
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import new as new_hash

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.serialization import Encoding

from reconciler.protocols.as2.algorithms import (
    AUTH_ENVELOPED_DATA,
    CIPHERS,
    COMPRESSED_DATA,
    CONTENT_TYPE,
    DATA,
    ECDSA_WITH,
    ENVELOPED_DATA,
    HASHES,
    MESSAGE_DIGEST,
    NULL,
    RSA,
    SIGNED_DATA,
    SIGNING_TIME,
    ZLIB,
    algorithm,
    digest_algorithm,
    oaep_algorithm,
    pss_algorithm,
)
from reconciler.protocols.as2.cms import Identity
from reconciler.protocols.as2.der import OCTETS, SEQUENCE, SET, head, integer, tlv

_VERSION_0, _VERSION_1 = integer(0), integer(1)


def signed_data(
    content: bytes,
    identity: Identity,
    digest: str,
    *,
    pss: bool = False,
    opaque: bool = False,
    now: datetime | None = None,
) -> bytes:
    """Return a signature over content; an opaque one holds the content itself.

    An elliptic-curve key signs by ECDSA, an RSA key by PKCS #1 v1.5 or, if asked to, by PSS. Raises ValueError when
    the key cannot sign with the digest.
    """
    attributes = sorted(
        (
            tlv(SEQUENCE, CONTENT_TYPE, tlv(SET, DATA)),
            tlv(SEQUENCE, SIGNING_TIME, tlv(SET, _utc_time(now or datetime.now(UTC)))),
            tlv(SEQUENCE, MESSAGE_DIGEST, tlv(SET, tlv(OCTETS, new_hash(digest, content).digest()))),
        )
    )
    scheme, signature = _signature(tlv(SET, *attributes), identity, digest, pss=pss)
    signer = tlv(
        SEQUENCE,
        _VERSION_1,
        _issuer_and_serial(identity.certificate),
        digest_algorithm(digest),
        tlv(0xA0, *attributes),
        scheme,
        tlv(OCTETS, signature),
    )
    encapsulated = tlv(SEQUENCE, DATA, tlv(0xA0, tlv(OCTETS, content))) if opaque else tlv(SEQUENCE, DATA)
    return _content_info(
        SIGNED_DATA,
        _VERSION_1,
        tlv(SET, digest_algorithm(digest)),
        encapsulated,
        tlv(0xA0, _der(identity.certificate)),
        tlv(SET, signer),
    )


def signed_by_nobody() -> bytes:
    """Return signed data without a signer, which proves nothing: to try out that nobody takes it for a signature."""
    return _content_info(SIGNED_DATA, _VERSION_1, tlv(SET), tlv(SEQUENCE, DATA), tlv(SET))


def _signature(attributes: bytes, identity: Identity, digest: str, *, pss: bool) -> tuple[bytes, bytes]:
    """Return the signature's algorithm and the signature."""
    used = HASHES[digest]
    match identity.key:
        case ec.EllipticCurvePrivateKey() as key:
            if digest not in ECDSA_WITH:
                raise ValueError(f"an elliptic-curve key does not sign with {digest}")
            return algorithm(ECDSA_WITH[digest]), key.sign(attributes, ec.ECDSA(used))
        case rsa.RSAPrivateKey() as key:
            if pss:
                scheme = padding.PSS(padding.MGF1(used), used.digest_size)
                return pss_algorithm(digest), key.sign(attributes, scheme, used)
            # rsaEncryption, which RFC 3370 section 3.2 requires everyone to know, says nothing of the digest again.
            return algorithm(RSA, NULL), key.sign(attributes, padding.PKCS1v15(), used)


def enveloped_data(
    content: bytes, certificates: Sequence[x509.Certificate], encryption: str, *, oaep: str | None = None
) -> bytes:
    """Return content encrypted for the holders of certificates, by a cipher of the settings' names.

    GCM makes authenticated-enveloped data (RFC 5083). The key travels by PKCS #1 v1.5 or, with the name of its digest,
    by OAEP. Raises ValueError when a certificate has no RSA key.
    """
    cipher = CIPHERS[encryption]
    key = secrets.token_bytes(cipher.key_size)
    recipients = tlv(SET, *(_recipient(certificate, key, oaep) for certificate in certificates))
    if cipher.authenticates:
        nonce = secrets.token_bytes(12)
        encryptor = Cipher(cipher.algorithm(key), modes.GCM(nonce)).encryptor()
        encrypted, last = encryptor.update(content), encryptor.finalize()
        parameters = tlv(SEQUENCE, tlv(OCTETS, nonce), integer(16))
        info = _encrypted(algorithm(cipher.code, parameters), encrypted, last)
        return _content_info(AUTH_ENVELOPED_DATA, _VERSION_0, recipients, *info, tlv(OCTETS, encryptor.tag))
    iv = secrets.token_bytes(cipher.block_size)
    chaining = Cipher(cipher.algorithm(key), modes.CBC(iv)).encryptor()
    missing = cipher.block_size - len(content) % cipher.block_size
    encrypted = chaining.update(content)
    last = chaining.update(bytes((missing,)) * missing) + chaining.finalize()
    info = _encrypted(algorithm(cipher.code, tlv(OCTETS, iv)), encrypted, last)
    return _content_info(ENVELOPED_DATA, _VERSION_0, recipients, *info)


def _encrypted(used: bytes, *pieces: bytes) -> tuple[bytes, ...]:
    """Return EncryptedContentInfo in pieces, so that large content is copied only once, into the whole."""
    content_head = head(0x80, sum(map(len, pieces)))
    size = len(DATA) + len(used) + len(content_head) + sum(map(len, pieces))
    return head(SEQUENCE, size), DATA, used, content_head, *pieces


def _recipient(certificate: x509.Certificate, key: bytes, oaep: str | None) -> bytes:
    public = certificate.public_key()
    if not isinstance(public, rsa.RSAPublicKey):
        raise ValueError("the certificate has no RSA key to encrypt for")  # noqa: TRY004 - the key is at fault
    if oaep is None:
        scheme, encrypted = algorithm(RSA, NULL), public.encrypt(key, padding.PKCS1v15())
    else:
        used = HASHES[oaep]
        scheme, encrypted = oaep_algorithm(oaep), public.encrypt(key, padding.OAEP(padding.MGF1(used), used, None))
    return tlv(SEQUENCE, _VERSION_0, _issuer_and_serial(certificate), scheme, tlv(OCTETS, encrypted))


def compressed_data(content: bytes) -> bytes:
    """Return content compressed (RFC 3274)."""
    encapsulated = tlv(SEQUENCE, DATA, tlv(0xA0, tlv(OCTETS, zlib.compress(content))))
    return _content_info(COMPRESSED_DATA, _VERSION_0, algorithm(ZLIB), encapsulated)


def _content_info(content_type: bytes, *parts: bytes) -> bytes:
    size = sum(map(len, parts))
    sequence = head(SEQUENCE, size)
    explicit = head(0xA0, len(sequence) + size)
    return b"".join(
        (
            head(SEQUENCE, len(content_type) + len(explicit) + len(sequence) + size),
            content_type,
            explicit,
            sequence,
            *parts,
        )
    )


@lru_cache(maxsize=4096)
def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


@lru_cache(maxsize=4096)
def _issuer_and_serial(certificate: x509.Certificate) -> bytes:
    return tlv(SEQUENCE, certificate.issuer.public_bytes(), integer(certificate.serial_number))


def _utc_time(moment: datetime) -> bytes:
    return tlv(0x17, f"{moment.astimezone(UTC):%y%m%d%H%M%SZ}".encode())
