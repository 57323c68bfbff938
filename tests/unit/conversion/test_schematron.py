"""Schematron: each folder of the cases is a schema, a document, and what the one says of the other.

A line in parentheses is a warning. `error.txt` is the error instead. `schema.xsl` is what somebody compiled.
"""

from pathlib import Path

import pytest
from lxml import etree

from reconciler.conversion.rule_file import RuleFile
from reconciler.conversion.validation import compile_validation
from reconciler.conversion.xslt import Saxon
from reconciler.errors import ConversionError

CASES = Path(__file__).parents[2] / "cases" / "conversion" / "schematron"


@pytest.fixture(scope="module")
def saxon() -> Saxon:
    return Saxon(lambda: "")


def told(saxon: Saxon, case: Path) -> str:
    contents = {str(path.relative_to(case)): path.read_bytes() for path in case.rglob("*") if path.is_file()}
    (schema,) = (name for name in contents if name.startswith("schema."))
    try:
        validate = compile_validation(RuleFile(schema, contents), saxon)
        findings = validate(etree.ElementTree(etree.fromstring((case / "document.xml").read_bytes())))
    except ConversionError as error:
        return f"{error.code}: {error}\n"
    return "".join(f"{finding}\n" if finding.refuses else f"({finding})\n" for finding in findings)


@pytest.mark.parametrize("case", sorted(CASES.iterdir()), ids=lambda case: case.name)
def test_a_schema_says_of_a_document_what_its_case_expects(saxon: Saxon, case: Path) -> None:
    (expected,) = (path for path in case.iterdir() if path.name in {"expected.txt", "error.txt"})
    assert told(saxon, case) == expected.read_text()
