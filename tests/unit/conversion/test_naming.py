"""Name patterns, as SPEC.md lists their tokens."""

from datetime import UTC, datetime
from itertools import islice
from uuid import UUID

import pytest

from reconciler.conversion import naming
from reconciler.envelope.xml import Document, Envelope, Field, FieldGroup, Value
from reconciler.errors import ConversionError
from reconciler.model.template_ref import TemplateRef

MAILBOX = UUID("11111111-1111-4111-8111-111111111111")
ENVELOPE = UUID("22222222-2222-4222-8222-222222222222")
TEMPLATE = UUID("33333333-3333-4333-8333-333333333333")
NOW = datetime(2026, 3, 9, 14, 5, 7, 120000, tzinfo=UTC)
TYPES = {("d1", "number"): "text", ("d1", "file"): "file", ("d1", "empty"): "number", ("d1", "many"): "text"}


def _field(name: str, *texts: str) -> Field:
    return Field(name, tuple(Value(text) for text in texts))


ITEMS = (
    _field("number", "INV 1/7"),
    _field("empty"),
    _field("blank", "  "),
    _field("dots", "..secret"),
    _field("many", "a", "", "b"),
    _field('odd "name}', "x"),
    _field("long", "y" * 300),
    _field("file", "scan.pdf"),
    FieldGroup("positions"),
)


def _name(pattern: str, *, typed: bool = False) -> str:
    envelope = Envelope(
        template=TemplateRef(uuid=TEMPLATE, version=TEMPLATE), documents=(Document("d1", ITEMS), Document("d2"))
    )
    parsed = naming.parse(pattern)
    return naming.render(
        parsed,
        texts=envelope.field_texts(parsed.fields),
        mailbox_uuid=MAILBOX,
        envelope_uuid=ENVELOPE,
        template_uuid=TEMPLATE,
        now=NOW,
        random_number=4711,
        types=(lambda document, name: TYPES.get((document, name))) if typed else None,
    )


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        (naming.DEFAULT_PATTERN, f"{ENVELOPE}.xml"),
        ("{mailboxUuid}_{templateUuid}_{randomNumber}.edi", f"{MAILBOX}_{TEMPLATE}_4711.edi"),
        ('INV_{"d1":"number"}_{date yyyyMMdd}.xml', "INV_INV 1_7_20260309.xml"),
        ("{date DDMMYYYY}.xml", "09032026.xml"),
        ("{date yyyy-MM-dd_HH-mm-ss}.xml", "2026-03-09_14-05-07.xml"),
        ("{date d.M.yy h-m a SSS EEE MMM}.xml", "9.3.26 2-5 PM 120 Mon Mar.xml"),
        ("{date yyyyMMdd'T'HHmmss''}.xml", "20260309T140507'.xml"),
        ('{"d1":"dots"}.xml', "__secret.xml"),
        ('a{"d1":"dots"}.xml', "a..secret.xml"),
        ('{"d1":"many"}.xml', "a_b.xml"),
        ('{ "d1" : "number" }.xml', "INV 1_7.xml"),
        ('{"d1":"odd \\"name}"}.xml', "x.xml"),
        ('x{"d1":"empty"}{"d1":"blank"}{"d2":"nothing"}.xml', "x.xml"),
        ('{"d1":"empty"}{randomNumber}', "4711"),
    ],
)
def test_the_tokens_of_a_pattern_are_replaced(pattern: str, name: str) -> None:
    assert _name(pattern) == name


@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        ('{"d1":"empty"}', "filename_empty"),
        ('{"d1":"empty"}{"d1":"blank"}.xml', "filename_empty"),
        ('{"d1":"long"}.xml', "filename_too_long"),
        ('{"d1":"positions"}.xml', "filename_field"),
    ],
)
def test_an_envelope_that_gives_no_name_is_refused(pattern: str, code: str) -> None:
    with pytest.raises(ConversionError) as refused:
        _name(pattern)
    assert refused.value.code == code


def test_the_template_tells_which_fields_can_be_in_a_name() -> None:
    assert _name('{"d1":"number"}.xml', typed=True) == "INV 1_7.xml"
    for pattern in ('{"d1":"file"}.xml', '{"d1":"unknown"}.xml'):
        with pytest.raises(ConversionError) as refused:
            _name(pattern, typed=True)
        assert refused.value.code == "filename_field"


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("", "character 1: it is empty"),
        ("a/b.xml", "character 2: '/' cannot be in a name"),
        ("a\tb", r"character 2: '\t' cannot be in a name"),
        (".xml", "character 1: a name does not begin with a dot"),
        ("a{envelopeUuid", "character 2: the { is not closed"),
        ("a}b", "character 2: '}' closes nothing"),
        ("{uuid}", "character 1: there is no {uuid}; there are {mailboxUuid}"),
        ("{date}", "character 1: the date needs a format"),
        ("{date yyyy/MM}", "character 1: the date format yyyy/MM has what cannot be in a name"),
        ("x{date yyyyWW}", "character 2: WW is not part of a date format"),
        ("x{date yyyy'}", "character 2: the date format yyyy' has an apostrophe that is not closed"),
        ('{"d1"}', 'character 1: a field is written {"documentId":"fieldName"}'),
        ('{"d1":1}', 'character 1: a field is written {"documentId":"fieldName"}, both in quotes'),
    ],
)
def test_a_mistake_in_a_pattern_is_named_with_its_place(pattern: str, reason: str) -> None:
    with pytest.raises(ValueError, match="name pattern") as refused:
        naming.parse(pattern)
    assert reason in str(refused.value)


@pytest.mark.parametrize("char", list("\\/:?*<>|\x00\n"))
def test_what_must_not_be_in_a_name_is_an_error_in_text_and_replaced_in_values(char: str) -> None:
    with pytest.raises(ValueError, match="cannot be in a name"):
        naming.parse(f"a{char}b")
    envelope = Envelope(
        template=TemplateRef(uuid=TEMPLATE, version=TEMPLATE),
        documents=(Document("d1", (_field("number", f"a{char}b"),)),),
    )
    name = naming.render(
        naming.parse('{"d1":"number"}'),
        texts=envelope.field_texts([("d1", "number")]),
        mailbox_uuid=MAILBOX,
        envelope_uuid=ENVELOPE,
        template_uuid=TEMPLATE,
        now=NOW,
        random_number=1,
    )
    assert name == "a_b"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "INV.1.xml",
            [
                "INV.1.xml",
                "INV.1_2026-03-09_14-05-07.xml",
                "INV.1_2026-03-09_14-05-07_2.xml",
                "INV.1_2026-03-09_14-05-07_3.xml",
            ],
        ),
        ("plain", ["plain", "plain_2026-03-09_14-05-07", "plain_2026-03-09_14-05-07_2", "plain_2026-03-09_14-05-07_3"]),
    ],
)
def test_a_taken_name_gets_the_time_and_then_a_number(name: str, expected: list[str]) -> None:
    assert list(islice(naming.alternatives(name, NOW), 4)) == expected
