"""The commands that docs/api.md and docs/operations.md show are run, on a gateway that runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.running_gateway import RunningGateway
from tests.acceptance.test_readmes import ROOT, blocks


@pytest.mark.parametrize("page", ["api.md", "operations.md"])
def test_its_commands_work(gateway: RunningGateway, page: str) -> None:
    commands = blocks((ROOT / "docs" / page).read_text())
    assert commands, "the page shows no command"
    command = gateway.folder / ".bin" / "reconciler"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m reconciler "$@"\n')
    command.chmod(0o700)
    environment = {
        **os.environ,
        "PATH": f"{command.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "GATEWAY": f"http://127.0.0.1:{gateway.http_port}",
        "no_proxy": "*",
    }
    # In one shell, as a reader's: what is exported stays.
    done = subprocess.run(
        ["sh", "-e", "-c", "\n".join(commands)],
        cwd=gateway.folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"


def test_every_setting_that_the_manual_shows_is_one(tmp_path: Path) -> None:
    from reconciler.desired.gateway import ProjectDocument
    from reconciler.desired.yaml_files import read_documents

    text = (ROOT / "docs" / "operations.md").read_text()
    shown = [part.partition("```")[0] for part in text.split("```yaml\n")[1:]]
    assert len(shown) >= 4
    for number, block in enumerate(shown):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "reconciler.yaml").write_text(f"version: 1\n{block}")
        documents, problems = read_documents(folder, "reconciler.yaml")
        assert problems == []
        ProjectDocument.model_validate(documents[0].data)
