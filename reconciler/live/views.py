"""What commands and pages show of the live side: addresses instead of UUIDs, nothing secret unless asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from reconciler.model.credential import Secret
from reconciler.model.key import Key
from reconciler.model.state import Resource

LogPart = Literal["input", "source", "output", "messages"]
"""What a log record keeps: the file, the XML that the map saw, what the map made, what map and validation said."""


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
class ExchangeView:
    """One post over AS2, ours (`out`) or the partner's (`in`), with its answer; `wire_size` is in bytes."""

    at: datetime
    direction: str
    outcome: str
    reason: str
    message_id: str
    seconds: float
    wire_size: int
    status: int
    mic: str
    headers: Mapping[str, str]
    answer_headers: Mapping[str, str]
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTestRun:
    """What became of a test of a rule: `fault` is empty when it passed; `diff` shows what came out otherwise."""

    rule: str
    name: str
    seconds: float
    fault: str = ""
    diff: str = ""


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
    subject: str = ""
    error_code: str
    error: str
    envelopes: Sequence[UUID]
    messages: Sequence[str]
    attributes: Mapping[str, str] = field(default_factory=dict)
    delivery: str = ""
    exchanges: Sequence[ExchangeView] = ()


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
