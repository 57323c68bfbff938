"""The envelope and its XML: hostile bytes in, a frozen value or one exact reason out; the value out again, canonical.

    envelope @templateUuid @templateVersion [@created] [@chainUuid]
      state: status date roleId message            absent: a draft
      info: subject message forwarding(@delegation @sharing) expire(@afterDays | @after)
      documents/document@id: field@name[@recordUuid|@attachmentUuid]      several values: field@name/value+
                             fieldgroup@name/fieldset@index(from 0)/field
      flow/roles/role @id @mailboxUuid [@active @completed]               the first role is the sender's

Elements may come in any order; an empty attribute or element says the same as an absent one, because that is how maps
write what they did not find. What is not named above is refused. The envelope's own UUID is not inside.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import assert_never
from uuid import UUID

from lxml import etree

from reconciler.envelope.element import Element, XmlError
from reconciler.errors import ConversionError
from reconciler.model.template import TemplateRef


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
        return tuple(dict.fromkeys(role.mailbox_uuid for role in self.roles[1:] if role.mailbox_uuid))

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
    return Fieldset(position if index is None else index, tuple(map(_field, element.children("field"))))


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


def to_xml(envelope: Envelope) -> bytes:
    """Write an envelope as indented UTF-8: equal envelopes give equal bytes, and `parse` reads an equal one back.

    Raises ValueError for a text that XML cannot hold, such as a control character; `parse` never gives one.
    """
    root = etree.Element("envelope")
    _set(
        root,
        templateUuid=envelope.template.uuid,
        templateVersion=envelope.template.version,
        created=envelope.created,
        chainUuid=envelope.chain_uuid,
    )
    state = etree.SubElement(root, "state")
    etree.SubElement(state, "status").text = envelope.state.status
    etree.SubElement(state, "date").text = _written(envelope.state.date) if envelope.state.date else None
    etree.SubElement(state, "roleId").text = envelope.state.role_id or None
    etree.SubElement(state, "message").text = envelope.state.message or None
    info = etree.SubElement(root, "info")
    etree.SubElement(info, "subject").text = envelope.subject or None
    etree.SubElement(info, "message").text = envelope.message or None
    if envelope.forwarding is not None:
        forwarding = etree.SubElement(info, "forwarding")
        _set(forwarding, delegation=envelope.forwarding.delegation, sharing=envelope.forwarding.sharing)
    if isinstance(envelope.expire, datetime):
        _set(etree.SubElement(info, "expire"), after=envelope.expire)
    elif envelope.expire is not None:
        _set(etree.SubElement(info, "expire"), afterDays=envelope.expire)
    documents = etree.SubElement(root, "documents")
    for document in envelope.documents:
        element = etree.SubElement(documents, "document", id=document.id)
        for item in document.items:
            _write_item(element, item)
    roles = etree.SubElement(etree.SubElement(root, "flow"), "roles")
    for role in envelope.roles:
        element = etree.SubElement(roles, "role", id=role.id)
        _set(element, mailboxUuid=role.mailbox_uuid, active=role.active, completed=role.completed)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True, pretty_print=True)


def _set(element: etree._Element, **attributes: UUID | datetime | int | None) -> None:
    """Set the attributes that say something, in this order."""
    for name, value in attributes.items():
        if value is not None:
            element.set(name, _written(value))


def _written(value: UUID | datetime | int) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case UUID() | int():
            return str(value)
        case _:
            assert_never(value)


def _write_item(parent: etree._Element, item: Field | FieldGroup) -> None:
    match item:
        case Field(name, values):
            element = etree.SubElement(parent, "field", name=name)
            if len(values) == 1 and values[0] != Value():
                _write_value(element, values[0])
            else:
                for value in values:
                    _write_value(etree.SubElement(element, "value"), value)
        case FieldGroup(name, fieldsets):
            group = etree.SubElement(parent, "fieldgroup", name=name)
            for fieldset in fieldsets:
                row = etree.SubElement(group, "fieldset", index=str(fieldset.index))
                for field in fieldset.fields:
                    _write_item(row, field)
        case _:
            assert_never(item)


def _write_value(element: etree._Element, value: Value) -> None:
    _set(element, recordUuid=value.record_uuid, attachmentUuid=value.attachment_uuid)
    element.text = value.text or None
