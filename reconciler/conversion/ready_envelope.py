"""An envelope that was made ready to be sent: its XML as recipients get it, and what the gateway has to know of it.

Made in the conversion's worker, where the map's result is read anyway, so that the gateway reads it no second time.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from reconciler.envelope import xml
from reconciler.envelope.check import EnvelopeFault, check_content
from reconciler.envelope.status import Event, advance, expires_at
from reconciler.envelope.template import TemplateDefinition
from reconciler.envelope.xml import Envelope, Role, Status
from reconciler.envelope.xml_writing import to_xml
from reconciler.model.template_ref import TemplateRef

if TYPE_CHECKING:  # a worker process starts without pydantic, in a third of the time
    from reconciler.model.noun import Json

DefinitionOf = Callable[[TemplateRef], TemplateDefinition | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyEnvelope:
    """An envelope as it is sent; `content` is its XML, `faults` are where it is not what its template says."""

    content: bytes
    template: TemplateRef
    subject: str
    roles: tuple[Role, ...]
    expires: datetime | None
    faults: tuple[EnvelopeFault, ...]

    @property
    def recipients(self) -> tuple[UUID, ...]:
        """The distinct mailboxes of all roles but the sender's, in role order."""
        return xml.recipients(self.roles)


def made_ready(content: bytes, *, definition: DefinitionOf, sent: datetime, chain: UUID | None = None) -> ReadyEnvelope:
    """Return an envelope as it is sent at a moment, whatever status it says; `chain` is what it is chained to.

    `definition` gives that of the envelope's template, where it is known. Raises ConversionError `envelope_xml`.
    """
    envelope = xml.parse(content)
    ready = _sent(envelope, sent, chain)
    return ReadyEnvelope(
        content=to_xml(ready),
        template=envelope.template,
        subject=envelope.subject,
        roles=envelope.roles,
        expires=expires_at(envelope, sent),
        faults=tuple(check_content(envelope, definition(envelope.template))),
    )


def _sent(envelope: Envelope, now: datetime, chain: UUID | None) -> Envelope:
    status = advance(Status.DRAFT, Event.SEND)
    sent = replace(envelope, created=envelope.created or now).with_state(
        status, date=now, role_id=envelope.roles[0].id if envelope.roles else ""
    )
    return replace(sent, chain_uuid=chain) if chain else sent


def facts(ready: ReadyEnvelope) -> "Json":
    """Return what is known of an envelope beside its content, as a message holds it."""
    return {
        "template": [str(ready.template.uuid), str(ready.template.version)],
        "subject": ready.subject,
        "roles": [[role.id, str(role.mailbox_uuid) if role.mailbox_uuid else None] for role in ready.roles],
        "expires": ready.expires.isoformat() if ready.expires else None,
        "faults": [[fault.code, fault.path, fault.message] for fault in ready.faults],
    }


def from_facts(content: bytes, known: "Json") -> ReadyEnvelope:
    """Return the envelope that a worker tells of. Raises ValueError when that makes no sense."""
    match known:
        case {
            "template": [str(uuid), str(version)],
            "subject": str(subject),
            "roles": [*roles],
            "expires": expires,
            "faults": [*faults],
        }:
            return ReadyEnvelope(
                content=content,
                template=TemplateRef(uuid=UUID(uuid), version=UUID(version)),
                subject=subject,
                roles=tuple(map(_role, roles)),
                expires=datetime.fromisoformat(expires) if isinstance(expires, str) else None,
                faults=tuple(map(_fault, faults)),
            )
        case _:
            raise ValueError("what a worker tells of an envelope is incomplete")


def _role(known: "Json") -> Role:
    match known:
        case [str(id_), mailbox]:
            return Role(id_, UUID(mailbox) if isinstance(mailbox, str) else None)
        case _:
            raise ValueError("what a worker tells of a role is incomplete")


def _fault(known: "Json") -> EnvelopeFault:
    match known:
        case [str(code), str(path), str(message)]:
            return EnvelopeFault(code, path, message)
        case _:
            raise ValueError("what a worker tells of a fault is incomplete")
