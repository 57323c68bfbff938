"""The commands of docs/as2.md are run, one after the other, beside a gateway."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from tests.acceptance.running_gateway import RunningGateway
from tests.ports import free_port

ROOT = Path(__file__).parents[2]


def test_the_commands_of_the_page_work(tmp_path: Path) -> None:
    gateway = RunningGateway(tmp_path / "quickstart")
    partner_port = str(free_port())
    for account in ("acme", "globex"):
        gateway.edit(f"accounts/{account}.yaml", "127.0.0.1:8090", f"127.0.0.1:{partner_port}")
    command = tmp_path / "bin" / "reconciler"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m reconciler "$@"\n')
    command.chmod(0o700)
    environment = {**os.environ, "PATH": f"{command.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    page = (ROOT / "docs/as2.md").read_text()
    page = page.replace("127.0.0.1:8080", f"127.0.0.1:{gateway.http_port}")
    page = page.replace("as2 simulate", f"as2 simulate --listen 127.0.0.1:{partner_port}")
    shell = "set -e\n" + "\n".join(re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL))
    try:
        gateway.apply()
        gateway.start()
        with (tmp_path / "output").open("wb") as output:
            process = subprocess.Popen(
                ["sh", "-c", shell],
                cwd=gateway.folder,
                env=environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            code = process.wait(280)
    finally:
        # The simulated partner, which the page leaves running.
        os.killpg(process.pid, signal.SIGTERM)
        gateway.close()
    said = (tmp_path / "output").read_text()
    assert code == 0, said
    assert said.count("confirmed") == 2
    assert (gateway.folder / "gateway.cer").read_bytes()[:1] == b"\x30"
    assert "4712" in (gateway.folder / "received/ORDER_4712.csv").read_text()
