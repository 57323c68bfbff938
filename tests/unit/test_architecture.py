"""The rules of the house that a program can check."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# A migration is written by a program, in one piece.
MODULES = sorted(path for path in (ROOT / "reconciler").rglob("*.py") if "versions" not in path.parts)


def test_imports_go_down_only() -> None:
    # In a process of its own: it turns off every logger that is there.
    command = [str(Path(sys.executable).with_name("lint-imports")), "--config", "pyproject.toml", "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_file_past_400_lines_is_two_files() -> None:
    lengths = {str(module): len(module.read_text().splitlines()) for module in MODULES}
    assert {module: length for module, length in lengths.items() if length > 400} == {}


def test_names_come_from_the_domain() -> None:
    vague = {"utils", "helpers", "common", "manager"}
    assert [module for module in MODULES if vague & set(module.relative_to(ROOT).with_suffix("").parts)] == []
