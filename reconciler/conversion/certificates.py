"""What is wrong or doubtful about a file of certificates."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from reconciler.desired.codes import Code
from reconciler.desired.compiler import Fault
from reconciler.model.certificate_chain import broken_links, end_of_chain

SHORTEST_RSA_KEY, SHORTEST_EC_KEY = 2048, 224
"""Bits: 112 bits of strength, NIST SP 800-57 part 1, table 2."""

ENDS_SOON = timedelta(days=30)
"""How long before its end a certificate is warned of."""


def faults(pem: bytes, now: datetime) -> Sequence[Fault]:
    """Return what is wrong with certificates, PEM or DER, or doubtful: they are strong, valid, and without keys."""
    if b"PRIVATE KEY-----" in pem:
        return [Fault("there is a private key in the file; only its owner may have it", suggestion="remove the key")]
    try:
        certificates = (
            x509.load_pem_x509_certificates(pem) if b"-----BEGIN" in pem else [x509.load_der_x509_certificate(pem)]
        )
    except ValueError as error:
        return [Fault(f"this is no certificate in PEM or DER: {error}")]
    doubts = [fault for certificate in certificates for fault in _doubts(certificate, now)]
    return [*doubts, *_broken_chain(certificates)]


def _broken_chain(certificates: Sequence[x509.Certificate]) -> Iterator[Fault]:
    """Yield the breaks of a chain; a file of several certificates that do not belong together is a list of roots."""
    if end_of_chain(certificates) is None:
        return
    for certificate, issuer in broken_links(certificates):
        signed, name = certificate.subject.rfc4514_string(), issuer.subject.rfc4514_string()
        yield Fault(f"the certificate of {signed} names {name} as its issuer, which did not sign it")


def _doubts(certificate: x509.Certificate, now: datetime) -> Iterator[Fault]:
    subject, ends = certificate.subject.rfc4514_string(), certificate.not_valid_after_utc
    if ends <= now:
        message = f"the certificate of {subject} expired on {ends:%Y-%m-%d}"
        yield Fault(message, code=Code.CERTIFICATE_EXPIRED, is_warning=True)
    elif ends - now <= ENDS_SOON:
        message = f"the certificate of {subject} expires on {ends:%Y-%m-%d}"
        yield Fault(message, code=Code.CERTIFICATE_EXPIRES, is_warning=True)
    match certificate.public_key():
        case rsa.RSAPublicKey(key_size=bits) if bits < SHORTEST_RSA_KEY:
            shortest = SHORTEST_RSA_KEY
        case ec.EllipticCurvePublicKey(key_size=bits) if bits < SHORTEST_EC_KEY:
            shortest = SHORTEST_EC_KEY
        case _:
            return
    message = f"the key of {subject} has {bits} bits; {shortest} are the least that is safe"
    yield Fault(message, code=Code.WEAK_KEY, suggestion="ask the partner for a certificate of a longer key")
