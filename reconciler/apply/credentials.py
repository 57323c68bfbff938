"""Generating credentials. What is generated here is seen in clear text by nothing but the store's keyring."""

import base64
import secrets
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import assert_never

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from reconciler.model.credential import Credential, CredentialKind, Secret
from reconciler.store.credentials import Generated

PASSWORD_BYTES = 24
"""Random bytes of a password: 192 bits, written as 32 URL-safe characters."""

RSA_BITS = 3072
"""NIST SP 800-57 part 1, table 2: 128 bits of strength, as AES-128."""

CERTIFICATE_LIFETIME = timedelta(days=3 * 365)


def generate(credential: Credential) -> Generated:
    """Return a new secret of the credential's kind; a certificate takes some tenths of a second."""
    match credential.kind:
        case CredentialKind.PASSWORD:
            return _password()
        case CredentialKind.SSH_HOST_KEY:
            return _ssh_host_key(ed25519.Ed25519PrivateKey.generate())
        case CredentialKind.SSH_HOST_KEY_RSA:
            return _ssh_host_key(rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS))
        case CredentialKind.SSH_HOST_KEY_ECDSA:
            return _ssh_host_key(ec.generate_private_key(ec.SECP256R1()))
        case CredentialKind.CERTIFICATE:
            return _certificate(credential.subject or "reconciler", _rsa_key())
        case CredentialKind.ECDSA_CERTIFICATE:
            return _certificate(credential.subject or "reconciler", ec.generate_private_key(ec.SECP256R1()))
        case _:
            assert_never(credential.kind)


def _password() -> Generated:
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    verifier = sha256(password.encode()).digest()
    return Generated(Secret(password), f"SHA256:{_base64(verifier)[:16]}", datetime.now(UTC), verifier=verifier)


def _ssh_host_key(key: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> Generated:
    """Return a key in OpenSSH's format, with the fingerprint that ssh clients show (RFC 8709, RFC 4716)."""
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    fingerprint = _base64(sha256(base64.b64decode(public.split()[1])).digest())
    return Generated(Secret(private), f"SHA256:{fingerprint}", datetime.now(UTC), public=public)


def outlasting(credential: Credential) -> timedelta:
    """Return how long the secret before a new generation's stays valid: a certificate's until it expires by itself.

    A partner cannot take up a new certificate in the minute in which we make it; it encrypts for the old one meanwhile.
    """
    match credential.kind:
        case CredentialKind.CERTIFICATE | CredentialKind.ECDSA_CERTIFICATE:
            return CERTIFICATE_LIFETIME
        case _:
            return timedelta()


def _rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)


def _certificate(subject: str, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> Generated:
    """Return a key (PKCS#8) with a self-signed certificate; an RSA key also decrypts (RFC 5280, section 4.2.1.3)."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject[:64])])
    now = datetime.now(UTC)
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=isinstance(key, rsa.RSAPrivateKey),
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # A partner's clock may be behind ours.
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + CERTIFICATE_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    return Generated(
        Secret(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()),
        f"SHA256:{certificate.fingerprint(hashes.SHA256()).hex(':').upper()}",
        now,
        public=certificate.public_bytes(serialization.Encoding.PEM).decode(),
        expires_at=certificate.not_valid_after_utc,
    )


def _base64(data: bytes) -> str:
    return base64.b64encode(data).rstrip(b"=").decode()
