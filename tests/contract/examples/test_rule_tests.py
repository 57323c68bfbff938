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
    assert [case.get("name") for case in suite] == ["ORDERS_4711.edi", "no delivery date", "order-4711.xml"]
    assert not (folder / ".reconciler" / "state.db").exists()


def test_a_difference_is_shown_as_a_diff_of_canonical_xml(folder: Path) -> None:
    expected = folder / "tests" / "order-4711.xml"
    expected.write_text(
        expected.read_text().replace(">245.75<", ">245.70<").replace("<message/>", "<message></message>")
    )
    result = run(folder, "accounts.acme", "--junit", str(folder / "junit.xml"))
    assert result.exit_code == 1
    assert "FAILED  accounts.acme.mailboxes.orders.rules.orders-from-edifact  ORDERS_4711.edi\n" in result.stdout
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
    # What means the same stays as its author wrote it.
    expected.write_bytes(before.replace(b"<order number", b"<order   number"))
    assert run(folder, "accounts.globex", "--update").stdout.endswith("1 test, 0 failed, 0 written.\n")


def test_an_error_that_does_not_come_or_is_another_fails(folder: Path) -> None:
    accounts = folder / "accounts" / "acme.yaml"
    text = accounts.read_text()
    accounts.write_text(text.replace("ORDERS_4717", "ORDERS_4716"))
    assert "converted, but expected to fail: field_missing" in run(folder).stdout
    accounts.write_text(text.replace("expect_error: field_missing", "expect_error: value_mistyped"))
    assert "failed: d1/delivery date: the field is required and not filled (field_missing)" in run(folder).stdout


def test_tests_of_one_name_are_told_apart(folder: Path) -> None:
    accounts = folder / "accounts" / "acme.yaml"
    accounts.write_text(accounts.read_text().replace("name: no delivery date", "name: ORDERS_4711.edi"))
    lines = run(folder, "accounts.acme").stdout.splitlines()
    assert [line.rpartition("  ")[2] for line in lines] == [
        "ORDERS_4711.edi",
        "ORDERS_4711.edi #2",
        "2 tests, 0 failed.",
    ]


def test_what_is_expected_stands_inside_the_configuration(folder: Path) -> None:
    accounts = folder / "accounts" / "acme.yaml"
    accounts.write_text(accounts.read_text().replace("expect: ../tests", "expect: ../../elsewhere"))
    result = run(folder)
    assert result.exit_code == 1
    assert "'../../elsewhere/order-4711.xml' is outside the configuration's folder" in result.stderr
    assert "accounts/acme.yaml:40:61" in result.stderr


class TestWhatTheLiveRuleHas:
    """A rule's tests are applied with it."""

    @pytest.fixture
    def applied(self, folder: Path) -> Path:
        assert self.command(folder, "apply", "--auto-approve").exit_code == 0
        return folder

    def command(self, folder: Path, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["--config", str(folder), *arguments])

    def test_a_plan_shows_what_a_test_expects_now_and_none_after_applying(self, applied: Path) -> None:
        assert self.command(applied, "plan").stdout.startswith("No changes.")
        expected = applied / "tests" / "order-4711.xml"
        expected.write_text(expected.read_text().replace(">245.75<", ">245.70<"))
        plan = self.command(applied, "plan").stdout
        assert "tests.ORDERS_4711.edi.expect:  order-4711.xml (" in plan
        assert "0 to add, 2 to change, 0 to destroy" in plan  # another rule's test converts this file back
        assert self.command(applied, "apply", "--auto-approve").exit_code == 0
        assert self.command(applied, "plan").stdout.startswith("No changes.")
        failing = run(applied, "--live", "accounts.acme")
        assert failing.exit_code == 1
        assert "what came out differs" in failing.stdout

    def test_what_is_not_written_yet_is_no_part_of_it(self, applied: Path) -> None:
        (applied / "tests" / "ORDER_4711.xml").unlink()
        assert "tests.order-4711.xml" in self.command(applied, "plan").stdout
        assert self.command(applied, "apply", "--auto-approve").exit_code == 0
        assert run(applied, "--live").stdout.endswith("2 tests, 0 failed.\n")
        run(applied, "--update")
        assert "tests.order-4711.xml" in self.command(applied, "plan").stdout

    def test_it_is_dumped_with_its_files(self, applied: Path, tmp_path: Path) -> None:
        assert self.command(applied, "dump", str(tmp_path / "dumped")).exit_code == 0
        assert run(tmp_path / "dumped").stdout.endswith("3 tests, 0 failed.\n")

    def test_the_live_map_runs_not_the_one_of_the_files(self, applied: Path) -> None:
        (applied / "maps" / "orders-out.xsl").write_text((applied / "maps" / "order-in.xsl").read_text())
        assert run(applied, "accounts.acme.mailboxes.orders").exit_code == 1
        assert run(applied, "accounts.acme.mailboxes.orders", "--live").exit_code == 0
