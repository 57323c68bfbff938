"""Opening CMS (RFC 5652): verify, decrypt, inflate. Building is pyas2lib's.

pyas2lib's own opening is not used: it takes a signature by nobody for a good one, looks at one recipient and one
certificate only, and inflates without a bound.
"""

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import new as new_hash
from itertools import islice
from typing import Any

from asn1crypto import cms as asn1  # type: ignore[import-untyped]
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, CipherAlgorithm, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.padding import PKCS7

from reconciler.protocols.as2.disposition import Disposition, RefusedMessageError

HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),  # noqa: S303 - accepted only where the settings name it
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
"""The digests that signatures and MICs can have, by the names of the settings."""

STRONG_DIGESTS = frozenset({"sha256", "sha384", "sha512"})
"""The digests that are accepted without being named in the settings."""

_CIPHERS: dict[str, tuple[str, Callable[[bytes], CipherAlgorithm]]] = {
    "aes128_cbc": ("aes128-cbc", AES),
    "aes192_cbc": ("aes192-cbc", AES),
    "aes256_cbc": ("aes256-cbc", AES),
    "tripledes_3key": ("tripledes-192-cbc", TripleDES),
}
_MOST_SIGNERS = 8
_BROKEN = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    RecursionError,
    UnsupportedAlgorithm,
)
"""What asn1crypto and cryptography raise, at any access, for bytes that are not the structure that was promised."""


@dataclass(frozen=True, slots=True)
class Identity:
    """An own key pair: it signs what we send and decrypts what we receive."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class Signed:
    """Content whose signature holds, and the digest's name."""

    content: bytes
    digest: str


def kind(content: bytes) -> str:
    """Return what a CMS structure holds, such as `enveloped_data`. Raises RefusedMessageError when it is no CMS."""
    try:
        return str(asn1.ContentInfo.load(content)["content_type"].native)
    except _BROKEN as error:
        raise RefusedMessageError(Disposition.DECRYPTION_FAILED, "the content is not CMS") from error


def signed_content(signature: bytes) -> bytes:
    """Return what signed data holds, without verifying anything. Raises RefusedMessageError when it holds nothing."""
    try:
        data = asn1.ContentInfo.load(signature)
        if data["content_type"].native != "signed_data":
            raise RefusedMessageError(Disposition.AUTHENTICATION_FAILED, "the signature is not signed data")
        return bytes(data["content"]["encap_content_info"]["content"])
    except _BROKEN as error:
        raise RefusedMessageError(Disposition.AUTHENTICATION_FAILED, "the signed data holds no content") from error


def valid(certificate: x509.Certificate, now: datetime) -> bool:
    """Say whether the certificate is valid at a moment."""
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def verify(
    content: bytes | None, signature: bytes, *, by: Sequence[x509.Certificate], now: datetime, digests: frozenset[str]
) -> Signed:
    """Return the content when the holder of one of the certificates signed it.

    Without `content` the signature must hold it itself. Certificates inside the signature are not looked at: only
    declared ones count, and only on days on which they are valid. Raises RefusedMessageError.
    """
    try:
        data = asn1.ContentInfo.load(signature)
        if data["content_type"].native != "signed_data":
            raise RefusedMessageError(Disposition.AUTHENTICATION_FAILED, "the signature is not signed data")
        if content is None:
            content = signed_content(signature)
        return _verified(content, islice(data["content"]["signer_infos"], _MOST_SIGNERS), by, now, digests)
    except _BROKEN as error:
        raise RefusedMessageError(Disposition.AUTHENTICATION_FAILED, "the signature cannot be read") from error


def _verified(
    content: bytes, signers: Iterable[Any], by: Sequence[x509.Certificate], now: datetime, digests: frozenset[str]
) -> Signed:
    reason = Disposition.AUTHENTICATION_FAILED, "nobody signed"
    for signer in signers:
        digest = str(signer["digest_algorithm"]["algorithm"].native)
        if digest not in HASHES or digest not in digests:
            reason = Disposition.INSUFFICIENT_SECURITY, "the digest of the signature is not accepted"
            continue
        holder = next((certificate for certificate in by if _signed_by(certificate, signer, digest, content)), None)
        if holder is None:
            reason = Disposition.AUTHENTICATION_FAILED, "the signature is by none of the declared certificates"
        elif not valid(holder, now):
            reason = Disposition.AUTHENTICATION_FAILED, "the signer's certificate is not valid today"
        else:
            return Signed(content, digest)
    raise RefusedMessageError(*reason)


def _signed_by(certificate: x509.Certificate, signer: Any, digest: str, content: bytes) -> bool:  # noqa: ANN401 - asn1crypto is untyped
    attributes = signer["signed_attrs"]
    if attributes.native is not None:
        stated = [
            bytes(value) for each in attributes if each["type"].native == "message_digest" for value in each["values"]
        ]
        if stated != [new_hash(digest, content).digest()]:
            return False
        content = attributes.untag().dump()
    algorithm = signer["signature_algorithm"]
    signature = bytes(signer["signature"])
    key = certificate.public_key()
    try:
        match key, algorithm.signature_algo:
            case rsa.RSAPublicKey(), "rsassa_pkcs1v15":
                key.verify(signature, content, padding.PKCS1v15(), HASHES[digest])
            case rsa.RSAPublicKey(), "rsassa_pss":
                mask = padding.MGF1(
                    HASHES[algorithm["parameters"]["mask_gen_algorithm"]["parameters"]["algorithm"].native]
                )
                scheme = padding.PSS(mask, int(algorithm["parameters"]["salt_length"].native))
                key.verify(signature, content, scheme, HASHES[digest])
            case ec.EllipticCurvePublicKey(), "ecdsa":
                key.verify(signature, content, ec.ECDSA(HASHES[digest]))
            case _:
                return False
    except InvalidSignature:
        return False
    return True


def decrypt(content: bytes, identities: Sequence[Identity]) -> tuple[bytes, str]:
    """Return what was encrypted for one of the identities, and the cipher by the name of the settings.

    Raises RefusedMessageError with one text for every cause, so that answers tell an attacker nothing of the key.
    """
    try:
        enveloped = asn1.ContentInfo.load(content)["content"]
        info = enveloped["encrypted_content_info"]
        cipher, algorithm = _CIPHERS[info["content_encryption_algorithm"]["algorithm"].native]
        iv = info["content_encryption_algorithm"]["parameters"].native
        key = _content_key(enveloped["recipient_infos"], identities)
        decryptor = Cipher(algorithm(key), modes.CBC(iv)).decryptor()
        unpadder = PKCS7(len(iv) * 8).unpadder()
        padded = decryptor.update(bytes(info["encrypted_content"])) + decryptor.finalize()
        return unpadder.update(padded) + unpadder.finalize(), cipher
    except _BROKEN as error:
        raise RefusedMessageError(
            Disposition.DECRYPTION_FAILED, "the message cannot be decrypted with our certificate"
        ) from error


def _content_key(recipients: Iterable[Any], identities: Sequence[Identity]) -> bytes:
    for recipient in recipients:
        if recipient.name != "ktri":
            continue
        identity = next((each for each in identities if _is_for(recipient.chosen["rid"], each.certificate)), None)
        if identity is not None:
            algorithm = recipient.chosen["key_encryption_algorithm"]
            return identity.key.decrypt(bytes(recipient.chosen["encrypted_key"]), _transport(algorithm))
    raise ValueError("no recipient is known")


def _is_for(rid: Any, certificate: x509.Certificate) -> bool:  # noqa: ANN401 - asn1crypto is untyped
    if rid.name == "issuer_and_serial_number":
        return bool(rid.chosen["serial_number"].native == certificate.serial_number)
    return bytes(rid.chosen) == x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest


def _transport(algorithm: Any) -> padding.AsymmetricPadding:  # noqa: ANN401 - asn1crypto is untyped
    if algorithm["algorithm"].native != "rsaes_oaep":
        return padding.PKCS1v15()
    parameters = algorithm["parameters"]
    if parameters.native is None:
        return padding.OAEP(padding.MGF1(HASHES["sha1"]), HASHES["sha1"], None)  # the defaults of RFC 8017 A.2.1
    mask = HASHES[parameters["mask_gen_algorithm"]["parameters"]["algorithm"].native]
    return padding.OAEP(padding.MGF1(mask), HASHES[parameters["hash_algorithm"]["algorithm"].native], None)


def inflate(content: bytes, limit: int) -> bytes:
    """Return compressed data (RFC 3274) inflated to at most `limit` bytes. Raises RefusedMessageError."""
    try:
        compressed = bytes(asn1.ContentInfo.load(content)["content"]["encap_content_info"]["content"])
        inflater = zlib.decompressobj()
        inflated = inflater.decompress(compressed, limit + 1)
    except (*_BROKEN, zlib.error) as error:
        raise RefusedMessageError(Disposition.DECOMPRESSION_FAILED, "the message cannot be inflated") from error
    if len(inflated) > limit or not inflater.eof:
        raise RefusedMessageError(Disposition.DECOMPRESSION_FAILED, "the message is too large or incomplete")
    return inflated
