"""Coverage-guided fuzzing of the sources: whatever bytes come, there is XML that a parser accepts, or one reason.

    pip install '.[fuzz]'
    python -m tests.fuzz edifact -max_total_time=60 -rss_limit_mb=1024

What follows the source's name is for libFuzzer. It begins with the cases of tests/cases/conversion. XML is read by two
parsers, one that checks and one that converts: they have to agree on what it says.
"""

import sys
import tempfile
from collections.abc import Iterator
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


def corpus(source: SourceFormat) -> Iterator[Path]:
    """Yield the files that the fuzzing of a source begins with."""
    if source == "xml":
        yield from CASES.rglob("source.xml")
        yield from CASES.rglob("document.xml")
        yield from (CASES / "hostile" / "sources").glob("*.xml")
    else:
        yield from (case for case in (CASES / source).glob("*") if case.suffix not in {".error", ".xml"})


def main() -> None:
    """Fuzz the source that the first argument names, until libFuzzer's options or a fault end it."""
    formats: tuple[SourceFormat, ...] = get_args(SourceFormat)
    named = sys.argv.pop(1)
    source = next((known for known in formats if known == named), None)
    if source is None:
        sys.exit(f"name a source: {', '.join(formats)}")
    saxon = Saxon(lambda: "")

    def convert(payload: bytes) -> None:
        try:
            xml = to_xml(payload, file_name="file", declared=source)
        except ConversionError:
            return
        etree.fromstring(xml)

    def read_twice(payload: bytes) -> None:
        try:
            xml = xml_input.in_utf8(payload, what="file", code="xml")
            node = saxon.node(xml.decode().removeprefix("\ufeff"))
            checked = etree.fromstring(to_xml(payload, file_name="file", declared="xml"))
        except ConversionError:
            return
        text = "".join(map(str, checked.itertext()))
        if node.string_value != text:
            raise AssertionError(f"checked as {text!r}, converted as {node.string_value!r}")

    with tempfile.TemporaryDirectory() as folder:
        for number, case in enumerate(corpus(source)):
            if case.stat().st_size <= LARGEST:
                (Path(folder) / f"{number}-{case.name}").write_bytes(case.read_bytes())
        atheris.Setup([*sys.argv, folder], read_twice if source == "xml" else convert)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
