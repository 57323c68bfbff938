"""Coverage-guided fuzzing of the sources: whatever bytes come, there is XML that a parser accepts, or one reason.

    pip install '.[test]'
    python -m tests.fuzz edifact -max_total_time=60 -rss_limit_mb=1024

What follows the source's name is for libFuzzer. It begins with the cases of tests/cases/conversion. XML is read by two
parsers, one that checks and one that converts: they have to agree on what it says. Of a spreadsheet what begins with
`<` is the sheet of a workbook, since few damaged archives get as far as being read.
"""

import sys
import tempfile
import zipfile
from collections.abc import Iterator
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import get_args

import atheris

with atheris.instrument_imports(include=["reconciler"]):
    from reconciler.conversion import xml_input
    from reconciler.conversion.sources import to_xml
    from reconciler.conversion.xslt import Saxon
    from reconciler.errors import ConversionError
    from reconciler.model.rule import SourceFormat

from lxml import etree

CASES = Path(__file__).parents[1] / "cases" / "conversion"
LARGEST = 1 << 16
WORKBOOK = CASES / "spreadsheet" / "orders.xlsx"
SHEET = "xl/worksheets/sheet1.xml"


def corpus(source: SourceFormat) -> Iterator[Path]:
    """Yield the files that the fuzzing of a source begins with."""
    if source == "xml":
        yield from CASES.rglob("source.xml")
        yield from CASES.rglob("document.xml")
        yield from (CASES / "hostile" / "sources").glob("*.xml")
    else:
        yield from (case for case in (CASES / source).glob("*") if case.suffix not in {".error", ".xml"})


def packed(sheet: bytes) -> bytes:
    """Return the workbook of the cases with another sheet in it."""
    target = BytesIO()
    with zipfile.ZipFile(WORKBOOK) as workbook, zipfile.ZipFile(target, "w") as other:
        for name in workbook.namelist():
            other.writestr(name, sheet if name == SHEET else workbook.read(name))
    return target.getvalue()


def convert(source: SourceFormat, payload: bytes) -> None:
    """Convert a file to XML, which has to be well-formed."""
    if source == "spreadsheet" and payload.startswith(b"<"):
        payload = packed(payload)
    try:
        xml = to_xml(payload, file_name="file", declared=source)
    except ConversionError:
        return
    etree.fromstring(xml)


def read_twice(saxon: Saxon, payload: bytes) -> None:
    """Read XML as it is checked, and as it is converted."""
    try:
        xml = xml_input.in_utf8(payload, what="file", code="xml")
        node = saxon.node(xml.decode().removeprefix("\ufeff"))
        checked = etree.fromstring(to_xml(payload, file_name="file", declared="xml"))
    except ConversionError:
        return
    text = "".join(map(str, checked.itertext(etree.Element)))
    if node.string_value != text:
        raise AssertionError(f"checked as {text!r}, converted as {node.string_value!r}")


def main() -> None:
    """Fuzz the source that the first argument names, until libFuzzer's options or a fault end it."""
    formats: tuple[SourceFormat, ...] = get_args(SourceFormat)
    named = sys.argv.pop(1)
    source = next((known for known in formats if known == named), None)
    if source is None:
        sys.exit(f"name a source: {', '.join(formats)}")
    target = partial(read_twice, Saxon(lambda: "")) if source == "xml" else partial(convert, source)
    with tempfile.TemporaryDirectory() as folder:
        for number, case in enumerate(corpus(source)):
            if case.stat().st_size <= LARGEST:
                (Path(folder) / f"{number}-{case.name}").write_bytes(case.read_bytes())
        if source == "spreadsheet":
            (Path(folder) / "sheet").write_bytes(zipfile.ZipFile(WORKBOOK).read(SHEET))
        # Parsers of other making tell nothing of what they covered: without this, XML would be fuzzed from nothing.
        atheris.Setup([*sys.argv, "-keep_seed=1", folder], target)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
