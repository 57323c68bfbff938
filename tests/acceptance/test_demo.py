"""`reconciler demo`, as a new user runs it."""

import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest


def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "reconciler", "demo", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)


def test_every_step_holds_while_the_usual_ports_are_taken(tmp_path: Path) -> None:
    with ExitStack() as stack:
        for port in (25, 2222, 8080):
            # Another may have it; at 25 an ordinary user may not listen, and then nobody's gateway does.
            with suppress(OSError):
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
        done = demo("--into", str(tmp_path / "demo"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Every step holds." in done.stdout
    assert done.stdout.count("✓") == 15
    assert (tmp_path / "demo" / "reconciler.yaml").exists()


def test_a_folder_that_is_not_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    refused = demo("--into", str(tmp_path))
    assert refused.returncode == 1
    assert "is not empty" in refused.stderr
    assert (tmp_path / "mine").read_text() == "precious"


def test_a_step_that_does_not_hold_is_named_and_ends_it_with_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONCILER_KEY", "not a key")
    failed = demo("--into", str(tmp_path / "demo"))
    assert failed.returncode == 1
    assert "✗ apply: The key is not usable" in failed.stdout
