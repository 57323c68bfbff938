"""The commands of docs/sftp.md are run, one after the other, beside a gateway."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.acceptance.running_gateway import RunningGateway
from tests.conftest import require_program

ROOT = Path(__file__).parents[2]


def test_the_commands_of_the_page_work(tmp_path: Path) -> None:
    require_program("sftp", package="openssh-client")
    gateway = RunningGateway(tmp_path / "quickstart")
    command = tmp_path / "bin" / "reconciler"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m reconciler "$@"\n')
    command.chmod(0o700)
    environment = {**os.environ, "PATH": f"{command.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    page = (ROOT / "docs/sftp.md").read_text().replace("2222", str(gateway.sftp_port))
    shell = "set -e\n" + "\n".join(re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL))
    try:
        gateway.apply()
        gateway.start()
        done = subprocess.run(
            ["sh", "-c", shell],
            cwd=gateway.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
    finally:
        gateway.close()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SHA256:" in done.stdout
    assert "coutbox" in done.stdout
    assert "%Capacity" in done.stdout
