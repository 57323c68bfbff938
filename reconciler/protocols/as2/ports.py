"""What the endpoint and the sender exchange with the rest of the gateway."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from reconciler.errors import ReconcilerError
from reconciler.protocols.as2.der import Bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; an MDN is kept in this form, so that a copy of the message gets the same bytes again."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Outcome(StrEnum):
    """What became of something that a partner posted."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    """Not taken; its MDN says why."""
    COPY = "copy"
    """Taken earlier under the same Message-ID: nothing new was made, and the stored MDN is given again."""
    STRAY = "stray MDN"
    """An MDN that nothing waits for: late, doubled, or about what we never sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """Something that a partner posted, as it is kept for people to look at.

    `message_id` is, for an MDN, that of the message it is about. `wire_size` is in bytes. `mdn` is what a synchronous
    partner gets as the answer; with `async_mdn_url` it is to be posted there, durably, after the commit.
    """

    mailbox: UUID
    as2_from: str
    as2_to: str
    message_id: str
    outcome: Outcome
    reason: str = ""
    started_at: datetime
    headers: Mapping[str, str]
    wire_size: int
    mic: str = ""
    mic_algorithm: str = ""
    mdn: Answer
    async_mdn_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A further file of the same message (RFC 6362)."""

    payload: Bytes = field(repr=False)
    file_name: str
    content_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Received(Incoming):
    """A message that was decrypted, verified and accepted, with the answer that acknowledges it.

    `payload` is what the partner's file had, byte for byte; `mic` is base64 and `mic_algorithm` is such as `sha256`.
    `attributes` are what rules match (`KEY==regex`): AS2-From, AS2-To, Message-ID, Subject, Content-Type.
    """

    file_name: str
    content_type: str
    subject: str
    payload: Bytes = field(repr=False)
    attributes: Mapping[str, str]
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What the MDN of an own post has to say. `message_id` is without angle brackets; `mic` is base64."""

    mailbox: UUID
    message_id: str
    mic: str
    mic_algorithm: str
    signed: bool = True
    other_mics: frozenset[str] = frozenset()
    """Further ones that are believed: those of a partner whose product has a known quirk."""


class MdnOutcome(StrEnum):
    """What an MDN means for the delivery."""

    CONFIRMED = "confirmed"
    """The partner has the message as we sent it: the delivery is complete."""

    REJECTED = "rejected"
    """The partner itself says that it could not process the message."""

    DOUBTFUL = "doubtful"
    """It proves nothing; the delivery is neither complete nor failed by it."""


@dataclass(frozen=True, slots=True)
class MdnVerdict:
    """The outcome, why, and the disposition that the MDN states (empty when it states none)."""

    outcome: MdnOutcome
    reason: str
    disposition: str = ""


class Intake(Protocol):
    """The gateway's side: what was received is kept, what was posted is remembered."""

    def stored_answer(self, *, as2_from: str, as2_to: str, message_id: str) -> Answer | None:
        """Return the MDN of an earlier copy of this message that was accepted, or None."""
        ...

    def receive(self, received: Received) -> Answer:
        """Commit payload, record, job and MDN in one transaction; return the MDN committed.

        When another copy of the message was committed meanwhile, nothing is made and its MDN is returned.
        """
        ...

    def note(self, incoming: Incoming) -> None:
        """Record what was not taken as new, alert people of what was refused, and have its MDN posted if asked."""
        ...

    def expectation(self, message_id: str) -> Expectation | None:
        """Return what is expected of an own post that waits for its asynchronous MDN; None when none waits."""
        ...

    def settle(self, message_id: str, verdict: MdnVerdict, incoming: Incoming) -> None:
        """Record what an asynchronous MDN said. Only CONFIRMED and REJECTED end the waiting."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A file to send. `message_id`, without angle brackets, is fixed before the first try and never changes."""

    message_id: str
    payload: Bytes = field(repr=False)
    file_name: str
    content_type: str = "application/octet-stream"
    subject: str = "AS2 message"
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One try of a post as it went over the wire: `status` is 0 without an answer; `wire_size` is in bytes."""

    started_at: datetime
    seconds: float
    headers: Mapping[str, str]
    wire_size: int
    status: int = 0
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    answer: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A message that the partner's server took. `mdn` is None where no synchronous MDN was asked for."""

    mic: str
    mic_algorithm: str
    wire: Outgoing
    mdn: MdnVerdict | None = None


class DeliveryError(ReconcilerError):
    """A message could not be handed over.

    `retryable` says whether the same message may pass later, `retry_after` after how many seconds the partner asks
    for it; `wire` is what went over the wire, None when nothing did.
    """

    def __init__(
        self, message: str, *, retryable: bool, retry_after: float | None = None, wire: Outgoing | None = None
    ) -> None:
        self.retryable = retryable
        self.retry_after = retry_after
        self.wire = wire
        super().__init__(message)
