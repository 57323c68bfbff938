"""Certificates that come to their end: whoever is notified of a mailbox is told in time, once at each step."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from reconciler.errors import ReconcilerError
from reconciler.jobs import notices
from reconciler.jobs.directory import Snapshot
from reconciler.model.source_file import ContentReader
from reconciler.protocols.as2 import settings as as2
from reconciler.protocols.as2.relation import Relation
from reconciler.store.database import Store

STEPS = (1, 7, 14, 30)
"""Days before the end at which people are told."""

OURS = "our own"
"""Whose a certificate is that was generated here."""

_log = logging.getLogger(__name__)


def step_before(end: datetime, now: datetime) -> int | None:
    """Return the least of the steps that the end is within, 0 when it has passed, None when it is far."""
    left = end - now
    return 0 if left <= timedelta() else next((step for step in STEPS if left <= timedelta(days=step)), None)


@dataclass(frozen=True, slots=True)
class Lasting:
    """A certificate that has no successor yet: whose it is, and when it ends."""

    mailbox: UUID
    whose: str
    fingerprint: str
    ends: datetime


@dataclass(frozen=True, slots=True)
class Ending:
    """A certificate that ends within `step` days (0: it has ended)."""

    certificate: Lasting
    step: int


def lasting(snapshot: Snapshot, content: ContentReader) -> Iterator[Lasting]:
    """Yield the AS2 certificates of all partners; those that cannot be read are logged and left out."""
    for partner in snapshot.partners(as2.NAME):
        try:
            yield from list(_of_relation(Relation(partner, content)))
        except ReconcilerError as error:
            _log.warning("%s: its certificates cannot be watched: %s", partner.key, error)


def endings(found: Iterable[Lasting], now: datetime) -> Iterator[Ending]:
    """Yield those that end soon."""
    for certificate in found:
        step = step_before(certificate.ends, now)
        if step is not None:
            yield Ending(certificate, step)


def _of_relation(relation: Relation) -> Iterator[Lasting]:
    theirs = list(relation.certificates)
    ours = [
        x509.load_pem_x509_certificate(credentials[0].public.encode())
        for name, credentials in relation.partner.credentials.items()
        if name in {as2.CERTIFICATE, as2.SIGNING_CERTIFICATE, as2.TLS_CLIENT_CERTIFICATE} and credentials
    ]
    last = max((certificate.not_valid_after_utc for certificate in theirs), default=None)
    found = [(OURS, each) for each in ours]
    found += [(f"that of {relation.recipient.id}", each) for each in theirs if each.not_valid_after_utc == last]
    for whose, certificate in found:
        fingerprint = certificate.fingerprint(hashes.SHA256()).hex()
        yield Lasting(relation.mailbox, whose, fingerprint, certificate.not_valid_after_utc)


def warn(store: Store, snapshot: Snapshot, content: ContentReader, now: datetime) -> int:
    """Tell of every certificate that ends soon, and say how many new warnings there were."""
    told = 0
    for ending in endings(lasting(snapshot, content), now):
        certificate = ending.certificate
        exchange, key = snapshot.exchange(certificate.mailbox), snapshot.keys.get(certificate.mailbox)
        with store.write() as tx:
            is_new = notices.of_ending(
                tx,
                exchange,
                key,
                identity=f"{certificate.fingerprint[:40]}.{ending.step}.{certificate.mailbox.hex}",
                whose=certificate.whose,
                ends=certificate.ends,
            )
        if is_new or exchange.notify_email is None:
            _log.warning(
                "%s: the AS2 certificate, %s, ends on %s", key, certificate.whose, f"{certificate.ends:%Y-%m-%d}"
            )
        told += is_new
    return told
