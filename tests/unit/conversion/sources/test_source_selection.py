"""Which format a file has."""

import pytest

from reconciler.conversion.sources import source, to_xml
from reconciler.errors import ConversionError
from reconciler.model.rule import SourceFormat

EDIFACT = b"UNB+UNOC:3+A+B+261121:1200+1'UNZ+0+1'"


@pytest.mark.parametrize(
    ("payload", "file_name", "content_type", "expected"),
    [
        (b"<a/>", "order.edi", "application/xml; charset=utf-8", "xml"),
        (b"<a/>", "order.xml", "application/octet-stream", "xml"),
        (b"", "ORDER.XLSX", "", "spreadsheet"),
        (b"", "order.xls", "application/vnd.ms-excel", "spreadsheet"),
        (b"", "order.csv", "", "csv"),
        (b"", "order.json", "", "json"),
        (b"", "order", "application/EDI-X12", "x12"),
        (EDIFACT, "order.edi", "", "edifact"),
        (b"\xef\xbb\xbf\r\n" + EDIFACT, "order", "text/plain", "edifact"),
        (b"UNA:+.? '", "order.dat", "", "edifact"),
        (b"ISA*00*", "order.edi", "", "x12"),
        (b"PK\x03\x04", "order", "", "spreadsheet"),
        (b' {"a": 1}', "order", "", "json"),
        (b"<a/>", "order", "", "xml"),
    ],
)
def test_content_type_goes_before_extension_and_extension_before_content(
    payload: bytes, file_name: str, content_type: str, expected: SourceFormat
) -> None:
    assert source.source_format(payload, file_name=file_name, content_type=content_type) == expected


def test_what_a_rule_declares_goes_before_everything() -> None:
    assert to_xml(EDIFACT, file_name="a.xml", content_type="text/xml", declared="edifact").count(b"<EDIFACT>") == 1


def test_a_format_that_nothing_tells_is_refused() -> None:
    with pytest.raises(ConversionError) as refused:
        to_xml(b"hello", file_name="order.txt")
    assert refused.value.code == "source_unknown"


def test_a_file_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MOST_BYTES", 3)
    with pytest.raises(ConversionError) as refused:
        to_xml(b"<a/>", file_name="a.xml")
    assert refused.value.code == "source_too_large"


@pytest.mark.parametrize(
    "payload",
    [
        b"<a>",
        b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
        b"<!DOCTYPE a><a/>",
        b"<a>" * 300 + b"</a>" * 300,
    ],
)
def test_xml_that_could_do_harm_is_refused(payload: bytes) -> None:
    with pytest.raises(ConversionError) as refused:
        to_xml(payload, file_name="a.xml")
    assert refused.value.code == "xml_syntax"


def test_xml_arrives_in_utf_8() -> None:
    assert to_xml("<?xml version='1.0' encoding='iso-8859-1'?><a>ä</a>".encode("latin-1"), file_name="a.xml") == (
        b"<?xml version='1.0' encoding='UTF-8'?>\n<a>\xc3\xa4</a>"
    )


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("text/csv; charset=iso-8859-2", '<cell col="1" name="a">ą</cell>'),
        ("text/csv; header=absent; charset=iso-8859-1", '<cell col="1">±</cell>'),
    ],
)
def test_a_content_type_declares_encoding_and_header_of_csv(content_type: str, expected: str) -> None:
    assert expected in to_xml(b"a,b\n\xb1,1\n", file_name="a.csv", content_type=content_type).decode()


def test_an_encoding_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConversionError) as refused:
        to_xml(b"a,b", file_name="a.csv", content_type="text/csv; charset=x-none")
    assert refused.value.code == "csv_charset"
