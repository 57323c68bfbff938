import pytest

from tests.acceptance.reconciling.project import UserProject

GLOBEX = "accounts/globex.yaml"
CLOSED = "accounts.globex.mailboxes.closed"


@pytest.fixture
def without_closed(applied: UserProject) -> UserProject:
    drop_closed(applied)
    return applied


def drop_closed(project: UserProject) -> None:
    path = project.folder / GLOBEX
    path.write_text(path.read_text().partition("      closed:")[0])


def test_nothing_is_destroyed_unless_pruning_is_asked_for(without_closed: UserProject) -> None:
    shown = without_closed.apply()
    assert f"Unmanaged, live and not in the configuration (--prune destroys what it once had):\n    {CLOSED}\n" in shown
    assert "No changes." in shown
    assert without_closed.json("show", CLOSED)
    pruned = without_closed.apply("--prune")
    assert "0 to change, 2 to destroy. 1 credential will be revoked." in pruned
    without_closed.run("show", CLOSED, exit_code=1)


def test_a_mailbox_that_has_something_to_deliver_is_not_destroyed(without_closed: UserProject) -> None:
    workspace = without_closed.workspace()
    plan = str(without_closed.folder.parent / "plan.json")
    without_closed.run("plan", "--prune", "--out", plan)
    workspace.send(CLOSED, "order.xml", b"<envelope/>")
    workspace.close()
    refused = without_closed.run("apply", "--auto-approve", "--prune", exit_code=1)
    assert f"Refused: {CLOSED} has 1 envelope not yet delivered." in refused.stdout
    # A plan that was made before the envelope came is asked again while it is applied.
    late = without_closed.run("apply", plan, exit_code=1)
    assert f"{CLOSED} has 1 envelope not yet delivered." in late.stderr
    assert without_closed.json("show", CLOSED)


def test_protection_is_lifted_by_an_apply_of_its_own(applied: UserProject) -> None:
    applied.edit(GLOBEX, "        name: Globex outlet\n", "        name: Globex outlet\n        protected: true\n")
    applied.apply()
    text = (applied.folder / GLOBEX).read_text()
    drop_closed(applied)
    refused = applied.run("apply", "--auto-approve", "--prune", exit_code=1)
    assert f"Refused: {CLOSED} is protected." in refused.stdout
    (applied.folder / GLOBEX).write_text(text.replace("protected: true", "protected: false"))
    applied.apply()
    drop_closed(applied)
    assert "2 to destroy" in applied.apply("--prune")


def test_a_section_that_is_left_out_is_left_alone_and_an_empty_one_is_not(applied: UserProject) -> None:
    rule = "accounts.acme.rules.any-order"
    applied.cut("accounts/acme.yaml", "    # Account-wide rules", "    mailboxes:")
    assert f"    {rule}\n" in applied.apply("--prune")
    applied.edit("accounts/acme.yaml", "    mailboxes:\n", "    rules: {}\n    mailboxes:\n")
    assert f"- {rule}\n" in applied.apply("--prune")


def test_only_the_targets_are_touched(applied: UserProject) -> None:
    applied.edit(GLOBEX, "name: Globex sales\n", "name: Globex sales EU\n")
    applied.edit("accounts/acme.yaml", "name: Acme orders\n", "name: Acme orders EU\n")
    assert "1 to change" in applied.apply("--target", "accounts.globex")
    assert applied.json("plan")["summary"]["change"] == 1
    assert "No changes." in applied.apply("--exclude", "*.orders")
