"""Every file under tests/cases/conversion that has an expectation beside it: FILE.expected.xml, or FILE.error."""

from pathlib import Path

import pytest
from lxml import etree

from reconciler.conversion.sources import to_xml
from reconciler.errors import ConversionError

CASES = Path(__file__).parents[3] / "cases" / "conversion"
FOLDERS = ("edifact", "x12", "csv", "json", "spreadsheet")


def _with(suffix: str) -> list[Path]:
    return sorted(file for folder in FOLDERS for file in (CASES / folder).glob(f"*{suffix}"))


def _indented(xml: bytes) -> str:
    root = etree.fromstring(xml)
    etree.indent(root)
    return etree.tostring(root, encoding="unicode")


@pytest.mark.parametrize("expected", _with(".expected.xml"), ids=lambda file: f"{file.parent.name}/{file.name}")
def test_a_file_becomes_this_xml(expected: Path) -> None:
    source = expected.with_name(expected.name.removesuffix(".expected.xml"))
    assert _indented(to_xml(source.read_bytes(), file_name=source.name)) == _indented(expected.read_bytes())


@pytest.mark.parametrize("expected", _with(".error"), ids=lambda file: f"{file.parent.name}/{file.name}")
def test_a_malformed_file_is_refused_with_this_reason(expected: Path) -> None:
    source = expected.with_name(expected.name.removesuffix(".error"))
    with pytest.raises(ConversionError) as refused:
        to_xml(source.read_bytes(), file_name=source.name)
    assert f"{refused.value.code}\n{refused.value}\n" == expected.read_text()
