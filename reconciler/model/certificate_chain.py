"""A certificate and those that lead to its authority, together in one file (RFC 5280 section 6.1)."""

from collections.abc import Iterator, Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature


def end_of_chain(certificates: Sequence[x509.Certificate]) -> x509.Certificate | None:
    """Return the certificate that issued none of the others; None when there are several: they are no chain."""
    issuers = {each.issuer.public_bytes() for each in certificates if each.issuer != each.subject}
    ends = [each for each in certificates if each.subject.public_bytes() not in issuers]
    return ends[0] if len(ends) == 1 else None


def broken_links(certificates: Sequence[x509.Certificate]) -> Iterator[tuple[x509.Certificate, x509.Certificate]]:
    """Yield each certificate of a chain that names another one of it as its issuer, which did not sign it."""
    by_subject = {each.subject.public_bytes(): each for each in certificates}
    for each in certificates:
        issuer = by_subject.get(each.issuer.public_bytes())
        if issuer is not None and not _is_issued_by(each, issuer):
            yield each, issuer


def _is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True
