"""The rules of the house that a program can check."""

from pathlib import Path

import pytest
from importlinter import cli

ROOT = Path(__file__).parents[2]
# A migration is written by a program, in one piece.
MODULES = sorted(path for path in (ROOT / "reconciler").rglob("*.py") if "versions" not in path.parts)


def test_imports_go_down_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert cli.lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == cli.EXIT_STATUS_SUCCESS


def test_a_file_past_400_lines_is_two_files() -> None:
    lengths = {str(module): len(module.read_text().splitlines()) for module in MODULES}
    assert {module: length for module, length in lengths.items() if length > 400} == {}


def test_names_come_from_the_domain() -> None:
    vague = {"utils", "helpers", "common", "manager"}
    assert [module for module in MODULES if vague & set(module.relative_to(ROOT).with_suffix("").parts)] == []
