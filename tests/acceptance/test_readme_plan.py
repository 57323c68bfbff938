"""The YAML of the README yields the plan of the README."""

import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from reconciler.cli.main import main

ROOT = Path(__file__).parents[2]


def test_the_yaml_yields_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = (ROOT / "README.md").read_text()
    yaml, plan = (
        re.findall(rf"^```{kind}\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)[0] for kind in ("yaml", "text")
    )
    (tmp_path / "maps").mkdir()
    shutil.copy(ROOT / "examples" / "quickstart" / "maps" / "orders-out.xsl", tmp_path / "maps")
    (tmp_path / "reconciler.yaml").write_text(yaml)
    monkeypatch.chdir(tmp_path)
    shown = CliRunner().invoke(main, ["plan"])
    assert shown.exit_code == 0, shown.output
    assert shown.stdout == plan
