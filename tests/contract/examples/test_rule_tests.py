"""The tests beside the quickstart's rules, run by the command as users run them."""

import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from reconciler.cli.main import main

EXAMPLE = Path(__file__).parents[3] / "examples" / "quickstart"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / "quickstart"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns(".reconciler"))
    return copy


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--config", str(folder), "test", *arguments])


def test_they_pass(folder: Path) -> None:
    result = run(folder, "--junit", str(folder / "out" / "junit.xml"))
    assert result.exit_code == 0, result.output
    assert result.stdout.endswith("3 tests, 0 failed.\n")
    suite = ET.parse(folder / "out" / "junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("3", "0")
    assert [case.get("name") for case in suite] == ["ORDERS_4711.edi #1", "no delivery date", "order-4711.xml #1"]
    assert not (folder / ".reconciler" / "state.db").exists()


def test_a_difference_is_shown_as_a_diff_of_canonical_xml(folder: Path) -> None:
    expected = folder / "tests" / "order-4711.xml"
    expected.write_text(
        expected.read_text().replace(">245.75<", ">245.70<").replace("<message/>", "<message></message>")
    )
    result = run(folder, "accounts.acme", "--junit", str(folder / "junit.xml"))
    assert result.exit_code == 1
    assert "FAILED  accounts.acme.mailboxes.orders.rules.orders-from-edifact  ORDERS_4711.edi #1" in result.stdout
    changed = [line.strip("-+ ") for line in result.stdout.splitlines() if line[:2] in {"- ", "+ "}]
    assert changed == ['<field name="total">245.70</field>', '<field name="total">245.75</field>']
    failure = ET.parse(folder / "junit.xml").getroot().find("testcase/failure")
    assert failure is not None
    assert failure.get("message") == "what came out differs"


def test_update_writes_what_came_out(folder: Path) -> None:
    expected = folder / "tests" / "ORDER_4711.xml"
    before = expected.read_bytes()
    expected.unlink()
    missing = run(folder, "accounts.globex")
    assert missing.exit_code == 1
    assert "write it with: reconciler test --update" in missing.stdout
    assert run(folder, "accounts.globex", "--update").stdout.endswith("1 test, 0 failed, 1 written.\n")
    assert expected.read_bytes() == before


def test_an_error_that_does_not_come_or_is_another_fails(folder: Path) -> None:
    accounts = folder / "accounts" / "acme.yaml"
    text = accounts.read_text()
    accounts.write_text(text.replace("ORDERS_4717", "ORDERS_4716"))
    assert "converted, but expected to fail: field_missing" in run(folder).stdout
    accounts.write_text(text.replace("expect_error: field_missing", "expect_error: value_mistyped"))
    assert "failed: d1/delivery date: the field is required and not filled (field_missing)" in run(folder).stdout
