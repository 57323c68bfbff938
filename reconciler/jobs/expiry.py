"""Certificates that come to their end: whoever is notified of a mailbox is told in time, once at each step."""

import logging
from collections.abc import Iterator
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
from reconciler.protocols.protocol import Partner
from reconciler.store.database import Store

STEPS = (1, 7, 14, 30)
"""Days before the end at which people are told."""

_log = logging.getLogger(__name__)


def step_before(end: datetime, now: datetime) -> int | None:
    """Return the least of the steps that the end is within, 0 when it has passed, None when it is far."""
    left = end - now
    return 0 if left <= timedelta() else next((step for step in STEPS if left <= timedelta(days=step)), None)


@dataclass(frozen=True, slots=True)
class Ending:
    """A certificate that ends within `step` days (0: it has ended), and whose it is."""

    mailbox: UUID
    whose: str
    fingerprint: str
    ends: datetime
    step: int


def endings(relation: Relation, now: datetime) -> Iterator[Ending]:
    """Yield the certificates of a relation that end soon and have no successor yet. Raises RelationError."""
    theirs = list(relation.certificates)
    ours = [
        x509.load_pem_x509_certificate(credentials[0].public.encode())
        for name, credentials in relation.partner.credentials.items()
        if name in {as2.CERTIFICATE, as2.SIGNING_CERTIFICATE, as2.TLS_CLIENT_CERTIFICATE} and credentials
    ]
    last = max((certificate.not_valid_after_utc for certificate in theirs), default=now)
    found = [("our own", each) for each in ours]
    found += [(f"that of {relation.recipient.id}", each) for each in theirs if each.not_valid_after_utc == last]
    for whose, certificate in found:
        ends = certificate.not_valid_after_utc
        step = step_before(ends, now)
        if step is not None:
            fingerprint = certificate.fingerprint(hashes.SHA256()).hex()
            yield Ending(relation.mailbox, whose, fingerprint, ends, step)


def warn(store: Store, snapshot: Snapshot, content: ContentReader, now: datetime) -> int:
    """Tell of every certificate that ends soon, and say how many new warnings there were."""
    told = 0
    for partner in snapshot.partners(as2.NAME):
        for ending in _endings(partner, content, now):
            exchange, key = snapshot.exchange(ending.mailbox), snapshot.keys.get(ending.mailbox)
            with store.write() as tx:
                is_new = notices.of_ending(
                    tx,
                    exchange,
                    key,
                    identity=f"{ending.fingerprint[:40]}.{ending.step}.{ending.mailbox.hex}",
                    whose=ending.whose,
                    ends=ending.ends,
                )
            if is_new or exchange.notify_email is None:
                _log.warning("%s: the AS2 certificate, %s, ends on %s", key, ending.whose, f"{ending.ends:%Y-%m-%d}")
            told += is_new
    return told


def _endings(partner: Partner, content: ContentReader, now: datetime) -> list[Ending]:
    try:
        return list(endings(Relation(partner, content), now))
    except ReconcilerError as error:
        _log.warning("%s: its certificates cannot be watched: %s", partner.key, error)
        return []
