"""Ending an envelope, or a turn of it: completed, or rejected for a reason that the sender sees."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Connection

from reconciler.envelope import xml
from reconciler.envelope.status import Event, advance, end_turn, turn
from reconciler.envelope.xml import Envelope, Status
from reconciler.envelope.xml_writing import to_xml
from reconciler.errors import ReconcilerError
from reconciler.model.integration import REASON_LENGTH
from reconciler.store import envelopes, jobs
from reconciler.store.blobs import Batch
from reconciler.store.database import Store
from reconciler.store.envelopes import StoredEnvelope


def close(
    batch: Batch, row: StoredEnvelope, envelope: Envelope, mailbox: UUID, *, reason: str | None, now: datetime
) -> Callable[[Connection], Status]:
    """Return the effect that ends a mailbox's part: the envelope is rejected for `reason`; without one, its turn ends.

    The last turn completes the envelope. The effect returns the status that this leads to. Raises StatusError when the
    envelope has ended already, or when it is another's turn. Its new XML goes into `batch`.
    """
    if reason is None:
        status = advance(Status(row.status), Event.COMPLETE)
        envelope, roles = end_turn(envelope, mailbox)
        role = roles[0].id
        if turn(envelope):
            status = Status(row.status)
    else:
        status = advance(Status(row.status), Event.REJECT)
        role = next((role.id for role in envelope.roles[1:] if role.mailbox_uuid == mailbox), "")
    ended = envelope.with_state(status, date=now, role_id=role, message=reason or "")
    sha256 = batch.add(to_xml(ended))
    what = "turn ended" if status == row.status else status.lower()

    def effect(tx: Connection) -> Status:
        envelopes.change_status(tx, row, status=status, reason=reason or "", sha256=sha256)
        envelopes.add_event(tx, row.uuid, what, mailbox=mailbox, message=reason or "")
        return status

    return effect


def complete(store: Store, uuid: UUID, mailbox: UUID) -> None:
    """End the turn of a recipient; the last one completes the envelope, and rules that deliver an archive take it."""
    _end(store, uuid, mailbox, None)


def reject(store: Store, uuid: UUID, mailbox: UUID, reason: str) -> None:
    """Reject an envelope as its recipient, for a reason of 5 to 5000 characters."""
    if len(reason) not in REASON_LENGTH:
        raise ReconcilerError("The reason of a rejection has 5 to 5000 characters.")
    _end(store, uuid, mailbox, reason)


def _end(store: Store, uuid: UUID, mailbox: UUID, reason: str | None) -> None:
    with store.read() as connection:
        row = envelopes.get(connection, uuid)
        content = store.blobs.read(connection, row.sha256)
        recipients = {arrival.mailbox for arrival in envelopes.arrivals(connection, uuid)}
    if mailbox not in recipients:
        raise ReconcilerError(f"Envelope {uuid} is not in mailbox {mailbox}; only a recipient ends it.")
    batch = Batch(store.blobs)
    effect = close(batch, row, xml.parse(content), mailbox, reason=reason, now=datetime.now(UTC))
    with store.write() as tx:
        batch.put(tx)
        if effect(tx) is Status.COMPLETED:
            for arrival in envelopes.arrivals(tx, uuid):
                # What was delivered as it arrived is not delivered again.
                if envelopes.arrive_again(tx, arrival.uuid, ended="kept"):
                    jobs.add(tx, "arrival", arrival.uuid)
