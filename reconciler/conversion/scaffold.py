"""What a rule begins with: an example of a template's envelope, and maps that give every field back as they found it.

Each field of the template stands in a map once, with its type beside it: what is left to write is one `select` after
the other.
"""

from collections.abc import Iterator, Sequence
from typing import assert_never
from uuid import UUID

from lxml import etree

from reconciler.conversion.functions import NAMESPACE as FUNCTIONS
from reconciler.envelope.template import (
    AUTOMATIC,
    DocumentDefinition,
    FieldDefinition,
    FieldGroupDefinition,
    FieldType,
    TemplateDefinition,
)
from reconciler.envelope.xml import Document, Envelope, Field, FieldGroup, Fieldset, Role, Value
from reconciler.envelope.xml_writing import to_xml
from reconciler.model.rule import Direction

_XSL = "http://www.w3.org/1999/XSL/Transform"
_OPENING = {
    Direction.OUT: "OUT: a partner's file becomes an envelope of the template {name}. As it stands, the map gives an "
    "envelope's own XML back. Replace each select by where the partner's file has the value.",
    Direction.IN: "IN: an envelope of the template {name} becomes a partner's file. As it stands, the map gives the "
    "envelope back. Rename and move the elements until the file is what the partner reads.",
}
_ROWS = 2
_EXAMPLES = {
    FieldType.NUMBER: "1",
    FieldType.CURRENCY: "1.00",
    FieldType.DATE: "2026-01-31",
    FieldType.CHECKBOX: "true",
}


def example_envelope(template: TemplateDefinition) -> bytes:
    """Return an envelope's XML with a value of the right type in every field that is not the system's or a signer's."""
    documents = tuple(Document(one.id, tuple(_example_items(one.items))) for one in template.documents)
    roles = tuple(Role(role.id, UUID(int=number)) for number, role in enumerate(template.roles, 1))
    subject = f"Example of {template.name or 'an envelope'}"
    return to_xml(Envelope(template=template.ref, subject=subject, documents=documents, roles=roles))


def _example_items(items: Sequence[FieldDefinition | FieldGroupDefinition]) -> Iterator[Field | FieldGroup]:
    for item in items:
        match item:
            case FieldDefinition():
                if _is_written(item):
                    yield Field(item.name, (_example_value(item),))
            case FieldGroupDefinition():
                row = tuple(Field(one.name, (_example_value(one),)) for one in item.fields if _is_written(one))
                yield FieldGroup(item.name, tuple(Fieldset(index, row) for index in range(_ROWS)))
            case _:
                assert_never(item)


def _is_written(field: FieldDefinition) -> bool:
    return field.type not in AUTOMATIC and field.type is not FieldType.SIGNATURE


def _example_value(field: FieldDefinition) -> Value:
    match field.type:
        case FieldType.DROPDOWN | FieldType.CHOICE:
            return Value(field.options[0])
        case FieldType.DICTIONARY:
            return Value(field.name, record_uuid=UUID(int=1))
        case FieldType.FILE:
            return Value(f"{field.name}.pdf", attachment_uuid=UUID(int=1))
        case type_:
            return Value(_EXAMPLES.get(type_, field.name))


def stylesheet(template: TemplateDefinition, direction: Direction) -> bytes:
    """Return a map of envelopes of the template that changes nothing yet."""
    root = etree.Element(
        f"{{{_XSL}}}stylesheet",
        {"version": "3.0", "exclude-result-prefixes": "#all"},
        nsmap={"xsl": _XSL, "wd": FUNCTIONS},
    )
    _comment(root, _OPENING[direction].format(name=template.name or template.ref.uuid))
    if direction is Direction.OUT:
        _comment(root, "The gateway sets these.")
        for name in ("SENDER_MAILBOX", "TEMPLATE_UUID", "TEMPLATE_VERSION"):
            _xsl(root, "param", name=name)
    _xsl(root, "output", indent="yes")
    body = _xsl(root, "template", match="/envelope")
    ref = (
        ("@templateUuid", "@templateVersion") if direction is Direction.IN else ("$TEMPLATE_UUID", "$TEMPLATE_VERSION")
    )
    envelope = etree.SubElement(body, "envelope", {"templateUuid": f"{{{ref[0]}}}", "templateVersion": f"{{{ref[1]}}}"})
    info = etree.SubElement(envelope, "info")
    for name in ("subject", "message"):
        _xsl(etree.SubElement(info, name), "value-of", select=f"info/{name}")
    documents = etree.SubElement(envelope, "documents")
    for document in template.documents:
        _write_document(documents, document, direction)
    _write_roles(envelope, template, direction)
    etree.indent(root)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True) + b"\n"


def _write_document(parent: etree._Element, document: DocumentDefinition, direction: Direction) -> None:
    element = etree.SubElement(parent, "document", id=_literal(document.id))
    loop = _xsl(element, "for-each", select=f"documents/document[@id = {_text(document.id)}]")
    for item in document.items:
        match item:
            case FieldDefinition():
                _write_field(loop, item, direction)
            case FieldGroupDefinition():
                _comment(loop, f"table{', required' if item.required else ''}: a fieldset is a row")
                group = etree.SubElement(loop, "fieldgroup", name=_literal(item.name))
                rows = _xsl(group, "for-each", select=f"fieldgroup[@name = {_text(item.name)}]/fieldset")
                row = etree.SubElement(rows, "fieldset", index="{position() - 1}")
                for field in item.fields:
                    _write_field(row, field, direction)
            case _:
                assert_never(item)


def _write_field(parent: etree._Element, field: FieldDefinition, direction: Direction) -> None:
    if direction is Direction.OUT and not _is_written(field):
        return
    _comment(parent, _remark(field) if direction is Direction.OUT else field.type)
    found = f"field[@name = {_text(field.name)}]"
    element = etree.SubElement(parent, "field", name=_literal(field.name))
    if field.multiple:
        values = _xsl(element, "for-each", select=f"{found}/(value, .[not(value)])")
        element, found = etree.SubElement(values, "value"), "."
    reference = {FieldType.DICTIONARY: "recordUuid", FieldType.FILE: "attachmentUuid"}.get(field.type)
    if reference is not None:
        element.set(reference, f"{{{found}/@{reference}}}")
    _xsl(element, "value-of", select=found)


def _remark(field: FieldDefinition) -> str:
    """Return the type of a field, whether it must be filled, and what fills it."""
    words = field.type + (", required" if field.required else "")
    match field.type:
        case FieldType.DICTIONARY:
            function = f"wd:getRecordUuidByValueFromDictionary('{field.dictionary}', '{field.column}', VALUE)"
            return f"{words}: recordUuid is {function}"
        case FieldType.FILE:
            return f"{words}: attachmentUuid is wd:createAttachementWithSourceFile() for the partner's file itself"
        case FieldType.DROPDOWN | FieldType.CHOICE:
            return f"{words}: one of {', '.join(field.options)}"
        case FieldType.DATE:
            return f"{words}: such as 2026-01-31"
        case _:
            return words


def _write_roles(envelope: etree._Element, template: TemplateDefinition, direction: Direction) -> None:
    flow = etree.SubElement(envelope, "flow")
    roles = etree.SubElement(flow, "roles")
    for position, role in enumerate(template.roles):
        found = f"flow/roles/role[@id = {_text(role.id)}]/@mailboxUuid"
        if direction is Direction.OUT and position == 0:
            found = "$SENDER_MAILBOX"
        elif direction is Direction.OUT:
            _comment(roles, "by an alias of the recipient: wd:getMailboxUuidByAlias('GLN:' || VALUE)")
        etree.SubElement(roles, "role", {"id": _literal(role.id), "mailboxUuid": f"{{{found}}}"})


def _xsl(parent: etree._Element, element: str, /, **attributes: str) -> etree._Element:
    return etree.SubElement(parent, f"{{{_XSL}}}{element}", attributes)


def _comment(parent: etree._Element, text: str) -> None:
    # A comment holds no two hyphens in a row.
    parent.append(etree.Comment(f" {text.replace('--', '- -').replace('--', '- -')} "))


def _text(text: str) -> str:
    """Return a text as XPath writes it, inside of a value template too."""
    return "'" + text.replace("'", "''") + "'"


def _literal(text: str) -> str:
    """Return a text as an attribute of a literal result element, where braces would begin an expression."""
    return text.replace("{", "{{").replace("}", "}}")
