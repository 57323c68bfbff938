"""Signed, encrypted and compressed entities (RFC 8551, RFC 5402)."""

import base64
import re
from collections.abc import Iterator
from datetime import datetime

from cryptography import x509

from reconciler.protocols.as2 import cms_writing
from reconciler.protocols.as2.algorithms import CIPHERS
from reconciler.protocols.as2.cms import Identity, Signed, verify
from reconciler.protocols.as2.der import Bytes
from reconciler.protocols.as2.disposition import Disposition, RefusedMessageError
from reconciler.protocols.as2.mime import Entity, multipart

PKCS7_MIME = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_LARGEST_TEXT = 16 * 1024 * 1024
"""Bytes up to which content is tried with other line ends, which takes several copies of it."""

_DER = re.compile(rb"\x30[\x80-\x88]")
_DER_IN_BASE64 = re.compile(rb"\s*MI")


def signed_part(
    entity: Entity,
    *,
    by: tuple[x509.Certificate, ...],
    now: datetime,
    digests: frozenset[str],
    canonical: bool = False,
    missing_line_end: bool = False,
) -> tuple[Entity, Signed]:
    """Return the entity inside a multipart/signed one, as its bytes stand there, when its signature holds.

    The quirks let the signature hold for canonical line ends too, or for one more or less at the end. Raises
    RefusedMessageError.
    """
    try:
        content, signature = _content_and_signature(entity)
    except ValueError as error:
        raise RefusedMessageError(
            Disposition.AUTHENTICATION_FAILED, f"the signed message is broken: {error}"
        ) from error
    readings = _Readings(content, canonical=canonical, missing_line_end=missing_line_end)
    return content, verify(readings, signature, by=by, now=now, digests=digests)


def _content_and_signature(entity: Entity) -> tuple[Entity, Bytes]:
    match entity.parts():
        case content, signature:  # RFC 1847 section 2.1
            return content, structure(signature)
        case _:
            raise ValueError("it is not one part and its signature")


def structure(entity: Entity) -> Bytes:
    """Return the CMS structure in an entity, whatever its header says of the transfer encoding.

    Some products write base64 without saying so, others say so of what HTTP carries as it is. Raises ValueError.
    """
    if _DER.match(entity.body):
        return entity.body
    return base64.b64decode(entity.body) if _DER_IN_BASE64.match(entity.body) else entity.decoded()


class _Readings:
    """The forms in which content may have been signed, to be walked over for each signer.

    Only binary content has bare line feeds (RFC 2045 section 2.7 to 2.9). Any other, and the header lines of all, were
    signed with the line ends of RFC 8551 section 3.1.1, even where they were sent with others.
    """

    def __init__(self, content: Entity, *, canonical: bool, missing_line_end: bool) -> None:
        self._content, self._missing_line_end = content.raw, missing_line_end
        self._head, self._body = bytes(content.raw[: len(content.raw) - len(content.body)]), content.body
        self._is_text = content.transfer_encoding != "binary" and len(content.raw) <= _LARGEST_TEXT
        self._is_signed_as_text = canonical

    def __iter__(self) -> Iterator[Bytes]:
        yield self._content
        forms = [self._content]
        if len(self._head) > 0 and b"\r" not in self._head:
            forms.append(b"".join((self._head.replace(b"\n", b"\r\n"), self._body)))
            yield forms[-1]
        if self._is_text or self._is_signed_as_text:
            lines = bytes(self._content).replace(b"\r\n", b"\n")
            if self._is_signed_as_text:
                lines = lines.replace(b"\r", b"\n")
            forms.append(lines.replace(b"\n", b"\r\n"))
            yield forms[-1]
        if self._missing_line_end:
            for form in forms:
                yield b"".join((form, b"\r\n"))
                yield re.sub(rb"\r?\n\Z", b"", form)


def sign(
    entity: Entity,
    identity: Identity,
    digest: str,
    *,
    pss: bool = False,
    opaque: bool = False,
    now: datetime | None = None,
) -> Entity:
    """Return the entity with our signature beside it, or around it. Raises ValueError when the key cannot sign so."""
    signature = cms_writing.signed_data(bytes(entity.raw), identity, digest, pss=pss, opaque=opaque, now=now)
    if opaque:
        return _pkcs7("signed-data", "smime.p7m", signature)
    beside = Entity.of(
        [
            ("Content-Type", 'application/pkcs7-signature; name="smime.p7s"; smime-type=signed-data'),
            ("Content-Transfer-Encoding", "base64"),
            ("Content-Disposition", 'attachment; filename="smime.p7s"'),
        ],
        _lines(signature).rstrip(),
    )
    # RFC 8551 section 3.5.3.2 spells the digests of the SHA family with a hyphen.
    micalg = digest.replace("sha", "sha-")
    return multipart(f'signed; protocol="application/pkcs7-signature"; micalg={micalg}', (entity, beside))


def compress(entity: Entity) -> Entity:
    """Return the entity compressed."""
    return _pkcs7("compressed-data", "smime.p7z", cms_writing.compressed_data(bytes(entity.raw)))


def encrypt(entity: Entity, certificate: x509.Certificate, encryption: str, *, oaep: str | None = None) -> Entity:
    """Return the entity encrypted for the holder of the certificate. Raises ValueError when that has no RSA key."""
    smime_type = "authEnveloped-data" if CIPHERS[encryption].authenticates else "enveloped-data"
    content = cms_writing.enveloped_data(bytes(entity.raw), [certificate], encryption, oaep=oaep)
    return _pkcs7(smime_type, "smime.p7m", content)


def as_base64(entity: Entity) -> Entity:
    """Return a binary entity in base64, for products that take every body for text."""
    headers = [
        (name, "base64" if name == "Content-Transfer-Encoding" else str(value))
        for name, value in entity.headers.items()
    ]
    return Entity.of(headers, _lines(bytes(entity.body)))


def _lines(content: bytes) -> bytes:
    return base64.encodebytes(content).replace(b"\n", b"\r\n")


def _pkcs7(smime_type: str, name: str, content: bytes) -> Entity:
    return Entity.of(
        [
            ("Content-Type", f'application/pkcs7-mime; smime-type={smime_type}; name="{name}"'),
            ("Content-Transfer-Encoding", "binary"),
            ("Content-Disposition", f'attachment; filename="{name}"'),
        ],
        content,
    )
