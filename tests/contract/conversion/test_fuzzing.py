"""Coverage-guided fuzzing for a moment, so that it runs: `python -m tests.fuzz SOURCE` is for longer."""

import importlib.util
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from reconciler.model.rule import SourceFormat

ROOT = Path(__file__).parents[3]
HAS_WHEELS = platform.machine() == "x86_64" and sys.version_info < (3, 14)


@pytest.mark.parametrize("source", get_args(SourceFormat))
def test_what_a_fuzzer_thinks_of_becomes_a_result_or_a_reason(source: SourceFormat, tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:
        if os.environ.get("CI") and HAS_WHEELS:
            pytest.fail("atheris is not installed")
        pytest.skip("atheris is not installed: pip install atheris")
    options = ["-max_total_time=4", "-rss_limit_mb=1024", f"-artifact_prefix={tmp_path}/"]
    command = [sys.executable, "-m", "tests.fuzz", source, *options]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace", timeout=280, check=False)
    found = [path.read_bytes() for path in tmp_path.iterdir()]
    assert (ran.returncode, found) == (0, []), ran.stderr[-3000:]
