"""The envelope's XML, read and written."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.envelope.element import MAX_BYTES, MAX_ELEMENTS
from reconciler.envelope.xml import (
    Document,
    Envelope,
    EnvelopeState,
    Field,
    FieldGroup,
    Fieldset,
    Forwarding,
    Role,
    Status,
    Value,
    parse,
)
from reconciler.envelope.xml_writing import to_xml
from reconciler.errors import ConversionError
from reconciler.model.template_ref import TemplateRef

TEMPLATE = TemplateRef(
    uuid=UUID("1997a1b4-88e3-4f58-88ca-fcd2c6fb5869"), version=UUID("4a303734-a118-44a2-aedf-67df61612628")
)
SELLER, BUYER = UUID(int=1), UUID(int=2)

FULL = f"""<envelope templateUuid="{TEMPLATE.uuid}" templateVersion="{TEMPLATE.version}"
    created="2026-02-03T12:22:52.709Z" chainUuid="{UUID(int=9)}">
  <flow><roles>
    <role id="seller" mailboxUuid="{SELLER}" completed="true"/>
    <role id="buyer" mailboxUuid="{BUYER}" active="true"/>
  </roles></flow>
  <documents><document id="d1">
    <field name="number">4711</field>
    <field name="supplier" recordUuid="{UUID(int=3)}">Globex</field>
    <field name="tags"><value>a</value><value>b</value></field>
    <field name="empty"/>
    <fieldgroup name="positions">
      <fieldset index="0"><field name="quantity">1</field></fieldset>
      <fieldset index="4"><field name="scan" attachmentUuid="{UUID(int=4)}">scan.pdf</field></fieldset>
    </fieldgroup>
  </document></documents>
  <info><subject>Order 4711</subject><message/><forwarding delegation="true" sharing="0"/><expire afterDays="5"/></info>
  <state><status>SENT</status><date>
    2026-02-03T13:22:52+01:00
  </date><roleId>seller</roleId><message>off it goes</message></state>
</envelope>"""


def envelope_xml(*, attributes: str = "", inside: str = "") -> bytes:
    head = f'templateUuid="{TEMPLATE.uuid}" templateVersion="{TEMPLATE.version}" {attributes}'
    return f"<envelope {head}>{inside}</envelope>".encode()


class TestRead:
    def test_everything_is_read_in_whatever_order_it_stands(self) -> None:
        moment = datetime(2026, 2, 3, 12, 22, 52, tzinfo=UTC)
        assert parse(FULL.encode()) == Envelope(
            template=TEMPLATE,
            created=moment + timedelta(milliseconds=709),
            chain_uuid=UUID(int=9),
            state=EnvelopeState(Status.SENT, moment, "seller", "off it goes"),
            subject="Order 4711",
            forwarding=Forwarding(delegation=True, sharing=False),
            expire=5,
            documents=(
                Document(
                    "d1",
                    (
                        Field("number", (Value("4711"),)),
                        Field("supplier", (Value("Globex", record_uuid=UUID(int=3)),)),
                        Field("tags", (Value("a"), Value("b"))),
                        Field("empty"),
                        FieldGroup(
                            "positions",
                            (
                                Fieldset(0, (Field("quantity", (Value("1"),)),)),
                                Fieldset(4, (Field("scan", (Value("scan.pdf", attachment_uuid=UUID(int=4)),)),)),
                            ),
                        ),
                    ),
                ),
            ),
            roles=(Role("seller", SELLER, completed=True), Role("buyer", BUYER, active=True)),
        )

    def test_the_least_envelope_is_a_draft_without_anything(self) -> None:
        assert parse(envelope_xml()) == Envelope(template=TEMPLATE)

    def test_what_a_map_did_not_find_is_absent(self) -> None:
        inside = '<flow><roles><role id="buyer" mailboxUuid=""/></roles></flow><state><status/><date> </date></state>'
        envelope = parse(envelope_xml(attributes='created=""', inside=inside))
        assert envelope.roles == (Role("buyer"),)
        assert envelope.state == EnvelopeState()
        assert envelope.created is None

    def test_fieldsets_without_index_are_counted(self) -> None:
        rows = '<fieldgroup name="t"><fieldset/><fieldset/></fieldgroup>'
        envelope = parse(envelope_xml(inside=f'<documents><document id="d1">{rows}</document></documents>'))
        assert envelope.documents[0].items == (FieldGroup("t", (Fieldset(0), Fieldset(1))),)

    def test_attributes_of_other_namespaces_are_nobodys_business(self) -> None:
        attributes = 'xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:noNamespaceSchemaLocation="envelope.xsd"'
        assert parse(envelope_xml(attributes=attributes)) == Envelope(template=TEMPLATE)

    def test_comments_do_not_cut_values(self) -> None:
        inside = '<documents><document id="d"><field name="f">1<!-- and -->2</field></document></documents>'
        assert parse(envelope_xml(inside=inside)).field_values("d", "f") == ("12",)


class TestRefuse:
    @pytest.mark.parametrize(
        ("xml", "message"),
        [
            (b"", "line 1: not well-formed XML: Document is empty"),
            (b"<order/>", "order is not the expected root element envelope"),
            (b"<envelope/>", "envelope needs the attribute templateUuid, a UUID"),
            (b'<!DOCTYPE envelope [<!ENTITY e "x">]><envelope/>', "a DOCTYPE is not allowed"),
            (envelope_xml(attributes='created="soon"'), "says 'soon', which is no date and time of ISO 8601"),
            (envelope_xml(attributes='chainUuid="1"'), "has the attribute chainUuid '1', which is no UUID"),
            (envelope_xml(attributes='uuid="1"'), "envelope has the unknown attribute uuid"),
            (envelope_xml(inside="<doc/>"), "doc does not belong inside envelope; expected state, info"),
            (envelope_xml(inside="text"), "envelope has text that does not belong to an element inside it"),
            (envelope_xml(inside="<info/><info/>"), "info stands twice inside envelope"),
            (
                envelope_xml(inside="<state><status>GONE</status></state>"),
                "state has the status 'GONE'; there are DRAFT",
            ),
            (
                envelope_xml(inside="<info><subject><b/></subject></info>"),
                "b does not belong inside subject, which holds",
            ),
            (
                envelope_xml(inside='<info><expire afterDays="1" after="2026-01-01"/></info>'),
                "has both afterDays and after",
            ),
            (envelope_xml(inside='<info><expire afterDays="-1"/></info>'), "'-1', which is no whole number from 0"),
            (envelope_xml(inside='<info><forwarding sharing="yes"/></info>'), "'yes', which is neither true nor false"),
            (envelope_xml(inside="<info><forwarding><b/></forwarding></info>"), "b does not belong inside forwarding"),
            (envelope_xml(inside='\n<documents>\n<document id=" "/></documents>'), "line 3: document needs the attr"),
            (
                envelope_xml(
                    inside='<documents><document id="d"><fieldgroup name="t"><fieldset index="1"/><fieldset/>'
                    "</fieldgroup></document></documents>"
                ),
                "fieldgroup t has two fieldsets of the same index",
            ),
            (
                envelope_xml(
                    inside='<documents><document id="d">'
                    f'<field name="f" recordUuid="{SELLER}" attachmentUuid="{BUYER}"/></document></documents>'
                ),
                "field has both recordUuid and attachmentUuid",
            ),
        ],
    )
    def test_the_message_says_what_and_where(self, xml: bytes, message: str) -> None:
        with pytest.raises(ConversionError, match=r"^envelope, line \d+: ") as caught:
            parse(xml)
        assert message in str(caught.value)
        assert caught.value.code == "envelope_xml"

    @pytest.mark.parametrize(
        ("xml", "message"),
        [
            (b"<a>" * 100_000, "Excessive depth"),
            (b"<!DOCTYPE e SYSTEM 'file:///etc/passwd'><envelope/>", "a DOCTYPE is not allowed"),
            ('<!DOCTYPE e [<!ENTITY a "b">]><envelope a="&a;"/>'.encode("utf-16"), "a DOCTYPE is not allowed"),
            (b"<a>" + b"<a/>" * MAX_ELEMENTS + b"</a>", "has more than 500000 elements"),
            (b"<a " + b" ".join(b'a%d=""' % number for number in range(65)) + b"/>", "has more than 64 attributes"),
            (b"<a>" + b" " * MAX_BYTES + b"</a>", "67108864 are allowed"),
        ],
        ids=["deep", "external", "other encoding", "elements", "attributes", "bytes"],
    )
    def test_hostile_files_are_refused(self, xml: bytes, message: str) -> None:
        with pytest.raises(ConversionError, match=message):
            parse(xml)

    @given(st.binary(max_size=200))
    def test_any_bytes_are_an_envelope_or_an_error(self, xml: bytes) -> None:
        with pytest.raises(ConversionError):
            parse(xml)


uuids = st.uuids()
moments = st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], include_characters="\t\n\r"), max_size=8)
texts = texts.filter(lambda text: not set(text) & {"\ufffe", "\uffff"})
names = texts.filter(str.strip)
values = st.builds(Value, texts) | st.builds(Value, texts, uuids) | st.builds(Value, texts, st.none(), uuids)
fields = st.builds(Field, names, st.lists(values, max_size=2).map(tuple))
groups = st.builds(
    FieldGroup,
    names,
    st.lists(
        st.builds(Fieldset, st.integers(0, 99), st.lists(fields, max_size=2).map(tuple)),
        max_size=2,
        unique_by=lambda fieldset: fieldset.index,
    ).map(tuple),
)
flags = st.none() | st.booleans()
envelopes = st.builds(
    Envelope,
    template=st.just(TEMPLATE),
    created=st.none() | moments,
    chain_uuid=st.none() | uuids,
    state=st.builds(EnvelopeState, st.sampled_from(Status), st.none() | moments, texts.map(str.strip), texts),
    subject=texts,
    message=texts,
    forwarding=st.none() | st.builds(Forwarding, st.booleans(), st.booleans()),
    expire=st.none() | st.integers(0, 999_999_999) | moments,
    documents=st.lists(st.builds(Document, names, st.lists(fields | groups, max_size=2).map(tuple)), max_size=2).map(
        tuple
    ),
    roles=st.lists(st.builds(Role, names, st.none() | uuids, flags, flags), max_size=2).map(tuple),
)


class TestWrite:
    @given(envelopes)
    def test_what_is_written_reads_back_equal_and_is_stable(self, envelope: Envelope) -> None:
        xml = to_xml(envelope)
        assert parse(xml) == envelope
        assert to_xml(parse(xml)) == xml

    def test_the_form_is_fixed(self) -> None:
        xml = to_xml(
            Envelope(
                template=TEMPLATE,
                created=datetime(2026, 2, 3, 12, tzinfo=UTC),
                documents=(Document("d1", (Field("number", (Value("4711"),)), Field("empty"))),),
                roles=(Role("seller", SELLER, active=True),),
            )
        )
        assert xml.decode() == (
            "<?xml version='1.0' encoding='UTF-8'?>\n"
            f'<envelope templateUuid="{TEMPLATE.uuid}" templateVersion="{TEMPLATE.version}"'
            ' created="2026-02-03T12:00:00Z">\n'
            "  <state>\n    <status>DRAFT</status>\n    <date/>\n    <roleId/>\n    <message/>\n  </state>\n"
            "  <info>\n    <subject/>\n    <message/>\n  </info>\n"
            '  <documents>\n    <document id="d1">\n      <field name="number">4711</field>\n'
            '      <field name="empty"/>\n    </document>\n  </documents>\n'
            f'  <flow>\n    <roles>\n      <role id="seller" mailboxUuid="{SELLER}" active="true"/>\n'
            "    </roles>\n  </flow>\n</envelope>\n"
        )

    def test_a_text_that_xml_cannot_hold_is_refused(self) -> None:
        with pytest.raises(ValueError, match="XML cannot hold"):
            to_xml(Envelope(template=TEMPLATE, subject="\0"))


class TestQuestions:
    def test_the_first_role_sends_and_each_other_mailbox_receives_once(self) -> None:
        roles = (Role("a", SELLER), Role("b", BUYER), Role("c"), Role("d", SELLER), Role("e", BUYER))
        envelope = Envelope(template=TEMPLATE, roles=roles)
        assert envelope.sender == SELLER
        assert envelope.recipients == (BUYER, SELLER)
        assert Envelope(template=TEMPLATE).sender is None

    def test_values_of_a_field_are_those_of_its_document_outside_tables(self) -> None:
        envelope = parse(FULL.encode())
        assert envelope.field_values("d1", "tags") == ("a", "b")
        assert envelope.field_values("d1", "empty") == ()
        assert envelope.field_values("d2", "tags") == ()
        assert envelope.field_values("d1", "quantity") == ()

    def test_a_new_state_replaces_all_of_the_old(self) -> None:
        moment = datetime(2026, 3, 1, tzinfo=UTC)
        envelope = parse(FULL.encode()).with_state(Status.CANCELLED, date=moment, message="We take orders only")
        assert envelope.state == EnvelopeState(Status.CANCELLED, moment, "", "We take orders only")
        assert envelope.subject == "Order 4711"


@pytest.mark.parametrize(
    "field",
    [
        '<field name="a">x</field>',
        '<field name="a"/>',
        '<field name="a"> </field>',
        '<field name="a">x<!-- --></field>',
        '<field name="a"><value>x</value></field>',
        '<field name="a" recordUuid="">x</field>',
        f'<field name="a" recordUuid="{UUID(int=3)}">x</field>',
        '<field name=" ">x</field>',
        "<field>x</field>",
        '<field name="a" colour="red">x</field>',
        '<field name="a"><b/></field>',
        '<other name="a">x</other>',
        '<field xmlns="urn:a" name="a">x</field>',
        '<field name="a">x</field>stray',
        'stray<field name="a">x</field>',
    ],
)
def test_a_field_is_read_alike_in_and_outside_of_a_table(field: str) -> None:
    def read(before: str, after: str) -> "tuple[Field | FieldGroup | Fieldset, ...] | str":
        inside = f'<documents><document id="d">{before}{field}{after}</document></documents>'
        try:
            (item,) = parse(envelope_xml(inside=inside)).documents[0].items
        except ConversionError as error:
            return str(error).replace("fieldset", "document").replace("expected field, fieldgroup", "expected field")
        return item.fieldsets[0].fields if isinstance(item, FieldGroup) else (item,)

    assert read('<fieldgroup name="g"><fieldset>', "</fieldset></fieldgroup>") == read("", "")
