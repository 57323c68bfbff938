"""examples/ci on a real repository: what its pipelines run, and the watcher beside them."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree.ElementTree import parse

import pyrage
import pytest
from ruamel.yaml import YAML

from tests.acceptance.running_gateway import await_that
from tests.acceptance.watch.test_watching_a_branch import ACME, by_hand
from tests.acceptance.watch.watched import LiveSide, Repository, Watcher

CI = Path(__file__).parents[3] / "examples" / "ci"
ROOT = Path(__file__).parents[3]


class Pipelines:
    """A host's runners: each run clones the branch that it is about."""

    def __init__(self, folder: Path, repository: Repository, state: Path) -> None:
        self._folder = folder
        self._repository = repository
        program = folder / "bin" / "reconciler"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m reconciler "$@"\n')
        program.chmod(0o700)
        self.environment = {
            **os.environ,
            "PATH": f"{program.parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "RECONCILER_STATE": str(state),
        }
        self._runs = 0
        self.last = folder

    def run(self, branch: str, *arguments: str, code: int = 0) -> str:
        """Run the script at a branch; return what it writes."""
        self._runs += 1
        self.last = self._folder / f"run-{self._runs}"
        clone = ["git", "clone", "--quiet", "--branch", branch, str(self._repository.bare), str(self.last)]
        subprocess.run(clone, check=True)
        command = ["./pipeline.sh", *arguments]
        done = subprocess.run(
            command, cwd=self.last, env=self.environment, capture_output=True, text=True, timeout=280, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def pipelines(tmp_path: Path, repository: Repository, home: Path) -> Pipelines:
    script = repository.tree / "pipeline.sh"
    script.write_bytes((CI / "pipeline.sh").read_bytes())
    script.chmod(0o755)
    repository.push("pipelines")
    return Pipelines(tmp_path, repository, home / ".reconciler")


def branch(repository: Repository, name: str, company: str) -> None:
    """Push a branch that gives Acme another name."""
    repository.git("checkout", "--quiet", "-b", name, "origin/main")
    repository.edit("accounts/acme.yaml", "    name: Acme Retail\n", f"    name: {company}\n")
    repository.git("commit", "--quiet", "--all", "--message", f"Acme is {company}")
    repository.git("push", "--quiet", "origin", name)


def merge(repository: Repository, name: str) -> None:
    repository.git("checkout", "--quiet", "main")
    repository.git("pull", "--quiet", "origin", "main")
    repository.git("merge", "--quiet", "--no-ff", "--message", f"Merge {name}", name)
    repository.git("push", "--quiet", "origin", "main")


def test_from_a_pull_request_to_what_is_live_and_kept(
    repository: Repository, pipelines: Pipelines, live: LiveSide, watch: Callable[..., Watcher], tmp_path: Path
) -> None:
    # The beginning: everything is new, and what is generated goes to the admins.
    admin = pyrage.x25519.Identity.generate()
    (tmp_path / "admins").write_text(f"{admin.to_public()}\n")
    pipelines.environment["RECIPIENTS"] = str(tmp_path / "admins")
    pipelines.run("main", "check")
    pipelines.run("main", "apply", str(pipelines.last / "out" / "plan.json"))
    sealed = pipelines.last / "out" / "credentials" / "accounts.acme.mailboxes.orders.json.age"
    assert b'"password"' in pyrage.decrypt(sealed.read_bytes(), [admin])

    # A pull request: a comment for people, a plan for the merge, and nothing changes.
    branch(repository, "rename", "Acme EU")
    pipelines.run("rename", "check")
    comment = (pipelines.last / "out" / "plan.md").read_text()
    assert comment.startswith("<!-- reconciler plan -->\n### Plan: 0 to add, 1 to change, 0 to destroy.")
    assert "    name:  Acme Retail → Acme EU" in comment
    assert parse(pipelines.last / "out" / "tests.xml").getroot().get("failures") == "0"
    reviewed, name = pipelines.last / "out" / "plan.json", pipelines.run("rename", "plan-name")
    assert live.name(ACME) == "Acme Retail"

    # The merge finds the plan of its pull request, and applies that one.
    merge(repository, "rename")
    assert pipelines.run("main", "plan-name") == name
    said = pipelines.run("main", "apply", str(reviewed))
    assert "Applied. The live side is now at revision 2." in said
    assert live.name(ACME) == "Acme EU"
    assert list(pipelines.last.glob("out/credentials/*")) == []

    # What somebody changes by hand, the watcher puts right within its interval.
    watch()
    await_that(lambda: live.condition("", "Synced") is not None, "the watcher is at work")
    by_hand(live, "Acme by hand")
    await_that(lambda: live.name(ACME) == "Acme EU", "the drift is healed")


def test_a_plan_that_nobody_reviewed_is_not_applied(
    repository: Repository, pipelines: Pipelines, live: LiveSide
) -> None:
    pipelines.run("main", "check")
    pipelines.run("main", "apply", str(pipelines.last / "out" / "plan.json"))
    branch(repository, "one", "Acme One")
    pipelines.run("one", "check")
    one = pipelines.last / "out" / "plan.json"
    branch(repository, "two", "Acme Two")
    merge(repository, "two")
    assert "not the one that was reviewed" in pipelines.run("main", "apply", str(one), code=1)
    assert live.name(ACME) == "Acme Retail"


@pytest.mark.parametrize("mistake", ["nam: Acme Retail", "name: Acme: Retail"])
def test_a_mistake_ends_the_pull_request(repository: Repository, pipelines: Pipelines, mistake: str) -> None:
    repository.edit("accounts/acme.yaml", "    name: Acme Retail\n", f"    {mistake}\n")
    repository.push("a mistake")
    pipelines.environment["GITHUB_ACTIONS"] = "true"
    said = pipelines.run("main", "check", code=1)
    assert re.search(r"^::error file=accounts/acme\.yaml,line=\d+,col=\d+", said, re.MULTILINE)
    assert not (pipelines.last / "out" / "plan.json").exists()


@pytest.mark.parametrize("name", ["github.yml", "gitlab-ci.yml"])
def test_pipelines_call_what_the_script_has(name: str) -> None:
    text = (CI / name).read_text()
    assert YAML(typ="safe").load(text)
    words = set(re.findall(r"pipeline\.sh ([a-z-]+)", text))
    assert words == {"check", "apply", "plan-name"}
    assert words == set(re.findall(r"^    ([a-z-]+)\) ", (CI / "pipeline.sh").read_text(), re.MULTILINE))
