"""What a rule begins with works from the beginning: both maps give the example back."""

from uuid import UUID

import pytest

from reconciler.conversion.results import envelopes
from reconciler.conversion.rule_file import RuleFile
from reconciler.conversion.scaffold import example_envelope, stylesheet
from reconciler.conversion.xslt import Saxon
from reconciler.envelope import xml
from reconciler.envelope.check import check_envelope
from reconciler.envelope.template import TemplateDefinition, parse_template
from reconciler.model.rule import Direction

TEMPLATE = b"""<template uuid="8cb0f552-54ab-4b26-b0d6-a4b09bc68c18" version="66a2b510-738c-47ce-825b-864908dba8ec"
    name="It's --- {odd}">
  <documents>
    <document id="d'1">
      <field name="the {buyer}'s &quot;number&quot; &amp; more" required="true"/>
      <field name="quantity" type="number"/><field name="sum" type="currency"/><field name="day" type="date"/>
      <field name="agreed" type="checkbox"/><field name="serial" type="autonumber"/>
      <field name="terms" type="dropdown"><option>30 -- days</option><option>60 days</option></field>
      <field name="supplier" type="dictionary" required="true"
             dictionary="361f200d-5c33-4884-b973-7ce964f3ce79" column="625c231e-0895-41d7-8912-abd557ad1e4b"/>
      <field name="original" type="file"/>
      <field name="notes" multiple="true"/>
      <field name="signed" type="signature" role="buyer"/>
      <fieldgroup name="rows" required="true"><field name="product" required="true"/></fieldgroup>
    </document>
    <document id="d2"><field name="total" type="formula"/></document>
  </documents>
  <roles><role id="seller" type="sender"/><role id="buyer" type="signer"/></roles>
</template>"""


@pytest.fixture(scope="module")
def template() -> TemplateDefinition:
    return parse_template(TEMPLATE)


def _converted(template: TemplateDefinition, direction: Direction, source: bytes) -> bytes:
    saxon = Saxon(lambda: "")
    compiled = saxon.compile(RuleFile("map.xsl", {"map.xsl": stylesheet(template, direction)}))
    parameters = {
        "SENDER_MAILBOX": str(UUID(int=1)),
        "TEMPLATE_UUID": str(template.ref.uuid),
        "TEMPLATE_VERSION": str(template.ref.version),
    }
    return envelopes(compiled.run(saxon.node(source.decode()), parameters, lambda _: {}).text, several=False)[0]


def test_the_example_is_an_envelope_that_can_be_sent(template: TemplateDefinition) -> None:
    envelope = xml.parse(example_envelope(template))
    sender = UUID(int=1)
    faults = check_envelope(
        envelope, template=template.ref, definition=template, mailbox_exists=lambda _: True, sender=sender
    )
    assert faults == ()


@pytest.mark.parametrize("direction", Direction)
def test_a_map_gives_the_example_back(template: TemplateDefinition, direction: Direction) -> None:
    example = example_envelope(template)
    made = xml.parse(_converted(template, direction, example))
    given = xml.parse(example)
    if direction is Direction.OUT:
        assert made == given
    else:
        assert made.roles == given.roles
        written = {item.name for document in made.documents for item in document.items}
        assert {"serial", "signed", "total"} < written


def test_the_map_keeps_several_values(template: TemplateDefinition) -> None:
    several = example_envelope(template).replace(b">notes</field>", b"><value>a</value><value>b</value></field>")
    made = xml.parse(_converted(template, Direction.OUT, several))
    assert made.field_values("d'1", "notes") == ("a", "b")
