import signal
import subprocess
import sys

import pytest

from reconciler.apply.lease import APPLY
from reconciler.errors import LeaseLostError
from tests.acceptance.reconciling.project import UserProject
from tests.acceptance.running_gateway import await_that


@pytest.fixture
def changed(applied: UserProject) -> UserProject:
    applied.edit("accounts/acme.yaml", "name: Acme orders\n", "name: Acme orders EU\n")
    return applied


def test_the_second_says_who_applies(changed: UserProject) -> None:
    workspace = changed.workspace()
    with workspace.alone(actor="ada", timeout=0):
        assert "ada on " in changed.run("lock", "status").stdout
        refused = changed.run("apply", "--auto-approve", "--lock-timeout", "0", exit_code=1)
        assert "ada on " in refused.stderr
        assert "has the lease on apply since " in refused.stderr
    workspace.close()
    assert changed.run("lock", "status").stderr == "No lease is held.\n"


def test_the_second_waits_and_plans_after_the_first(changed: UserProject) -> None:
    workspace = changed.workspace()
    with workspace.alone(actor="ada", timeout=0) as lease:
        second = subprocess.Popen(
            [sys.executable, "-m", "reconciler", "--config", str(changed.folder), "apply", "--auto-approve"],
            stdout=subprocess.PIPE,
            text=True,
        )
        desired = workspace.load()
        workspace.apply(workspace.plan(desired), desired, actor="ada", lease=lease)
    workspace.close()
    output, _ = second.communicate(timeout=60)
    assert output.startswith("No changes.")
    assert len(changed.json("history")) == 2


def test_one_whose_lease_was_taken_commits_nothing(changed: UserProject) -> None:
    workspace = changed.workspace()
    desired = workspace.load()
    with workspace.alone(actor="ada", timeout=0) as lease:
        changed.run("lock", "release")
        with pytest.raises(LeaseLostError):
            workspace.apply(workspace.plan(desired), desired, actor="ada", lease=lease)
    workspace.close()
    assert len(changed.json("history")) == 1
    changed.run("lock", "release", exit_code=1)


def test_a_signal_gives_the_lease_back(changed: UserProject) -> None:
    # There is nobody at a terminal here, so the command is told that there is.
    program = (
        "import sys\n"
        "from reconciler.cli import plan\n"
        "from reconciler.cli.main import main\n"
        "plan.has_terminal = lambda: True\n"
        "main(sys.argv[1:])\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, "--config", str(changed.folder), "apply"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    workspace = changed.workspace()
    await_that(lambda: [lease.name for lease in workspace.oversight.leases()] == [APPLY], "it asks, holding the lease")
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 128 + signal.SIGTERM
    assert process.stdin
    process.stdin.close()
    assert workspace.oversight.leases() == []
    workspace.close()
