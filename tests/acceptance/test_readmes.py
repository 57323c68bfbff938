"""The commands that READMEs show are run, as a reader would."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import require_program

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guide.md"
NEEDS = {"cluster": {"haproxy": "haproxy", "pg_ctlcluster": "postgresql"}}
"""The programs that an example needs, and the packages that have them."""

FOLDERS = sorted(path.parent for path in (ROOT / "examples").glob("*/README.md"))


def blocks(text: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def in_a_network_of_its_own(*command: str) -> list[str]:
    """Have a command find the ports free that examples name, where there is the right to make networks."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "--net", "true"], check=False).returncode:
        return list(command)
    require_program("ip", package="iproute2")
    return ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", *command]


def run(script: str, folder: Path) -> str:
    """Run a script in a folder and return what it writes; `reconciler` is this interpreter's, installed or not."""
    command = folder / ".bin" / "reconciler"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m reconciler "$@"\n')
    command.chmod(0o700)
    done = subprocess.run(
        in_a_network_of_its_own("sh", "-ex", "-c", script),
        cwd=folder,
        env={
            **os.environ,
            "PATH": f"{command.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_the_commands_of_an_example_work(folder: Path, tmp_path: Path) -> None:
    for program, package in NEEDS.get(folder.name, {}).items():
        require_program(program, package=package)
    copy = tmp_path / folder.name
    shutil.copytree(folder, copy)
    commands = blocks((folder / "README.md").read_text())
    assert commands, "the README shows no command"
    for block in commands:
        shutil.rmtree(copy / ".bin", ignore_errors=True)
        run(block, copy)


def test_the_commands_of_the_guide_work(tmp_path: Path) -> None:
    require_program("git", package="git")
    said = run("\n".join(blocks(GUIDE.read_text())), tmp_path)
    for expected in (
        "No changes. Live state matches the configuration.",
        "accounts.company.mailboxes.orders.json.age",
        "WRITTEN  accounts.company.mailboxes.orders.rules.orders-from-xml  an order",
        "1 of 1 file would fail",
        "### Plan: 0 to add, 1 to change, 0 to destroy.",
        "    accounts.supplier",
        "Suspended: accounts.supplier until",
        "    name:  My company → My company, live",
    ):
        assert expected in said
