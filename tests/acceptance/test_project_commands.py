"""A user's own project, from nothing to what is live, by the commands that its user types."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from reconciler.cli.main import main

ORDERS = "accounts.company.mailboxes.orders"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    assert run("init", str(folder)).exit_code == 0
    monkeypatch.chdir(folder / "accounts")
    return folder


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(main, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_from_init_to_no_changes(project: Path) -> None:
    validated = run("validate")
    assert validated.stdout == "The configuration is valid: 1 account, 1 mailbox, 1 rule, 1 template.\n"
    assert run("plan", "--detailed-exitcode").exit_code == 2
    assert not (project / ".reconciler").exists()
    applied = run("apply", "--auto-approve")
    assert applied.exit_code == 0, applied.stderr
    assert "Plan: 5 to add, 0 to change, 0 to destroy. 3 credentials will be generated.\n" in applied.stdout
    again = run("plan", "--detailed-exitcode")
    assert (again.exit_code, again.stdout) == (0, "No changes. Live state matches the configuration.\n")
    assert run("apply", "--auto-approve").stdout == again.stdout


def test_what_was_applied_can_be_seen(project: Path) -> None:
    run("apply", "--auto-approve")
    live = {item["address"]: item for item in json.loads(run("show", "-o", "json").stdout)}
    login = run("credentials", "show", ORDERS, "--field", "login").stdout
    assert live[ORDERS]["uuid"] == login
    assert live[f"{ORDERS}.integration"]["resource"]["enabled"] is False
    assert run("show", f"{ORDERS}x").exit_code == 1
    assert run("log", "list").stderr == "Nothing was converted yet.\n"
    assert run("envelope", "list").stderr == "No envelope was sent yet.\n"


def test_a_password_is_made_once_and_again_only_on_demand(project: Path) -> None:
    def password() -> str:
        return run("credentials", "show", ORDERS, "--field", "password").stdout

    applied = run("apply", "--auto-approve")
    first = password()
    assert len(first) >= 27  # 160 bits, six to the character
    assert first not in applied.output + run("show", "-o", "json").output
    run("apply", "--auto-approve")
    assert password() == first
    run("credentials", "rotate", ORDERS)
    second = password()
    assert second != first
    accounts = project / "accounts" / "company.yaml"
    accounts.write_text(
        re.sub(r"( +)integration:.*\n", r"\g<0>\1  sftp: {password_generation: 2}\n", accounts.read_text())
    )
    raised = run("apply", "--auto-approve")
    assert "will be generated anew" in raised.stdout, raised.output
    assert password() not in {first, second}


def test_a_mistake_is_shown_at_its_place_and_nothing_is_written(project: Path) -> None:
    accounts = project / "accounts" / "company.yaml"
    accounts.write_text(accounts.read_text().replace("    name: ", "    nam: ", 1))
    for command in (["validate"], ["plan"], ["apply", "--auto-approve"]):
        result = run(*command)
        assert (result.exit_code, result.stdout) == (1, "")
        assert re.match(r"accounts/company\.yaml:\d+:5: error: unknown key 'nam'", result.stderr), result.stderr
        assert "did you mean 'name'?" in result.stderr
    problem = json.loads(run("validate", "-o", "json").stdout)["problems"][0]
    assert (problem["file"], problem["code"], problem["suggestion"]) == ("accounts/company.yaml", "unknown-key", "name")
    assert not (project / ".reconciler").exists()


def test_another_folder_is_named_by_an_option(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    outside = run("validate")
    assert outside.exit_code == 1
    assert "there is no reconciler.yaml in /" in outside.stderr
    assert run("--config", str(project), "validate").exit_code == 0


def test_schemas_are_written_for_editors(project: Path) -> None:
    assert run("schema", str(project / "schemas")).exit_code == 0
    schema = json.loads((project / "schemas" / "accounts.json").read_text())
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
