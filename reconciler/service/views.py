"""Rows of the store as what commands and pages show."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from reconciler.live.views import EnvelopeEvent, EnvelopeView, ExchangeView, LogRecord
from reconciler.store.conversions import Conversion
from reconciler.store.envelopes import Arrival, Event, StoredEnvelope
from reconciler.store.exchanges import Exchange
from reconciler.store.posts import StoredPost


class Names(Protocol):
    """Says what a mailbox is called."""

    def __call__(self, mailbox: UUID, /) -> str:
        """Return the mailbox's address, or its UUID when it is gone."""
        ...


def log_record(
    record: Conversion, name: Names, post: StoredPost | None = None, found: Sequence[Exchange] = ()
) -> LogRecord:
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
        subject=record.subject,
        error_code=record.error_code,
        error=record.error,
        envelopes=record.envelopes,
        messages=record.messages,
        attributes=record.attributes,
        delivery=f"{post.state} as {post.message_id}" if post else "",
        exchanges=[
            ExchangeView(
                at=each.started_at,
                direction=each.direction,
                outcome=each.outcome,
                reason=each.reason,
                message_id=each.message_id,
                seconds=each.seconds,
                wire_size=each.wire_size,
                status=each.status,
                mic=f"{each.mic}, {each.mic_algorithm}" if each.mic else "",
                headers=each.headers,
                answer_headers=each.answer_headers,
                answer=each.answer.decode("utf-8", "replace"),
            )
            for each in found
        ],
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
