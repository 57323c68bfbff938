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


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_past_400_lines_is_two_files(module: Path) -> None:
    assert len(module.read_text().splitlines()) <= 400


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_come_from_the_domain(module: Path) -> None:
    assert not {"utils", "helpers", "common", "manager"} & set(module.relative_to(ROOT).with_suffix("").parts)
