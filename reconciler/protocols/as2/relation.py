"""A trading relation: one mailbox, its partner, and the keys of both."""

from datetime import datetime
from functools import cached_property
from typing import Literal
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from reconciler.errors import ReconcilerError
from reconciler.model.source_file import ContentReader
from reconciler.protocols.as2.algorithms import STRONG_CIPHERS, STRONG_DIGESTS
from reconciler.protocols.as2.certificates import is_for_encryption, is_for_signatures, read_certificate, valid
from reconciler.protocols.as2.cms import Identity
from reconciler.protocols.as2.settings import (
    CERTIFICATE,
    SIGNING_CERTIFICATE,
    TLS_CLIENT_CERTIFICATE,
    As2Settings,
    PartnerCertificate,
    Quirk,
    Recipient,
)
from reconciler.protocols.protocol import LiveCredential, Partner


class RelationError(ReconcilerError):
    """A relation lacks what an exchange needs: a recipient, an own key, a readable or valid certificate."""


class Relation:
    """What the settings and credentials of an enabled integration mean. Keys are read when they are first needed."""

    def __init__(self, partner: Partner, content: ContentReader) -> None:
        self.partner = partner
        self.settings = As2Settings.model_validate(partner.settings).completed(partner.key)
        self._content = content

    @property
    def mailbox(self) -> UUID:
        """The mailbox that sends and receives."""
        return self.partner.mailbox

    @property
    def self_id(self) -> str:
        """Our AS2 name."""
        return self.settings.self_id or ""

    @property
    def recipient(self) -> Recipient:
        """The partner. Raises RelationError when the settings name none."""
        if self.settings.recipient is None:
            raise RelationError(f"{self.partner.key.integration} has no recipient")
        return self.settings.recipient

    def has(self, quirk: Quirk) -> bool:
        """Say whether the partner's product has a quirk."""
        return quirk in self.settings.quirks

    # --- what is accepted ----------------------------------------------------------------------------------------

    @cached_property
    def digests(self) -> frozenset[str]:
        """The digests that the partner's signatures may have."""
        return frozenset(self.settings.inbound.digests or STRONG_DIGESTS | {self.settings.signing})

    @cached_property
    def ciphers(self) -> frozenset[str]:
        """The ciphers that the partner may encrypt by."""
        return frozenset(self.settings.inbound.ciphers or STRONG_CIPHERS | {self.settings.encryption})

    # --- our keys ------------------------------------------------------------------------------------------------

    @cached_property
    def identities(self) -> tuple[Identity, ...]:
        """Our key pairs, newest first; all of them decrypt. Raises RelationError without any."""
        return self._identities(CERTIFICATE)

    def signer(self, now: datetime) -> Identity:
        """Return the key pair that signs now. Raises RelationError when there is none.

        The newest one does, from the moment that the settings say or, after a rotation, from the middle of the overlap;
        until then the one before it, if that is valid still, so that the partner has the time to learn the new
        certificate.
        """
        name = SIGNING_CERTIFICATE if self.settings.signature == "ecdsa" else CERTIFICATE
        identities = self.identities if name == CERTIFICATE else self._identities(name)
        due = identities[self._due(name, now)]
        return due if valid(due.certificate, now) else identities[0]

    def tls_client(self, now: datetime) -> LiveCredential | None:
        """Return the key pair that the partner's web server is shown now, PEM; None when it is shown none."""
        if not self.recipient.tls.client_certificate:
            return None
        found = self.partner.credentials.get(TLS_CLIENT_CERTIFICATE, ())
        if not found:
            raise RelationError(f"{self.partner.key.integration} has no certificate for TLS")
        return found[self._due(TLS_CLIENT_CERTIFICATE, now)]

    def _identities(self, name: str) -> tuple[Identity, ...]:
        identities = tuple(_identity(credential) for credential in self.partner.credentials.get(name, ()))
        if not identities:
            raise RelationError(f"{self.partner.key.integration} has no certificate of its own")
        return identities

    def _due(self, name: str, now: datetime) -> int:
        """Return which of our credentials of a name is used now: the newest, 0, or the one before it, 1."""
        found = self.partner.credentials.get(name, ())
        if len(found) < 2:  # noqa: PLR2004 - there is none before it
            return 0
        start = self.settings.certificate_active_from or self._middle_of_overlap(found[1].expires, now)
        return 0 if start is None or start <= now else 1

    def _middle_of_overlap(self, end: datetime | None, now: datetime) -> datetime | None:
        rotation = self.settings.rotation
        if rotation is None or end is None or end - now > rotation.overlap:
            return None
        return end - rotation.overlap / 2

    # --- the partner's -------------------------------------------------------------------------------------------

    @cached_property
    def declared(self) -> tuple[tuple[PartnerCertificate, x509.Certificate], ...]:
        """The partner's certificates with their declarations. Raises RelationError when one cannot be read."""
        return tuple((each, self.certificate(each.file.name, each.file.sha256)) for each in self.recipient.certificates)

    @cached_property
    def certificates(self) -> tuple[x509.Certificate, ...]:
        """The partner's certificates as declared, whatever they are for. Raises RelationError."""
        return tuple(certificate for _, certificate in self.declared)

    def certificates_to_verify(self, now: datetime) -> tuple[x509.Certificate, ...]:
        """Return the certificates that may have signed, valid or not. Raises RelationError."""
        return tuple(each for each in self._used("verify", now) if self._is_lenient or is_for_signatures(each))

    def certificate_to_encrypt(self, now: datetime) -> x509.Certificate:
        """Return the partner's first certificate that is in use and valid. Raises RelationError when none is."""
        for certificate in self._used("encrypt", now):
            if valid(certificate, now) and (self._is_lenient or is_for_encryption(certificate)):
                return certificate
        raise RelationError(f"none of the certificates of {self.recipient.id} is valid today and for encryption")

    @property
    def _is_lenient(self) -> bool:
        return self.has("any-key-usage")

    def _used(self, use: Literal["encrypt", "verify"], now: datetime) -> tuple[x509.Certificate, ...]:
        return tuple(certificate for each, certificate in self.declared if each.is_used(use, now))

    def certificate(self, name: str, sha256: str) -> x509.Certificate:
        """Return the certificate in a file of the configuration. Raises RelationError when it cannot be read."""
        return _certificate(name, self._content(sha256))

    def file(self, sha256: str) -> bytes:
        """Return a file of the configuration."""
        return self._content(sha256)


def _identity(credential: LiveCredential) -> Identity:
    secret = credential.reveal().reveal().encode()
    try:
        # The gateway made this key and keeps it authenticated; testing its primes again at each use costs 50 ms.
        key = load_pem_private_key(secret, None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise RelationError(f"the own key {credential.fingerprint} is no RSA or elliptic-curve key")
    return Identity(_certificate("the own certificate", credential.public.encode()), key)


def _certificate(name: str, content: bytes) -> x509.Certificate:
    try:
        return read_certificate(content)
    except ValueError as error:
        raise RelationError(f"{name} is no certificate") from error
