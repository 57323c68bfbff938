"""Whether an envelope is what its template says."""

from dataclasses import replace
from uuid import UUID

import pytest

from reconciler.envelope.check import check_envelope
from reconciler.envelope.template import TemplateDefinition, parse_template
from reconciler.envelope.xml import Document, Envelope, Field, FieldGroup, Fieldset, Role, Value
from reconciler.model.template_ref import TemplateRef

U = UUID(int=7)
ORDER = TemplateRef(uuid=UUID(int=1), version=UUID(int=2))
SELLER, BUYER = UUID(int=3), UUID(int=4)
DEFINITION = parse_template(
    f"""<template uuid="{ORDER.uuid}" version="{ORDER.version}">
      <documents><document id="d1">
        <field name="number" required="true"/>
        <field name="amount" type="currency"/>
        <field name="date" type="date"/>
        <field name="paid" type="checkbox"/>
        <field name="terms" type="dropdown"><option>30 days</option></field>
        <field name="supplier" type="dictionary" dictionary="{U}" column="{U}"/>
        <field name="scan" type="file"/>
        <field name="tags" multiple="true"/>
        <field name="total" type="formula"/>
        <field name="received by" type="signature" role="buyer" required="true"/>
        <fieldgroup name="positions" required="true"><field name="quantity" type="number" required="true"/></fieldgroup>
      </document></documents>
      <roles><role id="seller" type="sender"/><role id="buyer" type="signer"/></roles>
    </template>""".encode()
)
POSITIONS = FieldGroup("positions", (Fieldset(0, (Field("quantity", (Value("12"),)),)),))
NUMBER = Field("number", (Value("4711"),))
GOOD = Envelope(
    template=ORDER,
    documents=(Document("d1", (NUMBER, POSITIONS)),),
    roles=(Role("seller", SELLER), Role("buyer", BUYER)),
)


def faults(envelope: Envelope, definition: TemplateDefinition | None = DEFINITION) -> list[tuple[str, str]]:
    found = check_envelope(
        envelope,
        template=ORDER,
        definition=definition,
        mailbox_exists={SELLER, BUYER}.__contains__,
        sender=SELLER,
    )
    assert all(fault.message for fault in found)
    return [(fault.code, fault.path) for fault in found]


def with_items(*items: Field | FieldGroup) -> Envelope:
    return replace(GOOD, documents=(Document("d1", items),))


def with_roles(*roles: Role) -> Envelope:
    return replace(GOOD, roles=roles)


def test_an_envelope_that_is_fit_has_no_fault() -> None:
    assert faults(GOOD) == []


@pytest.mark.parametrize(
    ("envelope", "expected"),
    [
        (
            replace(GOOD, template=TemplateRef(uuid=U, version=ORDER.version)),
            [("template_differs", "templateUuid")],
        ),
        (replace(GOOD, template=TemplateRef(uuid=ORDER.uuid, version=U)), [("version_differs", "templateVersion")]),
        (with_roles(Role("seller", SELLER), Role("buyer")), [("mailbox_missing", "roles/buyer")]),
        (with_roles(Role("seller", SELLER), Role("buyer", U)), [("mailbox_unknown", "roles/buyer")]),
        (with_roles(Role("seller", BUYER), Role("buyer", BUYER)), [("sender_differs", "roles/seller")]),
        (with_roles(), [("roles_missing", "roles"), ("role_missing", "roles/seller"), ("role_missing", "roles/buyer")]),
        (with_roles(Role("seller", SELLER)), [("recipient_missing", "roles"), ("role_missing", "roles/buyer")]),
        (
            with_roles(Role("buyer", SELLER), Role("seller", BUYER)),
            [("sender_misplaced", "roles/buyer"), ("sender_misplaced", "roles/seller")],
        ),
        (
            with_roles(Role("seller", SELLER), Role("buyer", BUYER), Role("buyer", BUYER)),
            [("role_twice", "roles/buyer")],
        ),
        (with_roles(*GOOD.roles, Role("carrier", BUYER)), [("role_unknown", "roles/carrier")]),
        (replace(GOOD, documents=(*GOOD.documents, Document("d2"))), [("document_unknown", "d2")]),
        (replace(GOOD, documents=GOOD.documents * 2), [("document_twice", "d1")]),
        (replace(GOOD, documents=()), [("field_missing", "d1/number"), ("field_missing", "d1/positions")]),
        (with_items(Field("number", (Value(" "),)), POSITIONS), [("field_missing", "d1/number")]),
        (with_items(NUMBER, POSITIONS, Field("nummer")), [("field_unknown", "d1/nummer")]),
        (with_items(NUMBER, NUMBER, POSITIONS), [("field_twice", "d1/number")]),
        (with_items(NUMBER, FieldGroup("positions")), [("field_missing", "d1/positions")]),
        (with_items(NUMBER, Field("positions", (Value("1"),))), [("value_mistyped", "d1/positions")]),
        (with_items(NUMBER, POSITIONS, FieldGroup("amount")), [("value_mistyped", "d1/amount")]),
        (
            with_items(NUMBER, FieldGroup("positions", (POSITIONS.fieldsets[0], Fieldset(5)))),
            [("field_missing", "d1/positions[5]/quantity")],
        ),
        (
            with_items(Field("number", (Value("1"), Value("2"))), POSITIONS),
            [("values_too_many", "d1/number")],
        ),
    ],
)
def test_each_fault_has_its_code_and_path(envelope: Envelope, expected: list[tuple[str, str]]) -> None:
    assert faults(envelope) == expected


@pytest.mark.parametrize(
    ("name", "value", "fits"),
    [
        *[("amount", Value(text), True) for text in ("12", "-12.50", "+0.5", " 12 ", ".5")],
        *[("amount", Value(text), False) for text in ("12,50", "twelve", "1e5", "٣", "1 000")],
        *[("date", Value(text), True) for text in ("2026-01-31", "31-01-2026", "2026-01-31T08:00:00Z")],
        *[("date", Value(text), False) for text in ("2026-02-30", "31.01.2026", "01/31/2026", "30-02-2026")],
        *[("paid", Value(text), True) for text in ("1", "0", "true", "false")],
        ("paid", Value("yes"), False),
        ("terms", Value("30 days"), True),
        ("terms", Value("90 days"), False),
        ("supplier", Value("Globex", record_uuid=U), True),
        ("supplier", Value("", record_uuid=U), True),
        ("supplier", Value("Globex"), False),
        ("scan", Value("scan.pdf", attachment_uuid=U), True),
        ("scan", Value("scan.pdf"), False),
        ("received by", Value("data:image/png;base64,iVBOR"), True),
        ("received by", Value("Jane"), False),
        ("total", Value("whatever"), True),
    ],
)
def test_a_value_is_of_its_fields_type(name: str, value: Value, fits: bool) -> None:
    expected = [] if fits else [("value_mistyped", f"d1/{name}")]
    assert faults(with_items(NUMBER, POSITIONS, Field(name, (value,)))) == expected


def test_a_field_for_many_values_takes_them() -> None:
    assert faults(with_items(NUMBER, POSITIONS, Field("tags", (Value("a"), Value("b"))))) == []


def test_without_a_definition_only_template_and_mailboxes_are_checked() -> None:
    envelope = replace(with_items(Field("anything")), roles=(Role("x", SELLER), Role("y", U)))
    assert faults(envelope, None) == [("mailbox_unknown", "roles/y")]
