"""The XML file of a template."""

from uuid import UUID

import pytest

from reconciler.envelope.element import XmlError
from reconciler.envelope.template import (
    DocumentDefinition,
    FieldDefinition,
    FieldGroupDefinition,
    FieldType,
    RoleDefinition,
    RoleType,
    TemplateDefinition,
    parse_template,
)
from reconciler.model.template_ref import TemplateRef

U = UUID("1997a1b4-88e3-4f58-88ca-fcd2c6fb5869")
ROLES = '<role id="seller" type="sender"/><role id="buyer" type="signer" name="Buyer"/>'


def template_xml(fields: str = "", *, roles: str = ROLES) -> bytes:
    return f"""<template uuid="{U}" version="{U}" name="Order">
      <documents>
        <document id="d1" name="The order">{fields}</document>
      </documents>
      <roles>{roles}</roles>
    </template>""".encode()


def only_field(fields: str) -> FieldDefinition | FieldGroupDefinition:
    (item,) = parse_template(template_xml(fields)).documents[0].items
    return item


def test_a_definition_is_read_whole() -> None:
    fields = """
      <field name="number" required="true"/>
      <fieldgroup name="positions" required="true"><field name="quantity" type="number"/></fieldgroup>"""
    assert parse_template(template_xml(fields)) == TemplateDefinition(
        TemplateRef(uuid=U, version=U),
        "Order",
        (
            DocumentDefinition(
                "d1",
                "The order",
                (
                    FieldDefinition(name="number", required=True, role="seller"),
                    FieldGroupDefinition(
                        "positions", True, (FieldDefinition(name="quantity", type=FieldType.NUMBER, role="seller"),)
                    ),
                ),
            ),
        ),
        (RoleDefinition("seller", RoleType.SENDER, ""), RoleDefinition("buyer", RoleType.SIGNER, "Buyer")),
    )


@pytest.mark.parametrize(
    ("xml", "definition"),
    [
        (
            '<field name="f" type="dropdown" multiple="true"><option>a</option><option>b</option></field>',
            FieldDefinition(name="f", type=FieldType.DROPDOWN, multiple=True, role="seller", options=("a", "b")),
        ),
        (
            f'<field name="f" type="dictionary" dictionary="{U}" column="{U}"/>',
            FieldDefinition(name="f", type=FieldType.DICTIONARY, role="seller", dictionary=U, column=U),
        ),
        (
            '<field name="f" type="signature" role="buyer" required="true"/>',
            FieldDefinition(name="f", type=FieldType.SIGNATURE, role="buyer", required=True),
        ),
    ],
)
def test_fields_of_each_make(xml: str, definition: FieldDefinition) -> None:
    assert only_field(xml) == definition


@pytest.mark.parametrize("type_", [type_ for type_ in FieldType if type_ not in {"lookup", "dictionary"}])
def test_every_type_is_known_by_its_name(type_: FieldType) -> None:
    options = "<option>a</option>" if type_ in {FieldType.DROPDOWN, FieldType.CHOICE} else ""
    field = only_field(f'<field name="f" type="{type_}" role="buyer">{options}</field>')
    assert isinstance(field, FieldDefinition)
    assert field.type is type_


def test_the_type_of_a_field_is_found_by_document_and_name() -> None:
    fields = '<field name="n" type="number"/><fieldgroup name="t"><field name="q" type="number"/></fieldgroup>'
    definition = parse_template(template_xml(fields))
    assert definition.field_type("d1", "n") is FieldType.NUMBER
    assert [definition.field_type(*place) for place in (("d2", "n"), ("d1", "t"), ("d1", "q"))] == [None, None, None]


@pytest.mark.parametrize(
    ("xml", "line", "reason"),
    [
        (b"<template", 1, "not well-formed XML"),
        (f'<template uuid="{U}"/>'.encode(), 1, "template needs the attribute version, a UUID"),
        (f'<template uuid="{U}" version="{U}"><roles/></template>'.encode(), 1, "template needs the element documents"),
        (template_xml(roles=""), 5, "roles needs a role of the type sender"),
        (template_xml(roles='<role id="a" type="signer"/>'), 5, "the first role is the sender"),
        (template_xml(roles='<role id="a" type="sender"/>' * 2), 5, "there is no second sender"),
        (template_xml(roles='<role id="a" type="boss"/>'), 5, "one of sender, assignee, signer"),
        (template_xml(roles=ROLES + '<role id="buyer" type="signer"/>'), 5, "roles holds 'buyer' twice"),
        (template_xml('\n<field name="f" type="colour"/>'), 4, "field needs the attribute type, one of text, number"),
        (template_xml('<field name="f"/><field name="f"/>'), 3, "document holds 'f' twice"),
        (template_xml('<field name="f" typ="text"/>'), 3, "field has the unknown attribute typ"),
        (template_xml('<field name="f" type="formula" required="1"/>'), 3, "filled by the system"),
        (template_xml('<field name="f" type="choice"/>'), 3, "dropdown and choice have options"),
        (template_xml('<field name="f"><option>a</option></field>'), 3, "no other type has"),
        (template_xml('<field name="f" type="lookup"/>'), 3, "dictionary and lookup name dictionary and column"),
        (template_xml(f'<field name="f" column="{U}"/>'), 3, "no other does"),
        (template_xml('<field name="f" type="signature"/>'), 3, "names a role of the type signer"),
        (template_xml('<field name="f" type="signature" role="seller"/>'), 3, "names a role of the type signer"),
        (template_xml('<field name="f" role="nobody"/>'), 3, "the role 'nobody', which the template does not have"),
        (template_xml('<fieldgroup name="t"/>'), 3, "fieldgroup needs a field"),
    ],
)
def test_a_mistake_is_named_with_its_line(xml: bytes, line: int, reason: str) -> None:
    with pytest.raises(XmlError) as caught:
        parse_template(xml)
    assert reason in caught.value.reason
    assert caught.value.line == line
    assert str(caught.value) == f"line {line}: {caught.value.reason}"
