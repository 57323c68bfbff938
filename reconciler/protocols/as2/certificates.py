"""Certificates of partners and our own: reading them, and what they may be used for."""

from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from reconciler.model.certificate_chain import end_of_chain


def read_certificate(content: bytes) -> x509.Certificate:
    """Return the certificate in a file, PEM or DER; of a chain its end, in whatever order. Raises ValueError."""
    if b"-----BEGIN" not in content:
        return x509.load_der_x509_certificate(content)
    certificates = x509.load_pem_x509_certificates(content)
    return end_of_chain(certificates) or certificates[0]


def valid(certificate: x509.Certificate, now: datetime) -> bool:
    """Say whether the certificate is valid at a moment."""
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def is_for_signatures(certificate: x509.Certificate) -> bool:
    """Say whether the certificate lets its key sign (RFC 5280 section 4.2.1.3, RFC 8550 section 4.4.2)."""
    usage = _key_usage(certificate)
    return usage is None or usage.digital_signature or usage.content_commitment


def is_for_encryption(certificate: x509.Certificate) -> bool:
    """Say whether keys may be encrypted for the certificate, which takes an RSA key."""
    usage = _key_usage(certificate)
    allowed = usage is None or usage.key_encipherment or usage.data_encipherment
    return isinstance(certificate.public_key(), rsa.RSAPublicKey) and allowed


def _key_usage(certificate: x509.Certificate) -> x509.KeyUsage | None:
    """Return the extension; without it a key may be used for everything."""
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None
