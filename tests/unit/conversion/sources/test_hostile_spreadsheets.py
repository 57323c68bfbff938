"""Workbooks that would take more memory than a machine has are refused before they are opened."""

import struct
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.conversion.sources import spreadsheet_package, to_xml
from reconciler.conversion.sources.xls_extent import largest_area
from reconciler.errors import ConversionError

SHEET = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{}</sheetData></worksheet>'
)


def _package(sheet: str, *, claimed_size: int | None = None) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", sheet)
    content = buffer.getvalue()
    if claimed_size is None:
        return content
    return content.replace(len(sheet.encode()).to_bytes(4, "little"), claimed_size.to_bytes(4, "little"))


def _code(payload: bytes) -> str:
    with pytest.raises(ConversionError) as refused:
        to_xml(payload, file_name="a.xlsx")
    return refused.value.code


@pytest.mark.parametrize(
    "rows",
    [
        '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>',
        "<row r='1'><c r='A1'/></row><row r='1048576'><c r = 'XFD1048576'/></row>",
        '<x:row r="1"><x:c r="A1"/></x:row><x:row r="1048576"><x:c r="XFD1048576"/></x:row>',
        "<row><c/></row>" * 3000 + "<row>" + "<c/>" * 3000 + "</row>",
    ],
)
def test_a_sheet_from_corner_to_corner(rows: str) -> None:
    assert _code(_package(SHEET.format(rows))) == "spreadsheet_too_large"


@pytest.mark.parametrize("claimed_size", [None, 100])
def test_a_bomb_whatever_size_it_states(monkeypatch: pytest.MonkeyPatch, claimed_size: int | None) -> None:
    monkeypatch.setattr(spreadsheet_package, "MOST_INFLATED", 100_000)
    assert _code(_package(SHEET.format(" " * 200_000), claimed_size=claimed_size)) == "spreadsheet_too_large"


def test_too_many_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheet_package, "MOST_PARTS", 0)
    assert _code(_package(SHEET)) == "spreadsheet_too_large"


def test_a_damaged_part() -> None:
    package = bytearray(_package(SHEET.format('<row r="1"><c r="A1"/></row>' * 50)))
    package[80:120] = b"\xff" * 40
    assert _code(bytes(package)) == "spreadsheet_syntax"


def test_a_zip_that_is_no_workbook() -> None:
    assert _code(_package(SHEET.format(""))) == "spreadsheet_syntax"


XLS = (Path(__file__).parents[3] / "cases" / "conversion" / "spreadsheet" / "orders.xls").read_bytes()


@pytest.mark.parametrize(
    ("record", "length", "content"),
    [
        (0x0200, 14, struct.pack("<IIHH", 0, 1048576, 0, 16384)),
        (0x0200, 14, struct.pack("<IIHH", 0, 0xFFFFFFFF, 0, 0xFFFF)),
        (0x00FD, 10, struct.pack("<HH", 65535, 255)),
    ],
)
def test_an_xls_from_corner_to_corner(record: int, length: int, content: bytes) -> None:
    at = XLS.index(struct.pack("<HH", record, length)) + 4
    assert _code(XLS[:at] + content + XLS[at + len(content) :]) == "spreadsheet_too_large"


def test_an_xls_of_which_a_chain_of_sectors_has_no_end() -> None:
    directory, table = (struct.unpack_from("<I", XLS, at)[0] for at in (48, 76))
    at = (table + 1) * 512 + directory * 4
    assert _code(XLS[:at] + struct.pack("<I", directory) + XLS[at + 4 :]) == "spreadsheet_syntax"
    # The chain of the table itself, when the header says that it is longer than fits in there.
    assert _code(XLS[:68] + struct.pack("<I", 0) + XLS[72:512] + struct.pack("<I", 0) * 128 + XLS[1024:]) == (
        "spreadsheet_syntax"
    )


def test_an_xls_is_measured() -> None:
    assert largest_area(XLS) == (3, 4)


@given(st.integers(0, len(XLS)), st.binary(max_size=8))
def test_a_damaged_xls_is_measured_or_not(at: int, content: bytes) -> None:
    rows, columns = largest_area(XLS[:at] + content + XLS[at + len(content) :])
    assert rows >= 0
    assert columns >= 0
    assert largest_area(XLS[:at])[0] >= 0
