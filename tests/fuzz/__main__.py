"""Coverage-guided fuzzing of the sources: whatever bytes come, there is XML that a parser accepts, or one reason.

    pip install '.[fuzz]'
    python -m tests.fuzz edifact -max_total_time=60 -rss_limit_mb=1024

What follows the source's name is for libFuzzer. It begins with the cases of tests/cases/conversion.
"""

import sys
import tempfile
from pathlib import Path
from typing import get_args

import atheris

with atheris.instrument_imports(include=["reconciler"]):
    from reconciler.conversion.sources import to_xml
    from reconciler.errors import ConversionError
    from reconciler.model.rule import SourceFormat

from lxml import etree

CASES = Path(__file__).parents[1] / "cases" / "conversion"


def main() -> None:
    """Fuzz the source that the first argument names, until libFuzzer's options or a fault end it."""
    formats: tuple[SourceFormat, ...] = get_args(SourceFormat)
    named = sys.argv.pop(1)
    source = next((known for known in formats if known == named), None)
    if source is None:
        sys.exit(f"name a source: {', '.join(formats)}")

    def convert(payload: bytes) -> None:
        try:
            xml = to_xml(payload, file_name="file", declared=source)
        except ConversionError:
            return
        etree.fromstring(xml)

    with tempfile.TemporaryDirectory() as corpus:
        for case in (CASES / source).glob("*"):
            if case.suffix not in {".error", ".xml"}:
                (Path(corpus) / case.name).write_bytes(case.read_bytes())
        atheris.Setup([*sys.argv, corpus], convert)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
