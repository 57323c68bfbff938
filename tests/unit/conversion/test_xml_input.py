"""XML from outside."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.conversion.xml_input import XmlFaultError, in_utf8, is_plain, parse, text_of


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        b"<a>",
        b"<a></b>",
        b"<a>&b;</a>",
        b"<!DOCTYPE a><a/>",
        b"<!DOCTYPE a SYSTEM 'file:///etc/hostname'><a/>",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        b"<a>" * 300 + b"</a>" * 300,
        "<?xml version='1.0' encoding='utf-16'?><!DOCTYPE a><a/>".encode("utf-16"),
        b"<?xml version='1.0' encoding='no-such'?><a/>",
        b"<a>\xff</a>",
        b"<a><b:c/></a>",
        b"<a:/>\xff",
    ],
)
def test_what_cannot_or_must_not_be_read_is_refused_by_name(content: bytes) -> None:
    for read in (parse, in_utf8):
        with pytest.raises(XmlFaultError, match=r"^the source") as caught:
            read(content, what="the source", code="source_xml")
        assert caught.value.code == "source_xml"


DEEP = b"<a>" * 257 + b"</a>" * 257
TAGS = [
    b"<a>",
    b"</a>",
    b"<b/>",
    b"x",
    b"<a>" * 60,
    b"</a>" * 60,
    b" " * 1000,
    b"<!-- c -->",
    b"<?p?>",
    b"<![CDATA[</a>]]>",
]


@given(st.lists(st.sampled_from(TAGS), max_size=60).map(b"".join))
def test_what_is_plain_is_not_deep_and_every_parser_reads_all_of_it(content: bytes) -> None:
    content = b"<r>" + content + b"</r>"
    if is_plain(content):
        deepest = depth = 0
        for tag in re.findall(rb"</?[ab]/?>", content):
            depth += 1 - 2 * tag.startswith(b"</") - tag.endswith(b"/>")
            deepest = max(deepest, depth)
        assert deepest <= 256
        assert b"<!" not in content
        assert b"<?" not in content


@pytest.mark.parametrize(
    "content",
    [b"<a/>", b'<?xml version="1.0" encoding="UTF-8"?>\n<a b="!">?</a>', b"<a>" + b"<b>text</b>" * 9999 + b"</a>"],
)
def test_most_xml_is_plain(content: bytes) -> None:
    assert is_plain(content)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        DEEP,
        b"<a>" + b" " * 5000 + DEEP + b"</a>",
        b"<!DOCTYPE a><a/>",
        b"<?xml version='1.0'?> <!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        b"<?xml version='1.0'?><?p?><a/>",
        b"<a><!-- --></a>",
        b"<a><![CDATA[</a>]]></a>",
        b"<?xml version='1.1'?><a/>",
        b"<?xml version='1.0' encoding='utf-7'?><a/>",
        "<!DOCTYPE a><a/>".encode("utf-16"),
        "<!DOCTYPE a><a/>".encode("utf-16-le"),
        "<!DOCTYPE a><a/>".encode("utf-32-be"),
        b"\xef\xbb\xbf<a/>",
        b"<a>" + b" " * (1 << 20) + b"</a>",
    ],
)
def test_whatever_else_is_left_to_a_parser(content: bytes) -> None:
    assert not is_plain(content)


def test_a_fault_says_where() -> None:
    with pytest.raises(XmlFaultError) as caught:
        parse(b"<a>\n  <b></c>\n</a>", what="order.xml", code="x")
    assert str(caught.value) == "order.xml, line 2, column 10: Opening and ending tag mismatch: b line 2 and c"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "windows-1252"])
def test_xml_of_any_encoding_comes_out_in_utf8(encoding: str) -> None:
    declared = "utf-8" if encoding == "utf-8-sig" else encoding
    content = f'<?xml version="1.0"\n encoding="{declared}"?>\n<a>Söhne</a>'.encode(encoding)
    assert b"\n<a>S\xc3\xb6hne</a>" in in_utf8(content, what="a", code="x")
    assert text_of(content, parse(content, what="a", code="x")) == "\n\n<a>Söhne</a>"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_says_the_encoding_where_no_declaration_does(encoding: str) -> None:
    assert (
        in_utf8("<a>Söhne</a>".encode(encoding), what="a", code="b").decode().removeprefix("\ufeff") == "<a>Söhne</a>"
    )
