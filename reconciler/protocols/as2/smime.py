"""Signed, encrypted and compressed entities (RFC 8551, RFC 5402)."""

import base64
from datetime import datetime

from cryptography import x509

from reconciler.protocols.as2.cms import Identity, Signed, verify
from reconciler.protocols.as2.disposition import Disposition, RefusedMessageError
from reconciler.protocols.as2.library import compress_message, encrypt_message, sign_message
from reconciler.protocols.as2.mime import Entity, multipart
from reconciler.protocols.as2.oscrypto_standin import PrivateKey, certificate_of

PKCS7_MIME = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_SIGNATURE = frozenset({"application/pkcs7-signature", "application/x-pkcs7-signature"})


def signed_part(entity: Entity, *, by: tuple[x509.Certificate, ...], now: datetime, digests: frozenset[str]) -> Signed:
    """Return the entity inside a multipart/signed one, as its bytes stand there, when its signature holds.

    Raises RefusedMessageError.
    """
    try:
        parts = entity.parts()
        signatures = [part.decoded() for part in parts[1:] if part.content_type in _SIGNATURE]
    except ValueError as error:
        raise RefusedMessageError(
            Disposition.AUTHENTICATION_FAILED, f"the signed message is broken: {error}"
        ) from error
    match parts, signatures:
        case (content, _), [signature]:
            return verify(content.raw, signature, by=by, now=now, digests=digests)
        case _:
            raise RefusedMessageError(
                Disposition.AUTHENTICATION_FAILED, "the signed message is not one part and its signature"
            )


def sign(entity: Entity, identity: Identity, digest: str) -> Entity:
    """Return the entity with our signature beside it."""
    key = PrivateKey(identity.key), certificate_of(identity.certificate)
    signature = Entity.of(
        [
            ("Content-Type", 'application/pkcs7-signature; name="smime.p7s"; smime-type=signed-data'),
            ("Content-Transfer-Encoding", "base64"),
            ("Content-Disposition", 'attachment; filename="smime.p7s"'),
        ],
        base64.encodebytes(sign_message(entity.raw, digest, key)).replace(b"\n", b"\r\n").rstrip(),
    )
    # RFC 8551 section 3.5.3.2 spells the digests of the SHA family with a hyphen.
    micalg = digest.replace("sha", "sha-")
    return multipart(f'signed; protocol="application/pkcs7-signature"; micalg={micalg}', (entity, signature))


def compress(entity: Entity) -> Entity:
    """Return the entity compressed."""
    return _pkcs7("compressed-data", "smime.p7z", compress_message(entity.raw))


def encrypt(entity: Entity, certificate: x509.Certificate, encryption: str) -> Entity:
    """Return the entity encrypted for the holder of the certificate. Raises ValueError when that has no RSA key."""
    # The library's names are the settings' names with the key length set off: aes256-cbc is aes_256_cbc.
    cipher = encryption.replace("aes", "aes-").replace("-", "_")
    return _pkcs7("enveloped-data", "smime.p7m", encrypt_message(entity.raw, cipher, certificate_of(certificate)))


def _pkcs7(smime_type: str, name: str, content: bytes) -> Entity:
    return Entity.of(
        [
            ("Content-Type", f'application/pkcs7-mime; smime-type={smime_type}; name="{name}"'),
            ("Content-Transfer-Encoding", "binary"),
            ("Content-Disposition", f'attachment; filename="{name}"'),
        ],
        content,
    )
