"""The commands that look at files alone: validate, fmt, explain, completion."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from reconciler.cli.main import main
from reconciler.desired.codes import Code

ROOT = "version: 1\n"
ACME = """\
version: 1
accounts:
  acme:
    mailboxes:
      orders: {name: "${who:-Orders}", integration: {notify_email: edi@acme.example}}
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "reconciler.yaml").write_text(ROOT)
    (tmp_path / "acme.yaml").write_text(ACME)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


class TestValidate:
    def test_says_what_is_in_it_and_warns(self, folder: Path) -> None:
        result = run("validate")
        assert (result.exit_code, result.stdout) == (0, "The configuration is valid: 1 account, 1 mailbox.\n")
        assert result.stderr.startswith("acme.yaml:5:54: warning: mail is to be sent here")
        assert run("validate", "--strict").exit_code == 1

    def test_problems_go_to_stderr_and_fail(self, folder: Path) -> None:
        (folder / "acme.yaml").write_text(ACME.replace("orders:", "or ders:"))
        result = run("validate")
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith("acme.yaml:5:7: error: 'or ders' is no name")

    def test_problems_as_data(self, folder: Path) -> None:
        (folder / "acme.yaml").write_text(ACME.replace("{name:", "{nam:"))
        result = run("validate", "-o", "json")
        assert result.exit_code == 1
        problem = {
            "path": "accounts.acme.mailboxes.orders.nam",
            "file": "acme.yaml",
            "line": 5,
            "column": 16,
            "code": "unknown-key",
            "message": "unknown key 'nam'",
            "suggestion": "name",
        }
        assert json.loads(result.stdout) == {"valid": False, "problems": [problem], "warnings": []}

    def test_problems_as_annotations_of_a_pull_request(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (folder / "acme.yaml").write_text(ACME.replace("{name:", "{nam:"))
        monkeypatch.setenv("GITHUB_WORKSPACE", str(folder.parent))
        result = run("validate", "-o", "github")
        assert result.exit_code == 1
        place = f"file={folder.name}/acme.yaml,line=5,col=16,title=unknown-key"
        assert result.stdout == f"::error {place}::unknown key 'nam' (did you mean 'name'?)\n"

    def test_a_mistake_in_the_root_file_is_annotated_too(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (folder / "reconciler.yaml").write_text("version: 2\n")
        monkeypatch.chdir(folder.parent)
        result = run("--config", folder.name, "validate", "-o", "github")
        place = f"file={folder.name}/reconciler.yaml,line=1,col=10,title=bad-value"
        assert (result.exit_code, result.stdout) == (1, f"::error {place}::expected 1, got the number 2\n")

    def test_a_mistake_in_the_root_file_hides_none_in_the_others(self, folder: Path) -> None:
        (folder / "reconciler.yaml").write_text("version: 2\n")
        (folder / "acme.yaml").write_text(ACME.replace("{name:", "{nam:"))
        said = run("validate").stderr
        assert "reconciler.yaml:1:10: error: expected 1" in said
        assert "acme.yaml:5:16: error: unknown key 'nam'" in said

    @pytest.mark.parametrize("arguments", [["--env", "prod", "validate"], ["validate", "--env", "prod"]])
    def test_an_environment_is_chosen_before_or_behind_the_command(self, folder: Path, arguments: list[str]) -> None:
        (folder / "environments").mkdir()
        (folder / "environments" / "prod.yaml").write_text("version: 1\nvars: {who: 7}\n")
        assert "environment prod" not in run(*arguments).stderr
        (folder / "environments" / "prod.yaml").write_text("version: 1\nvar: {}\n")
        assert "environments/prod.yaml:2:1: error: unknown key 'var'" in run(*arguments).stderr

    def test_the_environment_can_come_from_the_process(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RECONCILER_ENV", "prod")
        assert "there is no environment prod" in run("validate").stderr


class TestFmt:
    def test_formats_in_place_and_then_finds_nothing(self, folder: Path) -> None:
        (folder / "acme.yaml").write_text("version: 1   \naccounts:\n    acme: {}  # company\n\n\n")
        assert run("fmt", "--check").exit_code == 1
        result = run("fmt")
        assert (result.exit_code, result.stdout) == (0, f"Formatted {folder / 'acme.yaml'}\n")
        assert (folder / "acme.yaml").read_text() == "version: 1\naccounts:\n  acme: {}  # company\n"
        assert (run("fmt", "--check").exit_code, run("fmt").stdout) == (0, "")

    def test_what_is_no_yaml_is_named_and_left_alone(self, folder: Path) -> None:
        (folder / "acme.yaml").write_text("a: [1\n")
        result = run("fmt", str(folder / "acme.yaml"))
        assert result.exit_code == 1
        assert "it is not YAML" in result.stderr
        assert (folder / "acme.yaml").read_text() == "a: [1\n"


class TestExplain:
    def test_explains_every_code(self) -> None:
        for code in Code:
            assert run("explain", code.value).stdout == f"{code.value}\n\n{code.explanation}\n"
            assert f"{code.value}:" in run("explain").stdout

    def test_what_validate_names_is_explained(self, folder: Path) -> None:
        (folder / "acme.yaml").write_text("version: 2\nacounts: {}\n")
        _, _, command = run("validate").stderr.rstrip().rpartition("More: reconciler ")
        result = run(*command.split())
        assert result.exit_code == 0
        assert Code.UNKNOWN_KEY.explanation in result.stdout

    def test_a_misspelt_code_is_mended(self) -> None:
        result = run("explain", "unknown-kye")
        assert result.exit_code == 64
        assert "Did you mean unknown-key?" in result.stderr


class TestCompletion:
    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_writes_a_script_for_the_shell(self, shell: str) -> None:
        result = run("completion", shell)
        assert result.exit_code == 0
        assert f"_RECONCILER_COMPLETE={shell}_complete" in result.stdout

    def test_the_script_gets_the_commands(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("_RECONCILER_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", "reconciler va")
        monkeypatch.setenv("COMP_CWORD", "1")
        assert "plain,validate" in run().stdout
