"""Where an envelope can go from where it is: the one table that says so.

An envelope is a DRAFT until its sender sends it. From then on it is with its recipients, who act role by role, in the
order of the roles. It ends in one of three ways and never leaves them: COMPLETED when the last role has done its part,
CANCELLED when somebody rejects it (for a reason that the sender sees), EXPIRED when its time is up first.

    DRAFT ── send ──▶ SENT ── complete ──▶ COMPLETED
                       │ ──── reject ────▶ CANCELLED
                       └───── expire ────▶ EXPIRED

WAITING is no station of its own. "Waiting for me" and "sent, another's turn" are the same envelope seen from two
mailboxes, so only SENT is kept, and `view` says what a mailbox sees. An envelope's XML that says WAITING, because it
was written for the mailbox whose turn it was, moves on just as SENT does.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from reconciler.envelope.xml import Envelope, Role, Status
from reconciler.errors import ReconcilerError


class Event(StrEnum):
    """What happens to an envelope as a whole. `complete` is the last role's: those before it end a turn only."""

    SEND = "send"
    COMPLETE = "complete"
    REJECT = "reject"
    EXPIRE = "expire"


TRANSITIONS: Mapping[tuple[Status, Event], Status] = MappingProxyType(
    {
        (Status.DRAFT, Event.SEND): Status.SENT,
        (Status.SENT, Event.COMPLETE): Status.COMPLETED,
        (Status.SENT, Event.REJECT): Status.CANCELLED,
        (Status.SENT, Event.EXPIRE): Status.EXPIRED,
    }
)
"""All that can happen; what is not here cannot."""


class StatusError(ReconcilerError):
    """The envelope's status does not allow what was asked for."""


def advance(status: Status, event: Event) -> Status:
    """Return the status after an event. Raises StatusError for what is not in the table."""
    after = TRANSITIONS.get((Status.SENT if status is Status.WAITING else status, event))
    if after is None:
        raise StatusError(f"an envelope that is {status} cannot {event}")
    return after


def expires_at(envelope: Envelope, sent: datetime) -> datetime | None:
    """Return when an envelope's time is up that was sent at a moment, or None when it never is."""
    if not isinstance(envelope.expire, int):
        return envelope.expire
    try:
        return sent + timedelta(days=envelope.expire)
    except OverflowError:
        return None


def turn(envelope: Envelope) -> tuple[Role, ...]:
    """Return the roles whose turn it is: of those to come the ones marked active, else the next in order."""
    if envelope.state.status not in {Status.SENT, Status.WAITING}:
        return ()
    to_come = tuple(role for role in envelope.roles[1:] if not role.completed)
    return tuple(role for role in to_come if role.active) or to_come[:1]


def end_turn(envelope: Envelope, mailbox: UUID) -> tuple[Envelope, tuple[Role, ...]]:
    """Return the envelope with a mailbox's turn ended, and the roles that it ended as.

    Raises StatusError when it is not that mailbox's turn.
    """
    ended = tuple(role for role in turn(envelope) if role.mailbox_uuid == mailbox)
    if not ended:
        roles = ", ".join(role.id for role in turn(envelope)) or "nobody"
        raise StatusError(f"it is not the turn of mailbox {mailbox}, but of {roles}")
    roles_now = tuple(
        replace(role, completed=True, active=False if role.active else role.active) if role in ended else role
        for role in envelope.roles
    )
    return replace(envelope, roles=roles_now), ended


def view(envelope: Envelope, mailbox: UUID) -> Status:
    """Return the status as a mailbox sees it: WAITING where it is its turn, SENT where it is another's."""
    if envelope.state.status not in {Status.SENT, Status.WAITING}:
        return envelope.state.status
    return Status.WAITING if any(role.mailbox_uuid == mailbox for role in turn(envelope)) else Status.SENT
