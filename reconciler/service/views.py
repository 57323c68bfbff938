"""What commands and pages show of the live side: addresses instead of UUIDs, nothing secret unless asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from reconciler.model.credential import Secret
from reconciler.model.key import Key
from reconciler.model.state import Resource
from reconciler.store.conversions import Conversion
from reconciler.store.envelopes import Arrival, Event, StoredEnvelope
from reconciler.store.posts import StoredPost


@dataclass(frozen=True, slots=True)
class LiveResource:
    """A live resource; `uuid` is a mailbox's."""

    key: Key
    resource: Resource
    uuid: UUID | None


@dataclass(frozen=True, slots=True)
class ConnectionDetails:
    """What a partner's admin needs in order to connect, by name, in the order in which people read it."""

    mailbox: Key
    values: Mapping[str, str | Secret]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRecord:
    """A record of the conversion log; `delivery` says how far the post of its output is, where it is posted."""

    uuid: UUID
    created_at: datetime
    changed_at: datetime
    status: str
    direction: str
    mailbox: str
    rule: str | None
    file_name: str
    error_code: str
    error: str
    envelopes: Sequence[UUID]
    messages: Sequence[str]
    delivery: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvelopeEvent:
    """Something that happened to an envelope."""

    at: datetime
    what: str
    mailbox: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvelopeView:
    """An envelope as people read it."""

    uuid: UUID
    template: str
    status: str
    reason: str
    subject: str
    sender: str
    recipients: Sequence[str]
    created_at: datetime
    events: Sequence[EnvelopeEvent] = ()


class Names(Protocol):
    """Says what a mailbox is called."""

    def __call__(self, mailbox: UUID, /) -> str:
        """Return the mailbox's address, or its UUID when it is gone."""
        ...


def log_record(record: Conversion, name: Names, post: StoredPost | None = None) -> LogRecord:
    """Return a record as it is shown."""
    return LogRecord(
        uuid=record.uuid,
        created_at=record.created_at,
        changed_at=record.changed_at,
        status=record.status.value,
        direction=record.direction.value,
        mailbox=name(record.mailbox),
        rule=record.rule,
        file_name=record.file_name,
        error_code=record.error_code,
        error=record.error,
        envelopes=record.envelopes,
        messages=record.messages,
        delivery=f"{post.state} as {post.message_id}" if post else "",
    )


def envelope_view(
    envelope: StoredEnvelope, arrivals: Sequence[Arrival], events: Sequence[Event], name: Names
) -> EnvelopeView:
    """Return an envelope as it is shown."""
    return EnvelopeView(
        uuid=envelope.uuid,
        template=str(envelope.template),
        status=envelope.status,
        reason=envelope.reason,
        subject=envelope.subject,
        sender=name(envelope.sender),
        recipients=[name(arrival.mailbox) for arrival in arrivals],
        created_at=envelope.created_at,
        events=[
            EnvelopeEvent(
                at=event.at,
                what=event.what,
                mailbox=name(event.mailbox) if event.mailbox else "",
                message=event.message,
            )
            for event in events
        ],
    )
