"""Envelopes, where they arrived, what is attached to them and what happened to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, bindparam, exists, insert, or_, select, update

from reconciler.errors import NotFoundError, ReconcilerError
from reconciler.model.template_ref import TemplateRef
from reconciler.store import tables
from reconciler.store.row_uuid import new_row_uuid
from reconciler.store.statement import Later, Statement, insertion
from reconciler.store.upsert import row_of

ArrivalState = Literal["received", "kept", "delivered", "notified", "rejected", "failed"]


@dataclass(frozen=True, slots=True)
class StoredEnvelope:
    """An envelope's row; its XML is the payload `sha256`. `reason` is why it was rejected, else empty."""

    uuid: UUID
    template_uuid: UUID
    template_version: UUID
    sender: UUID
    status: str
    subject: str
    reason: str
    sha256: str
    created_at: datetime
    changed_at: datetime

    @property
    def template(self) -> TemplateRef:
        """The template that it is an instance of."""
        return TemplateRef(uuid=self.template_uuid, version=self.template_version)


@dataclass(frozen=True, slots=True)
class Arrival:
    """An envelope in a recipient's mailbox, and how far its exchange with the partner is."""

    uuid: UUID
    envelope: UUID
    mailbox: UUID
    state: ArrivalState
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Fresh:
    """An envelope that arrived just now, and its XML."""

    arrival: Arrival
    row: StoredEnvelope
    content: bytes


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file attached to an envelope."""

    uuid: UUID
    envelope: UUID
    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to an envelope, at a mailbox or (None) at the gateway."""

    at: datetime
    what: str
    mailbox: UUID | None
    message: str


_ADD = Statement(insert(tables.envelope), insertion(tables.envelope))
_GET = Statement(select(tables.envelope).where(tables.envelope.c.uuid == bindparam("wanted")))
_ADD_ARRIVAL = Statement(insert(tables.arrival), insertion(tables.arrival))
_THIS_ARRIVAL = tables.arrival.c.uuid == bindparam("wanted")
_ARRIVED = Statement(
    select(tables.arrival, tables.envelope).join_from(tables.arrival, tables.envelope).where(_THIS_ARRIVAL)
)
_NOW_IN_STATE = update(tables.arrival).values({name: bindparam(name) for name in ("state", "changed_at")})
_CHANGE_ARRIVAL = Statement(_NOW_IN_STATE.where(_THIS_ARRIVAL, tables.arrival.c.state == bindparam("ended")))
_END_ARRIVAL = Statement(_NOW_IN_STATE.where(_THIS_ARRIVAL, tables.arrival.c.state == "received"))
_ADD_EVENT = Statement(insert(tables.event), ["envelope", "at", "what", "mailbox", "message"])


def add(tx: Connection, envelope: StoredEnvelope, recipients: Sequence[UUID]) -> list[Arrival]:
    """Record a sent envelope; return its arrivals, one a recipient."""
    _ADD.send(tx, row_of(envelope))
    arrivals = [
        Arrival(new_row_uuid(), envelope.uuid, mailbox, "received", envelope.created_at) for mailbox in recipients
    ]
    for arrival in arrivals:
        _ADD_ARRIVAL.send(tx, row_of(arrival))
    return arrivals


def get(connection: Connection, uuid: UUID) -> StoredEnvelope:
    """Return an envelope. Raises NotFoundError."""
    row = _GET.first(connection, {"wanted": uuid})
    if row is None:
        raise NotFoundError(f"There is no envelope {uuid}.")
    return StoredEnvelope(*row)


def newest(
    connection: Connection,
    *,
    mailbox: UUID | None = None,
    account: str | None = None,
    status: str | None = None,
    subject: str = "",
    limit: int,
    offset: int = 0,
) -> list[StoredEnvelope]:
    """Return up to `limit` envelopes, newest first, without the `offset` newest.

    `mailbox` and `account` want those that it sent or received; `subject` is a part of the subject.
    """
    row = tables.envelope.c
    query = select(tables.envelope).order_by(row.created_at.desc()).limit(limit).offset(offset)
    if mailbox is not None:
        query = query.where(_seen_by(mailbox))
    if account is not None:
        query = query.where(_seen_in(account))
    if status is not None:
        query = query.where(row.status == status)
    if subject:
        query = query.where(row.subject.icontains(subject, autoescape=True))
    return [StoredEnvelope(*found) for found in connection.execute(query)]


def of_template(connection: Connection, template: UUID, *, mailbox: UUID) -> list[StoredEnvelope]:
    """Return the envelopes of a template, of whichever version, that a mailbox sent or received."""
    query = select(tables.envelope).where(tables.envelope.c.template_uuid == template, _seen_by(mailbox))
    return [StoredEnvelope(*row) for row in connection.execute(query)]


def _seen_by(mailbox: UUID) -> ColumnElement[bool]:
    received = select(tables.arrival.c.envelope).where(tables.arrival.c.mailbox == mailbox)
    return or_(tables.envelope.c.sender == mailbox, tables.envelope.c.uuid.in_(received))


def _seen_in(account: str) -> ColumnElement[bool]:
    address = tables.mailbox.c.address
    # "/" follows "." in ASCII: this is the range of everything below the account.
    below = and_(address >= f"accounts.{account}.", address < f"accounts.{account}/")
    sent = exists().where(tables.mailbox.c.uuid == tables.envelope.c.sender, below)
    arrived = and_(
        tables.arrival.c.envelope == tables.envelope.c.uuid, tables.mailbox.c.uuid == tables.arrival.c.mailbox
    )
    return or_(sent, exists().where(arrived, below))


def arrived_since(connection: Connection, moment: datetime) -> list[tuple[UUID, StoredEnvelope]]:
    """Return the mailbox and the envelope of each arrival of what was sent since a moment, oldest first."""
    query = (
        select(tables.arrival.c.mailbox, *tables.envelope.c)
        .join_from(tables.arrival, tables.envelope)
        .where(tables.envelope.c.created_at >= moment)
        .order_by(tables.envelope.c.created_at)
    )
    return [(row[0], StoredEnvelope(*row[1:])) for row in connection.execute(query)]


def change_status(tx: Connection, before: StoredEnvelope, *, status: str, reason: str, sha256: str) -> None:
    """Give an envelope another status, the reason for it and the XML that says so.

    Raises ReconcilerError when it is not as `before` any more.
    """
    row = tables.envelope.c
    changed = tx.execute(
        update(tables.envelope)
        .where(row.uuid == before.uuid, row.status == before.status, row.sha256 == before.sha256)
        .values(status=status, reason=reason, sha256=sha256, changed_at=datetime.now(UTC))
    )
    if changed.rowcount != 1:
        raise _moved_on(before)


def require_as_seen(tx: Connection, seen: StoredEnvelope) -> None:
    """Raise ReconcilerError when an envelope's status is another than was seen; until the end of `tx` it stays."""
    row = tables.envelope.c
    found = tx.execute(select(row.status).where(row.uuid == seen.uuid).with_for_update(read=True)).scalar()
    if found != seen.status:
        raise _moved_on(seen)


def _moved_on(seen: StoredEnvelope) -> ReconcilerError:
    return ReconcilerError(f"Envelope {seen.uuid} has moved on meanwhile; look at it again.")


def arrived(connection: Connection, uuid: UUID) -> tuple[Arrival, StoredEnvelope]:
    """Return an arrival with its envelope. Raises NotFoundError."""
    row = _ARRIVED.first(connection, {"wanted": uuid})
    if row is None:
        raise NotFoundError(f"There is no arrival {uuid}.")
    width = len(tables.arrival.c)
    return Arrival(*row[:width]), StoredEnvelope(*row[width:])


def arrivals(connection: Connection, envelope: UUID) -> list[Arrival]:
    """Return where an envelope arrived."""
    rows = connection.execute(select(tables.arrival).where(tables.arrival.c.envelope == envelope))
    return [Arrival(*row) for row in rows]


def arrive_again(tx: Connection, uuid: UUID, *, ended: ArrivalState) -> bool:
    """Begin the exchange of an envelope anew that ended so; False when it did not."""
    values = {"wanted": uuid, "ended": ended, "state": "received", "changed_at": datetime.now(UTC)}
    return _CHANGE_ARRIVAL.run(tx, values) == 1


def end_arrival(tx: Connection, uuid: UUID, state: ArrivalState) -> Later:
    """Say how the exchange of an envelope that has just arrived ended; nothing is changed when it had ended."""
    values = {"wanted": uuid, "state": state, "changed_at": datetime.now(UTC)}
    return _END_ARRIVAL.later(tx, values)


def attach(tx: Connection, attachment: Attachment) -> None:
    """Attach a file to an envelope."""
    tx.execute(insert(tables.attachment).values(row_of(attachment)))


def attachments(connection: Connection, envelope: UUID) -> list[Attachment]:
    """Return the files attached to an envelope."""
    rows = connection.execute(select(tables.attachment).where(tables.attachment.c.envelope == envelope))
    return [Attachment(*row) for row in rows]


def add_event(tx: Connection, envelope: UUID, what: str, *, mailbox: UUID | None = None, message: str = "") -> None:
    """Add to an envelope's history."""
    values = {"envelope": envelope, "at": datetime.now(UTC), "what": what, "mailbox": mailbox, "message": message}
    _ADD_EVENT.send(tx, values)


def events(connection: Connection, envelope: UUID) -> list[Event]:
    """Return an envelope's history, oldest first."""
    event = tables.event.c
    rows = connection.execute(
        select(event.at, event.what, event.mailbox, event.message)
        .where(event.envelope == envelope)
        .order_by(event.number)
    )
    return [Event(*row) for row in rows]
