"""From what is live to YAML, and back without a difference."""

import shutil
from pathlib import Path

import pytest

from reconciler.model.account import Account
from reconciler.model.key import Key
from reconciler.model.mailbox import Mailbox
from tests.acceptance.reconciling.project import UserProject, change_by_hand

REFERENCE = Path(__file__).parents[2] / "cases" / "configuration" / "reference"
GLOBEX = Key.of_account("globex")


def texts(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".reconciler" not in path.parts
    }


@pytest.mark.parametrize("source", ["quickstart", "reference"])
def test_a_dump_says_what_is_live(project: UserProject, tmp_path: Path, source: str) -> None:
    if source == "reference":
        shutil.rmtree(project.folder)
        shutil.copytree(REFERENCE, project.folder)
    project.apply()
    state = str(project.folder / ".reconciler")
    shown = project.run("dump", str(tmp_path / "dumped")).stdout
    assert f"Wrote {tmp_path}/dumped/accounts/acme.yaml" in shown
    project.folder = tmp_path / "dumped"
    assert project.run("--state", state, "plan").stdout == "No changes. Live state matches the configuration.\n"
    project.run("--state", state, "dump", str(project.folder), exit_code=1)
    assert project.run("fmt", "--check").exit_code == 0


def test_into_files_goes_what_differs_and_nothing_else(applied: UserProject) -> None:
    before = texts(applied.folder)
    assert "already" in applied.run("dump", "--into", str(applied.folder)).stderr
    change_by_hand(applied, {GLOBEX: Account(name="Globex AG"), GLOBEX.mailbox("new"): Mailbox(name="New")})
    applied.edit("accounts/acme.yaml", "name: Acme Retail", "name: Acme not applied yet")
    applied.run("dump", "--into", str(applied.folder), "--target", "accounts.globex")
    after = texts(applied.folder)
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {"accounts/globex.yaml", "accounts/acme.yaml"}
    lines = before["accounts/globex.yaml"].decode().splitlines()
    added = [line for line in after["accounts/globex.yaml"].decode().splitlines() if line not in lines]
    assert added == ["    name: Globex AG", "      new: {name: New}"]
    applied.run("dump", "--into", str(applied.folder))
    assert texts(applied.folder)["accounts/acme.yaml"] == before["accounts/acme.yaml"]


def test_what_is_not_live_is_taken_out_of_the_files_only_when_asked(applied: UserProject) -> None:
    applied.edit("accounts/globex.yaml", "    mailboxes:\n", "    mailboxes:\n      planned: {}\n")
    applied.run("dump", "--into", str(applied.folder))
    assert "planned" in texts(applied.folder)["accounts/globex.yaml"].decode()
    applied.run("dump", "--into", str(applied.folder), "--prune")
    assert "planned" not in texts(applied.folder)["accounts/globex.yaml"].decode()
    assert applied.run("plan").stdout.startswith("No changes.")


def test_importing_writes_what_was_made_by_hand(applied: UserProject) -> None:
    address = "accounts.globex.mailboxes.by-hand"
    change_by_hand(applied, {Key.parse(address): Mailbox(name="By hand", aliases=("GLN:4000002000066",))})
    assert "Unmanaged" in applied.run("plan").stdout
    shown = applied.run("import", address)
    assert shown.stdout == f"Wrote {applied.folder}/accounts/globex.yaml\n"
    assert "reconciler apply --adopt" in shown.stderr
    by_hand = "      by-hand: {name: By hand, aliases: ['GLN:4000002000066']}\n"
    assert by_hand in (applied.folder / "accounts/globex.yaml").read_text()
    applied.apply("--adopt")
    assert applied.run("plan").stdout.startswith("No changes.")
    applied.run("import", "accounts.nobody", exit_code=1)
