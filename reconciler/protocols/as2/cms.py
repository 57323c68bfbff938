"""Opening CMS (RFC 5652): verify, decrypt, inflate.

pyas2lib's own opening is not used: it takes a signature by nobody for a good one, looks at one recipient and one
certificate only, and inflates without a bound. Content stays where it is; only decrypting and inflating make a copy.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import new as new_hash
from hmac import compare_digest
from itertools import islice
from typing import Any

from asn1crypto import algos  # type: ignore[import-untyped]
from cryptography import x509
from cryptography.exceptions import InvalidSignature, InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from reconciler.protocols.as2.algorithms import (
    AUTH_ENVELOPED_DATA,
    CIPHERS_BY_OID,
    COMPRESSED_DATA,
    DIGESTS_BY_OID,
    EC_KEY,
    ECDSA_WITH,
    ENVELOPED_DATA,
    HASHES,
    MESSAGE_DIGEST,
    RSA,
    RSA_OAEP,
    RSA_PSS,
    RSA_WITH,
    SIGNED_DATA,
    ContentCipher,
)
from reconciler.protocols.as2.certificates import valid
from reconciler.protocols.as2.der import OCTETS, SEQUENCE, SET, Bytes, Element, element, tlv
from reconciler.protocols.as2.disposition import Disposition, RefusedMessageError

_KINDS = {
    SIGNED_DATA: "signed_data",
    ENVELOPED_DATA: "enveloped_data",
    AUTH_ENVELOPED_DATA: "enveloped_data",
    COMPRESSED_DATA: "compressed_data",
}
_MOST_SIGNERS = 8
_MOST_RECIPIENTS = 64
_BROKEN = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    RecursionError,
    StopIteration,
    UnsupportedAlgorithm,
)
"""What is raised, at any access, for bytes that are not the structure that was promised."""


@dataclass(frozen=True, slots=True)
class Identity:
    """An own key pair: it signs what we send and, if it is RSA, decrypts what we receive."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class Signed:
    """Content whose signature holds, as it was signed, and the digest's name."""

    content: Bytes
    digest: str


def kind(content: Bytes) -> str:
    """Return what a CMS structure holds, such as `enveloped_data`. Raises RefusedMessageError when it is no CMS."""
    try:
        return _KINDS[_content_info(content)[0]]
    except _BROKEN as error:
        raise RefusedMessageError(Disposition.DECRYPTION_FAILED, "the content is not CMS") from error


def signed_content(signature: Bytes) -> Bytes:
    """Return what signed data holds, without verifying anything. Raises RefusedMessageError when it holds nothing."""
    try:
        return _encapsulated(list(_signed_data(signature))[2])
    except _BROKEN as error:
        raise RefusedMessageError(Disposition.AUTHENTICATION_FAILED, "the signed data holds no content") from error


def verify(
    readings: Iterable[Bytes] | None,
    signature: Bytes,
    *,
    by: Sequence[x509.Certificate],
    now: datetime,
    digests: frozenset[str],
) -> Signed:
    """Return the content when the holder of one of the certificates signed it.

    `readings` are the forms in which the content may have been signed, tried in their order; without any the signature
    must hold the content itself. Certificates inside the signature are not looked at: only declared ones count, and
    only on days on which they are valid. Raises RefusedMessageError.
    """
    try:
        parts = list(_signed_data(signature))
        contents = [_encapsulated(parts[2])] if readings is None else readings
        signers = parts[-1]
        if signers.tag != SET or len(parts) < 4:  # noqa: PLR2004 - version, digests, content, signers
            raise RefusedMessageError(Disposition.AUTHENTICATION_FAILED, "nobody signed")
        return _verified(contents, islice(signers.children(), _MOST_SIGNERS), by, now, digests)
    except _BROKEN as error:
        raise RefusedMessageError(Disposition.AUTHENTICATION_FAILED, "the signature cannot be read") from error


def _verified(
    readings: Iterable[Bytes],
    signers: Iterable[Element],
    by: Sequence[x509.Certificate],
    now: datetime,
    digests: frozenset[str],
) -> Signed:
    reason = Disposition.AUTHENTICATION_FAILED, "nobody signed"
    for signer in map(_SignerInfo.read, signers):
        if signer.digest is None or signer.digest not in digests:
            reason = Disposition.INSUFFICIENT_SECURITY, "the digest of the signature is not accepted"
            continue
        content = signer.signed(readings)
        if content is None:
            reason = Disposition.AUTHENTICATION_FAILED, "the content is not what was signed"
            continue
        holder = next((certificate for certificate in by if signer.is_by(certificate, content)), None)
        if holder is None:
            reason = Disposition.AUTHENTICATION_FAILED, "the signature is by none of the declared certificates"
        elif not valid(holder, now):
            reason = Disposition.AUTHENTICATION_FAILED, "the signer's certificate is not valid today"
        else:
            return Signed(content, signer.digest)
    raise RefusedMessageError(*reason)


@dataclass(frozen=True, slots=True)
class _SignerInfo:
    """What one signer states (RFC 5652 section 5.3); `attributes` in the forms that may be signed, none without any."""

    digest: str | None
    attributes: tuple[bytes, ...]
    stated: bytes | None
    scheme: bytes
    signature: bytes

    @classmethod
    def read(cls, info: Element) -> "_SignerInfo":
        parts = list(info.children())
        digest = DIGESTS_BY_OID.get(next(parts[2].children()).raw)
        attributes: tuple[bytes, ...] = ()
        stated = None
        following = 3
        if parts[3].tag == 0xA0:  # noqa: PLR2004 - [0], signedAttrs
            # Signed as the SET that it is, not under the tag that it is sent with, and in DER (RFC 5652 section 5.4),
            # which sorts; some products sign them as they stand.
            each = [attribute.raw for attribute in parts[3].children()]
            attributes = tuple(dict.fromkeys((tlv(SET, *sorted(each)), tlv(SET, *each))))
            stated = _stated_digest(parts[3])
            following = 4
        signature = b"".join(parts[following + 1].octets())
        return cls(digest, attributes, stated, parts[following].raw, signature)

    def signed(self, readings: Iterable[Bytes]) -> Bytes | None:
        """Return the reading whose digest is stated; without attributes the signature itself has to decide.

        Attributes are no content: else a signature over them could be shown as one over a message that they are.
        """
        if not self.attributes:
            reading = next(iter(readings), None)
            return None if reading is None or _is_set(reading) else reading
        for reading in readings:
            if self.stated == new_hash(self.digest or "", reading).digest():
                return reading
        return None

    def is_by(self, certificate: x509.Certificate, content: Bytes) -> bool:
        """Say whether the holder of the certificate signed."""
        return any(self._is_signed(certificate, signed) for signed in self.attributes or (bytes(content),))

    def _is_signed(self, certificate: x509.Certificate, signed: bytes) -> bool:
        used, key = HASHES[self.digest or ""], certificate.public_key()
        code = next(element(memoryview(self.scheme)).children()).raw
        try:
            match key:
                case rsa.RSAPublicKey() if code == RSA or code == RSA_WITH[self.digest or ""]:
                    key.verify(self.signature, signed, padding.PKCS1v15(), used)
                case rsa.RSAPublicKey() if code == RSA_PSS:
                    key.verify(self.signature, signed, _pss(self.scheme), used)
                case ec.EllipticCurvePublicKey() if code in (ECDSA_WITH.get(self.digest or ""), EC_KEY):
                    key.verify(self.signature, signed, ec.ECDSA(used))
                case _:
                    return False
        except InvalidSignature:
            return False
        return True


def _is_set(content: Bytes) -> bool:
    """Say whether content is one SET in whole, as signed attributes are."""
    if bytes(content[:1]) != bytes((SET,)):
        return False
    try:
        return element(memoryview(content)).last == len(content)
    except ValueError:
        return False


def _stated_digest(attributes: Element) -> bytes | None:
    """Return the message digest that the attributes state; None unless they state exactly one."""
    found = []
    for attribute in attributes.children():
        code, values = islice(attribute.children(), 2)
        if code.raw == MESSAGE_DIGEST:
            found += [b"".join(value.octets()) for value in values.children()]
    return found[0] if len(found) == 1 else None


def _pss(scheme: bytes) -> padding.PSS:
    parameters = algos.SignedDigestAlgorithm.load(scheme)["parameters"]
    mask = HASHES[parameters["mask_gen_algorithm"]["parameters"]["algorithm"].native]
    return padding.PSS(padding.MGF1(mask), int(parameters["salt_length"].native))


def decrypt(content: Bytes, identities: Sequence[Identity]) -> tuple[Bytes, str]:
    """Return what was encrypted for one of the identities, and the cipher by the name of the settings.

    Raises RefusedMessageError with one text for every cause, so that answers tell an attacker nothing of the key.
    A wrong CBC padding alone is no cause: what it ends is then taken as it is, for its signature to fail, since an
    answer that differed would let anybody decrypt by asking (RFC 3218 section 2.3.2 for the key, Vaudenay for CBC).
    """
    try:
        _, data = _content_info(content)
        parts = list(data.children())
        recipients = next(part for part in parts if part.tag == SET)
        info = next(part for part in parts if part.tag == SEQUENCE)
        _, used, encrypted = islice(info.children(), 3)
        code, parameters = islice(used.children(), 2)
        cipher = CIPHERS_BY_OID[code.raw]
        key = _content_key(recipients.children(), identities, cipher)
        open_content = _open_gcm if cipher.authenticates else _open_cbc
        opened = open_content(cipher, key, parameters, encrypted, parts)
    except (*_BROKEN, InvalidTag) as error:
        raise RefusedMessageError(
            Disposition.DECRYPTION_FAILED, "the message cannot be decrypted with our certificate"
        ) from error
    return opened, cipher.name


def _open_cbc(
    cipher: ContentCipher, key: bytes, parameters: Element, encrypted: Element, _parts: Sequence[Element]
) -> memoryview:
    iv = bytes(parameters.content)
    decryptor = Cipher(cipher.algorithm(key), modes.CBC(iv)).decryptor()
    opened = memoryview(_decrypted(decryptor.update_into, encrypted, cipher.block_size)).toreadonly()
    decryptor.finalize()
    count = opened[-1] if len(opened) else 0
    is_padded = 1 <= count <= cipher.block_size and compare_digest(bytes(opened[-count:]), bytes((count,)) * count)
    return opened[:-count] if is_padded else opened


def _open_gcm(
    cipher: ContentCipher, key: bytes, parameters: Element, encrypted: Element, parts: Sequence[Element]
) -> memoryview:
    nonce = next(parameters.children()) if parameters.tag == SEQUENCE else parameters
    tag = next((bytes(part.content) for part in parts if part.tag == OCTETS), None)
    if tag is None:
        return _open_tailed_gcm(cipher, key, nonce, encrypted)
    attributes = next((part for part in parts if part.tag == 0xA1), None)  # noqa: PLR2004 - [1], authAttrs
    if len(tag) < 12:  # noqa: PLR2004 - RFC 5084 section 3.2: 12 to 16 octets
        raise ValueError("the authentication tag is too short")
    decryptor = Cipher(cipher.algorithm(key), modes.GCM(bytes(nonce.content), tag, min_tag_length=12)).decryptor()
    if attributes is not None:
        decryptor.authenticate_additional_data(b"\x31" + attributes.raw[1:])
    opened = _decrypted(decryptor.update_into, encrypted, cipher.block_size)
    decryptor.finalize()
    return memoryview(opened).toreadonly()


def _open_tailed_gcm(cipher: ContentCipher, key: bytes, nonce: Element, encrypted: Element) -> memoryview:
    """Open GCM inside plain enveloped data, where some products put it, with the tag behind the content."""
    content = memoryview(b"".join(encrypted.octets()))
    decryptor = Cipher(cipher.algorithm(key), modes.GCM(bytes(nonce.content), bytes(content[-16:]))).decryptor()
    opened = decryptor.update(content[:-16])
    decryptor.finalize()
    return memoryview(opened)


def _decrypted(update_into: Callable[[Bytes, memoryview], int], encrypted: Element, block_size: int) -> bytearray:
    """Return the pieces of encrypted content in one buffer that is allocated once."""
    size = sum(len(piece) for piece in encrypted.octets())
    buffer = bytearray(size + block_size)
    filled = 0
    with memoryview(buffer) as target:
        for piece in encrypted.octets():
            filled += update_into(piece, target[filled : filled + len(piece) + block_size])
    del buffer[filled:]
    return buffer


def _content_key(recipients: Iterator[Element], identities: Sequence[Identity], cipher: ContentCipher) -> bytes:
    """Return the key of the content. Raises ValueError when it was sent to nobody that we are."""
    for recipient in islice(recipients, _MOST_RECIPIENTS):
        if recipient.tag != SEQUENCE:  # only the key transport alternative has no tag of its own
            continue
        _, rid, scheme, encrypted = islice(recipient.children(), 4)
        for identity in identities:
            if isinstance(identity.key, rsa.RSAPrivateKey) and _is_for(rid, identity.certificate):
                key = identity.key.decrypt(b"".join(encrypted.octets()), _transport(scheme.raw))
                if len(key) != cipher.key_size:
                    raise ValueError("the key has another length than the cipher's")
                return key
    raise ValueError("no recipient is known")


def _is_for(rid: Element, certificate: x509.Certificate) -> bool:
    if rid.tag == SEQUENCE:
        _, serial = islice(rid.children(), 2)
        return int.from_bytes(serial.content, "big", signed=True) == certificate.serial_number
    return bytes(rid.content) == x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest


def _transport(scheme: bytes) -> padding.AsymmetricPadding:
    if next(element(memoryview(scheme)).children()).raw != RSA_OAEP:
        return padding.PKCS1v15()
    parameters: Any = algos.EncryptionAlgorithm.load(scheme)["parameters"]
    if parameters.native is None:
        return padding.OAEP(padding.MGF1(HASHES["sha1"]), HASHES["sha1"], None)  # the defaults of RFC 8017 A.2.1
    mask = HASHES[parameters["mask_gen_algorithm"]["parameters"]["algorithm"].native]
    return padding.OAEP(padding.MGF1(mask), HASHES[parameters["hash_algorithm"]["algorithm"].native], None)


def inflate(content: Bytes, limit: int, ratio: int) -> Bytes:
    """Return compressed data (RFC 3274) inflated to at most `limit` bytes and to `ratio` times its size.

    Raises RefusedMessageError.
    """
    try:
        _, data = _content_info(content)
        info = list(data.children())[2]
        wrapped = list(info.children())[1]
        pieces = list(next(wrapped.children()).octets())
        limit = min(limit, max(ratio * sum(map(len, pieces)), 1 << 20))
        inflater = zlib.decompressobj()
        inflated = bytearray()
        for piece in pieces:
            inflated += inflater.decompress(piece, limit + 1 - len(inflated))
            if len(inflated) > limit:
                break
    except (*_BROKEN, zlib.error) as error:
        raise RefusedMessageError(Disposition.DECOMPRESSION_FAILED, "the message cannot be inflated") from error
    if len(inflated) > limit or not inflater.eof:
        raise RefusedMessageError(Disposition.DECOMPRESSION_FAILED, "the message is too large or incomplete")
    return memoryview(inflated).toreadonly()


def _content_info(content: Bytes) -> tuple[bytes, Element]:
    """Return the content type and the content of the outermost structure. Raises ValueError."""
    whole = element(memoryview(content))
    if whole.tag != SEQUENCE:
        raise ValueError("the content is not CMS")
    code, explicit = islice(whole.children(), 2)
    return code.raw, next(explicit.children())


def _signed_data(signature: Bytes) -> Iterator[Element]:
    code, data = _content_info(signature)
    if code != SIGNED_DATA:
        raise RefusedMessageError(Disposition.AUTHENTICATION_FAILED, "the signature is not signed data")
    return data.children()


def _encapsulated(info: Element) -> Bytes:
    """Return the content inside signed data. Raises ValueError when there is none."""
    _, explicit = islice(info.children(), 2)
    pieces = list(next(explicit.children()).octets())
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
