"""The envelope and its XML: hostile bytes in, a frozen value or one exact reason out. `xml_writing` is the way back.

    envelope @templateUuid @templateVersion [@created] [@chainUuid]
      state: status date roleId message            absent: a draft
      info: subject message forwarding(@delegation @sharing) expire(@afterDays | @after)
      documents/document@id: field@name[@recordUuid|@attachmentUuid]      several values: field@name/value+
                             fieldgroup@name/fieldset@index(from 0)/field
      flow/roles/role @id @mailboxUuid [@active @completed]               the first role is the sender's

Elements may come in any order; an empty attribute or element says the same as an absent one, because that is how maps
write what they did not find. What is not named above is refused. The envelope's own UUID is not inside.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from reconciler.envelope.element import Element, XmlError
from reconciler.errors import ConversionError
from reconciler.model.template_ref import TemplateRef


class Status(StrEnum):
    """Where an envelope stands. SENT and WAITING are one status seen by two mailboxes: see `envelope.status`."""

    DRAFT = "DRAFT"
    SENT = "SENT"
    WAITING = "WAITING"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a field; a dictionary field names its record, a file field its attachment."""

    text: str = ""
    record_uuid: UUID | None = None
    attachment_uuid: UUID | None = None

    @property
    def filled(self) -> bool:
        """Whether it says anything: white space alone does not."""
        return bool(self.text.strip() or self.record_uuid or self.attachment_uuid)


@dataclass(frozen=True, slots=True)
class Field:
    """A field with its values; none when it is empty."""

    name: str
    values: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class Fieldset:
    """One row of a table; `index` counts from 0."""

    index: int
    fields: tuple[Field, ...] = ()


@dataclass(frozen=True, slots=True)
class FieldGroup:
    """A table field."""

    name: str
    fieldsets: tuple[Fieldset, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """One document of an envelope, by the identifier that its template gives it."""

    id: str
    items: tuple[Field | FieldGroup, ...] = ()


@dataclass(frozen=True, slots=True)
class Role:
    """A role of the flow and the mailbox that plays it; None when a map found none."""

    id: str
    mailbox_uuid: UUID | None = None
    active: bool | None = None
    completed: bool | None = None


@dataclass(frozen=True, slots=True)
class EnvelopeState:
    """The status, since when, by which role, and what that role said, such as the reason of a rejection."""

    status: Status = Status.DRAFT
    date: datetime | None = None
    role_id: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Forwarding:
    """What a recipient may do with the envelope."""

    delegation: bool = False
    sharing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One instance of a template. `expire` is a number of days after sending, or a moment. Moments are in UTC."""

    template: TemplateRef
    created: datetime | None = None
    chain_uuid: UUID | None = None
    state: EnvelopeState = EnvelopeState()
    subject: str = ""
    message: str = ""
    forwarding: Forwarding | None = None
    expire: int | datetime | None = None
    documents: tuple[Document, ...] = ()
    roles: tuple[Role, ...] = ()

    @property
    def sender(self) -> UUID | None:
        """The mailbox of the sender's role, which is the first; None when it has none."""
        return self.roles[0].mailbox_uuid if self.roles else None

    @property
    def recipients(self) -> tuple[UUID, ...]:
        """The distinct mailboxes of all other roles, in role order."""
        return recipients(self.roles)

    def field_texts(self, fields: Iterable[tuple[str, str]]) -> "FieldTexts":
        """Return what these fields (document, name) say."""
        return {wanted: None if self._is_table(*wanted) else self.field_values(*wanted) for wanted in fields}

    def _is_table(self, document_id: str, name: str) -> bool:
        items = (item for document in self.documents if document.id == document_id for item in document.items)
        return any(item.name == name and isinstance(item, FieldGroup) for item in items)

    def field_values(self, document_id: str, name: str) -> tuple[str, ...]:
        """Return the texts of a field that stands in no table; an empty field has none."""
        return tuple(
            value.text
            for document in self.documents
            for item in document.items
            if document.id == document_id and isinstance(item, Field) and item.name == name
            for value in item.values
        )

    def with_state(self, status: Status, *, date: datetime, role_id: str = "", message: str = "") -> "Envelope":
        """Return a copy that stands at `status` since `date`."""
        return replace(self, state=EnvelopeState(status, date, role_id, message))


FieldTexts = Mapping[tuple[str, str], Sequence[str] | None]
"""The texts of fields (document, name): none for an empty one, None for a table."""


def recipients(roles: Sequence[Role]) -> tuple[UUID, ...]:
    """Return the distinct mailboxes of all roles but the sender's, which is the first."""
    return tuple(dict.fromkeys(role.mailbox_uuid for role in roles[1:] if role.mailbox_uuid))


def parse(xml: bytes) -> Envelope:
    """Read an envelope. Raises ConversionError `envelope_xml` with the line and what is wrong there."""
    try:
        return _envelope(Element.root(xml, "envelope"))
    except XmlError as error:
        raise ConversionError("envelope_xml", f"envelope, {error}") from None


def _envelope(root: Element) -> Envelope:
    template = TemplateRef(uuid=root.required_uuid("templateUuid"), version=root.required_uuid("templateVersion"))
    created, chain_uuid = root.moment(root.attribute("created")), root.uuid("chainUuid")
    parts = root.parts("state", "info", "documents", "flow")
    info = parts["info"].parts("subject", "message", "forwarding", "expire") if "info" in parts else {}
    documents = parts["documents"].children("document") if "documents" in parts else ()
    flow = parts["flow"].parts("roles") if "flow" in parts else {}
    roles = flow["roles"].children("role") if "roles" in flow else ()
    return Envelope(
        template=template,
        created=created,
        chain_uuid=chain_uuid,
        state=_state(parts["state"]) if "state" in parts else EnvelopeState(),
        subject=_text(info, "subject"),
        message=_text(info, "message"),
        forwarding=_forwarding(info["forwarding"]) if "forwarding" in info else None,
        expire=_expire(info["expire"]) if "expire" in info else None,
        documents=tuple(map(_document, documents)),
        roles=tuple(map(_role, roles)),
    )


def _text(parts: Mapping[str, Element], tag: str) -> str:
    return parts[tag].text() if tag in parts else ""


def _state(element: Element) -> EnvelopeState:
    parts = element.parts("status", "date", "roleId", "message")
    status = _text(parts, "status").strip() or Status.DRAFT
    if status not in Status.__members__:
        raise element.wrong(f"has the status '{status}'; there are {', '.join(Status)}")
    return EnvelopeState(
        status=Status(status),
        date=element.moment(_text(parts, "date")),
        role_id=_text(parts, "roleId").strip(),
        message=_text(parts, "message"),
    )


def _forwarding(element: Element) -> Forwarding:
    forwarding = Forwarding(bool(element.flag("delegation")), bool(element.flag("sharing")))
    element.end()
    return forwarding


def _expire(element: Element) -> int | datetime | None:
    days, moment = element.count("afterDays"), element.moment(element.attribute("after"))
    element.end()
    if days is not None and moment is not None:
        raise element.wrong("has both afterDays and after, which exclude each other")
    return moment if days is None else days


def _document(element: Element) -> Document:
    return Document(element.required("id"), tuple(map(_item, element.children("field", "fieldgroup"))))


def _item(element: Element) -> Field | FieldGroup:
    return _field(element) if element.tag == "field" else _field_group(element)


def _field_group(element: Element) -> FieldGroup:
    name = element.required("name")
    fieldsets = tuple(_fieldset(child, position) for position, child in enumerate(element.children("fieldset")))
    if len({fieldset.index for fieldset in fieldsets}) < len(fieldsets):
        raise element.wrong(f"{name} has two fieldsets of the same index")
    return FieldGroup(name, fieldsets)


def _fieldset(element: Element, position: int) -> Fieldset:
    index = element.count("index")
    plain = element.named_texts("field")
    if plain is None:
        fields = tuple(map(_field, element.children("field")))
    else:
        fields = tuple([Field(name, (Value(text),) if text else ()) for name, text in plain])
    return Fieldset(position if index is None else index, fields)


def _field(element: Element) -> Field:
    name = element.required("name")
    if element.has_children:
        return Field(name, tuple(map(_value, element.children("value"))))
    value = _value(element)
    says_something = value.text or value.record_uuid or value.attachment_uuid
    return Field(name, (value,) if says_something else ())


def _value(element: Element) -> Value:
    record, attachment = element.uuid("recordUuid"), element.uuid("attachmentUuid")
    if record and attachment:
        raise element.wrong("has both recordUuid and attachmentUuid, which exclude each other")
    return Value(element.text(), record, attachment)


def _role(element: Element) -> Role:
    role = Role(element.required("id"), element.uuid("mailboxUuid"), element.flag("active"), element.flag("completed"))
    element.end()
    return role
