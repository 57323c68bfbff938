"""Writing an envelope as XML, canonical: equal envelopes give equal bytes, and `xml.parse` reads an equal one back.

Written as text, because a tree that is built only to be serialised takes several times as long.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import assert_never
from uuid import UUID

from reconciler.envelope.xml import Document, Envelope, EnvelopeState, Field, FieldGroup, Fieldset, Role, Value

_DECLARATION = "<?xml version='1.0' encoding='UTF-8'?>\n"
_SPACE = " " * 12
_SPECIAL = re.compile(r'[&<>"\t\n\r]')
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

_Written = UUID | datetime | int | str | None


def to_xml(envelope: Envelope) -> bytes:
    """Write an envelope as indented UTF-8.

    Raises ValueError for a text that XML cannot hold, such as a control character; `parse` never gives one.
    """
    text = _DECLARATION + _envelope(envelope)
    if wrong := _NO_XML.search(text):
        raise ValueError(f"XML cannot hold the character {wrong[0]!r}")
    return text.encode()


def _envelope(envelope: Envelope) -> str:
    attributes = _attributes(
        templateUuid=envelope.template.uuid,
        templateVersion=envelope.template.version,
        created=envelope.created,
        chainUuid=envelope.chain_uuid,
    )
    state = _element(2, "state", "", "".join(_state(envelope.state)))
    info = _element(2, "info", "", "".join(_info(envelope)))
    documents = _element(2, "documents", "", "".join(map(_document, envelope.documents)))
    roles = _element(4, "roles", "", "".join(map(_role, envelope.roles)))
    return _element(0, "envelope", attributes, state + info + documents + _element(2, "flow", "", roles))


def _state(state: EnvelopeState) -> Iterator[str]:
    yield _leaf(4, "status", "", state.status)
    yield _leaf(4, "date", "", _written(state.date) if state.date else "")
    yield _leaf(4, "roleId", "", state.role_id)
    yield _leaf(4, "message", "", state.message)


def _info(envelope: Envelope) -> Iterator[str]:
    yield _leaf(4, "subject", "", envelope.subject)
    yield _leaf(4, "message", "", envelope.message)
    if envelope.forwarding is not None:
        allowed = _attributes(delegation=envelope.forwarding.delegation, sharing=envelope.forwarding.sharing)
        yield _leaf(4, "forwarding", allowed, "")
    if isinstance(envelope.expire, datetime):
        yield _leaf(4, "expire", _attributes(after=envelope.expire), "")
    elif envelope.expire is not None:
        yield _leaf(4, "expire", _attributes(afterDays=envelope.expire), "")


def _document(document: Document) -> str:
    return _element(4, "document", _attributes(id=document.id), "".join(map(_item, document.items)))


def _role(role: Role) -> str:
    given = _attributes(id=role.id, mailboxUuid=role.mailbox_uuid, active=role.active, completed=role.completed)
    return _leaf(6, "role", given, "")


def _item(item: Field | FieldGroup) -> str:
    match item:
        case Field():
            return _field(6, item)
        case FieldGroup(name, fieldsets):
            return _element(6, "fieldgroup", _attributes(name=name), "".join(map(_fieldset, fieldsets)))
        case _:
            assert_never(item)


def _fieldset(fieldset: Fieldset) -> str:
    fields = [_field(10, field) for field in fieldset.fields]
    return _element(8, "fieldset", f' index="{fieldset.index}"', "".join(fields))


def _field(indent: int, field: Field) -> str:
    name, values = f' name="{_in_attribute(field.name)}"', field.values
    if len(values) == 1:
        value, references = values[0], _references(values[0])
        if value.text or references:
            return _leaf(indent, "field", name + references, value.text)
    inside = [_leaf(indent + 2, "value", _references(value), value.text) for value in values]
    return _element(indent, "field", name, "".join(inside))


def _references(value: Value) -> str:
    if value.record_uuid is None and value.attachment_uuid is None:
        return ""
    return _attributes(recordUuid=value.record_uuid, attachmentUuid=value.attachment_uuid)


def _element(indent: int, tag: str, attributes: str, inside: str) -> str:
    """Return an element that holds others, which are lines already."""
    space = _SPACE[:indent]
    return f"{space}<{tag}{attributes}>\n{inside}{space}</{tag}>\n" if inside else f"{space}<{tag}{attributes}/>\n"


def _leaf(indent: int, tag: str, attributes: str, text: str) -> str:
    """Return an element that holds text."""
    if not text:
        return f"{_SPACE[:indent]}<{tag}{attributes}/>\n"
    return f"{_SPACE[:indent]}<{tag}{attributes}>{_in_text(text)}</{tag}>\n"


def _attributes(**attributes: _Written) -> str:
    """Return the attributes that say something, in this order."""
    return "".join(
        f' {name}="{_in_attribute(_written(value))}"' for name, value in attributes.items() if value is not None
    )


def _written(value: UUID | datetime | int | str) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case UUID() | int() | str():
            return str(value)
        case _:
            assert_never(value)


def _in_text(text: str) -> str:
    if not _SPECIAL.search(text):
        return text
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def _in_attribute(text: str) -> str:
    if not _SPECIAL.search(text):
        return text
    text = _in_text(text).replace('"', "&quot;")
    return text.replace("\n", "&#10;").replace("\t", "&#9;")
