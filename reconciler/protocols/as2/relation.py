"""A trading relation: one mailbox, its partner, and the keys of both."""

from datetime import datetime
from functools import cached_property
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from reconciler.errors import ReconcilerError
from reconciler.model.source_file import ContentReader
from reconciler.protocols.as2.cms import Identity, valid
from reconciler.protocols.as2.settings import CERTIFICATE, As2Settings, Recipient
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

    @cached_property
    def identities(self) -> tuple[Identity, ...]:
        """Our key pairs, newest first: the first one signs, all decrypt. Raises RelationError without any."""
        identities = tuple(_identity(credential) for credential in self.partner.credentials.get(CERTIFICATE, ()))
        if not identities:
            raise RelationError(f"{self.partner.key.integration} has no certificate of its own")
        return identities

    @cached_property
    def certificates(self) -> tuple[x509.Certificate, ...]:
        """The partner's certificates as declared. Raises RelationError when one cannot be read."""
        return tuple(_certificate(file.name, self._content(file.sha256)) for file in self.recipient.certificates)

    def certificate_to_encrypt(self, now: datetime) -> x509.Certificate:
        """Return the partner's first certificate that is valid. Raises RelationError when none is."""
        for certificate in self.certificates:
            if valid(certificate, now):
                return certificate
        raise RelationError(f"none of the certificates of {self.recipient.id} is valid today")


def _identity(credential: LiveCredential) -> Identity:
    secret = credential.reveal().reveal().encode()
    try:
        # The gateway made this key and keeps it authenticated; testing its primes again at each use costs 50 ms.
        key = load_pem_private_key(secret, None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise RelationError(f"the own key {credential.fingerprint} is no RSA key")
    return Identity(_certificate("the own certificate", credential.public.encode()), key)


def _certificate(name: str, content: bytes) -> x509.Certificate:
    try:
        if b"-----BEGIN" in content:
            return x509.load_pem_x509_certificate(content)
        return x509.load_der_x509_certificate(content)
    except ValueError as error:
        raise RelationError(f"{name} is no certificate") from error
