"""Maps run: each folder of the cases is a map, its source, the gateway's answers, and what must come of it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from reconciler.conversion.rule_file import RuleFile
from reconciler.conversion.xslt import Ran, Saxon, StylesheetError, encoded
from reconciler.errors import ConversionError

CASES = Path(__file__).parents[2] / "cases" / "conversion"
PARAMETERS = {"SENDER_MAILBOX": "sender", "TEMPLATE_UUID": "template", "TEMPLATE_VERSION": "version"}
FUNCTIONS = 'xmlns:wd="java:com.whitedoc.xslt.extensions.WdExtensions" xmlns:uuid="java:java.util.UUID"'


@pytest.fixture(scope="module")
def saxon() -> Saxon:
    return Saxon(lambda: "")


def rule_file(folder: Path, main: str = "map.xsl") -> RuleFile:
    contents = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.x[sm]l")}
    return RuleFile(main, contents)


def stylesheet(body: str, declarations: str = "", version: str = "3.0") -> RuleFile:
    text = (
        f'<xsl:stylesheet version="{version}" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" {FUNCTIONS}'
        f' exclude-result-prefixes="#all">{declarations}<xsl:template match="/">{body}</xsl:template></xsl:stylesheet>'
    )
    return RuleFile("map.xsl", {"map.xsl": text.encode()})


def nothing_asked(asked: Sequence[str]) -> Mapping[str, str | None]:
    raise AssertionError(asked)


def run(saxon: Saxon, file: RuleFile, source: str = "<order/>") -> Ran:
    return saxon.compile(file).run(saxon.node(source), PARAMETERS, nothing_asked)


def outcome(saxon: Saxon, case: Path) -> bytes | ConversionError:
    answers = json.loads((case / "answers.json").read_text()) if (case / "answers.json").exists() else {}
    try:
        compiled = saxon.compile(rule_file(case))
        source = saxon.node((case / "source.xml").read_text())
        ran = compiled.run(source, PARAMETERS, lambda asked: {question: answers[question] for question in asked})
        return encoded(ran.text, compiled.output)
    except ConversionError as error:
        return error


@pytest.mark.parametrize("case", sorted((CASES / "xslt").iterdir()), ids=lambda case: case.name)
def test_a_map_gives_what_its_case_expects(saxon: Saxon, case: Path) -> None:
    result = outcome(saxon, case)
    if isinstance(result, ConversionError):
        code, _, reason = (case / "error.txt").read_text().strip().partition(": ")
        assert result.code == code
        # Where a running map fails is written to standard error, which a worker process reads and a test does not.
        assert code == "map_failed" or str(result) == reason
    else:
        expected = next(case.glob("expected.*")).read_bytes().strip()
        assert result.removeprefix(b'<?xml version="1.0" encoding="UTF-8"?>').strip() == expected


def test_every_call_makes_another_uuid_and_attachments_are_those_in_the_result(saxon: Saxon) -> None:
    ran = run(
        saxon,
        stylesheet(
            "<xsl:variable name='unused' select='wd:createAttachementWithSourceFile()'/>"
            "<a><xsl:for-each select='1 to 500'><b c='{wd:createAttachementWithSourceFile()}' d='{uuid:randomUUID()}'/>"
            "</xsl:for-each></a>"
        ),
    )
    assert len(set(ran.attachments)) == 500
    assert all(uuid in ran.text for uuid in ran.attachments)
    assert ran.text.count("00000000-0000-4000-8000-") == 0


def test_two_runs_never_make_the_same_uuid(saxon: Saxon) -> None:
    file = stylesheet("<a><xsl:value-of select='wd:createAttachementWithSourceFile()'/></a>")
    compiled, source = saxon.compile(file), saxon.node("<order/>")
    first, second = (compiled.run(source, {}, nothing_asked).attachments for _ in range(2))
    assert first != second


def test_one_chain_is_told_and_two_are_an_error(saxon: Saxon) -> None:
    chain = "<a><xsl:value-of select=\"wd:chainEnvelope('e-1')\"/>{}</a>"
    assert run(saxon, stylesheet(chain.format(""))).chain == "e-1"
    assert run(saxon, stylesheet("<a/>")).chain is None
    with pytest.raises(ConversionError, match="e-1, e-2") as caught:
        run(saxon, stylesheet(chain.format("<xsl:value-of select=\"wd:chainEnvelope('e-2')\"/>")))
    assert caught.value.code == "chain_ambiguous"


def test_nothing_of_one_run_is_left_for_the_next(saxon: Saxon) -> None:
    compiled = saxon.compile(
        stylesheet(
            "<a><xsl:message select='$SENDER_MAILBOX'/><xsl:value-of select='$SENDER_MAILBOX'/></a>",
            "<xsl:param name='SENDER_MAILBOX' select=\"'nobody'\"/>",
        )
    )
    source = saxon.node("<order/>")
    first = compiled.run(source, {"SENDER_MAILBOX": "Söhne"}, nothing_asked)
    second = compiled.run(source, {}, nothing_asked)
    assert (first.messages, second.messages) == (("Söhne",), ("nobody",))
    assert "<a>nobody</a>" in second.text


def test_messages_of_rounds_before_the_last_are_dropped(saxon: Saxon) -> None:
    file = stylesheet("<a><xsl:message select=\"'seen ' || wd:getMailboxUuidByAlias('x')\"/></a>")
    ran = saxon.compile(file).run(saxon.node("<order/>"), {}, lambda asked: dict.fromkeys(asked, "m-1"))
    assert ran.messages == ("seen m-1",)


def test_all_errors_of_a_map_are_told_in_the_order_of_lines(saxon: Saxon) -> None:
    with pytest.raises(StylesheetError) as caught:
        saxon.compile(stylesheet("<a>\n<xsl:value-of select='1 to'/>\n<xsl:value-of select='$none'/></a>"))
    assert [fault.line for fault in caught.value.faults] == [2, 3]


def test_a_stylesheet_that_is_not_xml_or_has_a_doctype_is_refused(saxon: Saxon) -> None:
    for text in (b"<a", b"<!DOCTYPE a><a/>", b""):
        with pytest.raises(ConversionError) as caught:
            saxon.compile(RuleFile("map.xsl", {"map.xsl": text}))
        assert caught.value.code == "stylesheet_invalid"


def test_a_stylesheet_may_be_in_another_encoding_and_keeps_its_lines(saxon: Saxon) -> None:
    text = stylesheet("\n\n<a>é<xsl:value-of select='$none'/></a>").content.decode()
    for encoding in ("iso-8859-1", "utf-16"):
        content = f'<?xml version="1.0"\n encoding="{encoding}"?>\n{text}'.encode(encoding)
        with pytest.raises(StylesheetError) as caught:
            saxon.compile(RuleFile("map.xsl", {"map.xsl": content}))
        assert [fault.line for fault in caught.value.faults] == [5]
    result = text.replace("<xsl:value-of select='$none'/>", "")
    content = f'<?xml version="1.0" encoding="iso-8859-1"?>{result}'.encode("iso-8859-1")
    assert "<a>é</a>" in run(saxon, RuleFile("map.xsl", {"map.xsl": content})).text


@pytest.mark.parametrize("case", sorted((CASES / "hostile").glob("*.xsl")), ids=lambda case: case.stem)
def test_a_hostile_map_reaches_nothing(saxon: Saxon, case: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.xml"
    secret.write_text('<secret x="stolen">stolen</secret>')
    content = case.read_text().replace("SECRET", secret.as_uri()).encode()
    try:
        compiled = saxon.compile(RuleFile("map.xsl", {"map.xsl": content}))
        text = compiled.run(saxon.node("<order/>"), {}, lambda asked: dict.fromkeys(asked, "m-1")).text
    except ConversionError as error:
        text = str(error)
    assert "stolen" not in text
    assert "<envelope>" not in text


def test_html_says_the_encoding_that_it_is_in(saxon: Saxon) -> None:
    html = stylesheet(
        "<html><head><title>é</title></head><body>€</body></html>", "<xsl:output method='html' encoding='iso-8859-1'/>"
    )
    compiled = saxon.compile(html)
    made = encoded(compiled.run(saxon.node("<a/>"), {}, nothing_asked).text, compiled.output)
    assert b"charset=iso-8859-1" in made
    assert b"<title>\xe9</title>" in made
    assert b"&#8364;" in made


def test_html_5_says_the_encoding_that_it_is_in(saxon: Saxon) -> None:
    html = stylesheet(
        "<html><head/><body>é€</body></html>",
        "<xsl:output method='html' html-version='5' encoding='windows-1252'/>",
    )
    compiled = saxon.compile(html)
    made = encoded(compiled.run(saxon.node("<a/>"), {}, nothing_asked).text, compiled.output)
    assert b'charset="windows-1252"' in made
    assert b"<body>\xe9\x80</body>" in made


def test_a_document_is_handed_over_once_however_often_it_is_read(saxon: Saxon) -> None:
    codes = b"<codes>" + b"code" * 875_000 + b"</codes>"
    reading = stylesheet("<xsl:value-of select=\"string-length(doc('codes.xml'))\"/>," * 100)
    ran = run(saxon, RuleFile("map.xsl", {**reading.contents, "codes.xml": codes}))
    assert ran.text.endswith("3500000," * 100)


def test_a_stylesheet_that_is_one_element_reads_documents_up_to_a_size(saxon: Saxon) -> None:
    def element(times: int) -> bytes:
        reading = b"<xsl:value-of select='doc(\"codes.xml\")'/>" * times
        return b'<a xsl:version="3.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">' + reading + b"</a>"

    assert "<a>4</a>" in run(saxon, RuleFile("map.xsl", {"map.xsl": element(1), "codes.xml": b"<c>4</c>"})).text
    codes = b"<codes>" + b"code" * 875_000 + b"</codes>"
    with pytest.raises(ConversionError, match="included so often"):
        saxon.compile(RuleFile("map.xsl", {"map.xsl": element(20), "codes.xml": codes}))
