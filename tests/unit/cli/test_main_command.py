import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from reconciler.cli.examples import example
from reconciler.cli.main import COMMANDS, main
from reconciler.errors import NotFoundError


def every_command(command: click.Command, context: click.Context) -> Iterator[tuple[str, click.Command, click.Context]]:
    """Yield a command and those below it, each with the words that call it."""
    yield context.command_path, command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            part = command.get_command(context, name)
            assert part is not None
            yield from every_command(part, click.Context(part, info_name=name, parent=context, terminal_width=78))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


class TestCommandLine:
    def test_version(self) -> None:
        result = run("--version")
        assert (result.exit_code, result.stdout) == (0, "reconciler 0.1.0\n")

    @pytest.mark.parametrize("arguments", [["nonsense"], ["plan", "--nonsense"], ["--config", "/nowhere", "plan"], []])
    def test_a_wrong_one_exits_with_64(self, arguments: list[str]) -> None:
        result = run(*arguments)
        assert result.exit_code == 64
        assert result.stdout == ""
        assert "Usage: reconciler" in result.stderr

    @pytest.mark.parametrize(
        ("typed", "says"),
        [("plam", "Did you mean 'plan'?"), ("roll-back", "Did you mean 'rollback'?"), ("zzz", "--help")],
    )
    def test_a_mistyped_command_is_answered_with_the_near_one(self, typed: str, says: str) -> None:
        assert f"There is no command '{typed}'." in run(typed).stderr
        assert says in run(typed).stderr

    @pytest.mark.parametrize("option", ["--config", "--state"])
    def test_an_option_of_the_program_behind_the_command_is_told_its_place(self, option: str) -> None:
        result = run("plan", option, "elsewhere")
        assert result.exit_code == 64
        assert result.stderr.endswith(f"Error: {option} goes before the command: reconciler {option} …\n")

    def test_help_says_what_every_command_does(self) -> None:
        result = run("--help")
        words = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines() if line.startswith("  ")}
        assert result.exit_code == 0
        assert all(words[name] for name in COMMANDS)

    def test_every_option_is_described_and_every_command_in_a_line(self) -> None:
        for path, command, context in every_command(
            main, click.Context(main, info_name="reconciler", terminal_width=78)
        ):
            for option in command.params:
                assert not isinstance(option, click.Option) or option.help, f"{path} {option.name}"
            if isinstance(command, click.Group):
                assert "..." not in command.get_help(context).partition("Commands:")[2], path


class TestFailures:
    """What the machine refuses is said in a line: what, where, and why."""

    @pytest.fixture
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        (tmp_path / "reconciler.yaml").write_text("version: 1\n")
        monkeypatch.chdir(tmp_path)
        return tmp_path

    def test_a_file_that_cannot_be_written(self, folder: Path) -> None:
        result = run("plan", "--out", "nowhere/plan.json")
        assert (result.exit_code, result.stderr) == (1, "Error: nowhere/plan.json: No such file or directory\n")

    def test_a_database_that_is_none(self, folder: Path) -> None:
        (folder / ".reconciler").mkdir()
        (folder / ".reconciler" / "state.db").write_bytes(bytes(range(256)) * 16)
        for command in ("plan", "status"):
            result = run(command)
            assert (result.exit_code, result.stdout) == (1, "")
            assert result.stderr == "Error: The store's database cannot be used: file is not a database\n"

    def test_a_url_that_is_none_shows_no_password(self, folder: Path) -> None:
        result = run("--state", "postgresql://edi:hidden@db.example.com:port/edi", "plan")
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == "Error: The store's URL is none; write postgresql://USER@HOST:PORT/DATABASE\n"

    def test_a_driver_that_is_not_installed(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delitem(sys.modules, "reconciler.store.pipelining", raising=False)
        monkeypatch.setitem(sys.modules, "psycopg", None)
        result = run("--state", "postgresql://db.example.com/edi", "plan")
        mend = "A store in PostgreSQL needs psycopg: pip install 'reconciler[postgresql]'"
        assert (result.exit_code, result.stderr) == (1, f"Error: {mend}\n")


class TestInit:
    def test_writes_the_starter_into_a_new_folder(self, tmp_path: Path) -> None:
        folder = tmp_path / "new"
        result = run("init", str(folder))
        assert result.exit_code == 0, result.output
        assert (folder / "reconciler.yaml").read_bytes() == (example("starter") / "reconciler.yaml").read_bytes()
        assert f"cd {folder}" in result.stdout

    def test_editors_find_the_schema_of_every_file(self, tmp_path: Path) -> None:
        run("init", str(tmp_path))
        files = list(tmp_path.rglob("*.yaml"))
        assert len(files) > 1
        for file in files:
            mark, _, schema = file.read_text().splitlines()[0].partition("$schema=")
            assert mark == "# yaml-language-server: "
            assert (file.parent / schema).resolve().is_relative_to(tmp_path / "schemas")
            assert (file.parent / schema).is_file()

    def test_refuses_a_folder_that_is_not_empty(self, tmp_path: Path) -> None:
        (tmp_path / "mine.txt").write_text("mine")
        result = run("init", str(tmp_path))
        assert result.exit_code == 1
        assert result.stderr == f"Error: {tmp_path} is not empty. Name a folder that is new or empty.\n"
        assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]

    def test_an_example_that_is_not_there(self) -> None:
        with pytest.raises(NotFoundError, match="The example nonsense is not part of this installation"):
            example("nonsense")
