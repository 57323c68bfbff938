import subprocess
from pathlib import Path

from reconciler.model.credential import Secret
from tests.acceptance.reconciling.project import UserProject

GLOBEX = "accounts/globex.yaml"


def saved(project: UserProject, *options: str) -> str:
    path = str(project.folder.parent / "plan.json")
    project.run("plan", "--out", path, *options)
    return path


def test_a_saved_plan_is_applied_without_asking_and_once_only(project: UserProject) -> None:
    plan = saved(project)
    assert "Applied. The live side is now at revision 1." in project.run("apply", plan).stdout
    assert project.run("plan").stdout.startswith("No changes.")
    again = project.run("apply", plan, exit_code=1)
    assert "This plan was applied already, as revision 1 by " in again.stderr


def test_it_is_refused_when_the_configuration_changed_since(applied: UserProject) -> None:
    applied.edit(GLOBEX, "name: Globex sales\n", "name: Globex sales EU\n")
    plan = saved(applied)
    applied.edit(GLOBEX, "name: Globex sales EU\n", "name: Globex sales US\n")
    refused = applied.run("apply", plan, exit_code=1)
    assert "The configuration changed since the plan was made by " in refused.stderr
    assert len(applied.json("history")) == 1


def test_it_names_the_commit_and_the_author_that_changed_the_configuration(applied: UserProject) -> None:
    def git(*arguments: str) -> None:
        who = ["-c", "user.name=Ada Lovelace", "-c", "user.email=ada@example.com"]
        subprocess.run(["git", "-C", str(applied.folder), *who, *arguments], check=True, capture_output=True)

    git("init")
    git("add", "reconciler.yaml", "accounts")
    git("commit", "-m", "first")
    plan = saved(applied)
    applied.edit(GLOBEX, "name: Globex sales\n", "name: Globex sales EU\n")
    git("commit", "-am", "second")
    refused = applied.run("apply", plan, exit_code=1)
    assert "; it is now at commit " in refused.stderr
    assert " by Ada Lovelace of " in refused.stderr


def test_moving_yaml_between_files_does_not_change_it(applied: UserProject) -> None:
    applied.edit(GLOBEX, "name: Globex sales\n", "name: Globex sales EU\n")
    plan = saved(applied)
    (applied.folder / GLOBEX).rename(applied.folder / "accounts" / "suppliers.yaml")
    assert "Applied." in applied.run("apply", plan).stdout


def test_it_is_refused_when_the_live_side_moved_since(applied: UserProject) -> None:
    applied.edit(GLOBEX, "name: Globex sales\n", "name: Globex sales EU\n")
    plan = saved(applied)
    applied.run("credentials", "rotate", "accounts.acme.mailboxes.orders")
    refused = applied.run("apply", plan, exit_code=1)
    assert "The live side moved since the plan was made: revision 1 is now 2, applied by " in refused.stderr


def test_what_must_not_be_applied_is_not_saved(applied: UserProject) -> None:
    applied.edit("reconciler.yaml", "gateway:\n", "limits: {destroy: {mailbox: 0}}\n\ngateway:\n")
    _drop_closed(applied)
    path = applied.folder.parent / "plan.json"
    refused = applied.run("plan", "--prune", "--out", str(path), exit_code=1)
    assert "- accounts.globex.mailboxes.closed" in refused.stdout
    assert "--allow-destroy 2" in refused.stderr
    assert not path.exists()
    plan = saved(applied, "--prune", "--allow-destroy", "2")
    assert "2 to destroy" in applied.run("apply", plan).stdout


def _drop_closed(project: UserProject) -> None:
    path = project.folder / GLOBEX
    path.write_text(path.read_text().partition("      closed:")[0])


def test_there_is_no_secret_in_it(applied: UserProject) -> None:
    applied.edit(GLOBEX, "name: Globex sales\n", "name: Globex sales EU\n")
    text = Path(saved(applied)).read_text()
    workspace = applied.workspace()
    for mailbox in ("accounts.globex.mailboxes.sales", "accounts.acme.mailboxes.orders"):
        secrets = [value for value in workspace.credentials(mailbox).values.values() if isinstance(value, Secret)]
        assert secrets
        assert not any(secret.reveal() in text for secret in secrets)
    workspace.close()
    assert "PRIVATE KEY" not in text
