from reconciler.model.account import Account
from reconciler.model.key import Key
from reconciler.model.mailbox import Mailbox
from tests.acceptance.reconciling.project import UserProject, change_by_hand

GLOBEX = "accounts/globex.yaml"
ACME = Key.of_account("acme")


def test_history_says_when_who_and_how_much(applied: UserProject) -> None:
    applied.edit(GLOBEX, "name: Globex sales\n", "name: Globex sales EU\n")
    applied.apply()
    newest, first = applied.json("history")
    assert (newest["id"], first["id"]) == (2, 1)
    assert newest["summary"]["change"] == 1
    assert newest["config_hash"] != first["config_hash"]
    assert newest["actor"]
    shown = applied.run("history", "2").stdout
    assert "    name:  Globex sales → Globex sales EU" in shown
    assert "+0 ~1 -0" in applied.run("history").stdout


def test_rolling_back_gives_what_was_live_then_files_included(applied: UserProject) -> None:
    before = applied.json("show")
    applied.edit(GLOBEX, "name: Globex sales\n", "name: Globex sales EU\n")
    applied.edit("maps/order-in.xsl", "<xsl:stylesheet", "<!-- another -->\n<xsl:stylesheet")
    applied.edit("accounts/acme.yaml", "    mailboxes:\n", "    mailboxes:\n      more: {}\n")
    applied.apply()
    (applied.folder / "maps" / "order-in.xsl").unlink()
    shown = applied.run("rollback", "1", "--auto-approve", "--prune").stdout
    assert "Plan: 0 to add, 2 to change, 1 to destroy." in shown
    assert applied.json("show") == before
    applied.run("rollback", "99", "--auto-approve", exit_code=1)


def test_drift_names_field_old_new_and_actor(applied: UserProject) -> None:
    assert "No drift." in applied.run("drift").stdout
    change_by_hand(applied, {ACME: Account(name="Acme by hand")})
    shown = applied.run("drift", exit_code=2).stdout
    assert "≠ accounts.acme  changed by grace at " in shown
    assert ": an emergency\n    name:  Acme Retail → Acme by hand\n" in shown
    found = applied.json("drift", exit_code=2)[0]
    assert (found["address"], found["actor"], found["what"]) == ("accounts.acme", "grace", "changed")
    assert found["fields"] == [{"name": "name", "old": "Acme Retail", "new": "Acme by hand"}]
    applied.apply()
    assert "No drift." in applied.run("drift").stdout


def test_what_was_made_by_hand_is_left_alone_until_it_is_adopted(applied: UserProject) -> None:
    more = ACME.mailbox("more")
    change_by_hand(applied, {more: Mailbox(name="By hand")})
    assert f"    {more}\n" in applied.apply("--prune")
    assert "No drift." in applied.run("drift").stdout
    applied.edit("accounts/acme.yaml", "    mailboxes:\n", "    mailboxes:\n      more: {name: In the files}\n")
    refused = applied.run("apply", "--auto-approve", exit_code=1)
    assert f"Refused: {more} was made by hand through the API. Add --adopt to take it over." in refused.stdout
    assert f"@ {more}  made by hand, will be taken over\n" in applied.apply("--adopt")
    applied.cut("accounts/acme.yaml", "      more:", "      orders:")
    assert f"- {more}\n" in applied.apply("--prune")


def test_what_is_suspended_is_shown_and_left_alone(applied: UserProject) -> None:
    applied.run("suspend", "accounts.globex", "--until", "2h", "--reason", "they move house")
    applied.edit(GLOBEX, "name: Globex sales\n", "name: Globex sales EU\n")
    shown = applied.apply()
    assert "Suspended: accounts.globex until " in shown
    assert ": they move house (1 change held back)" in shown
    assert "accounts.globex" in applied.run("status").stdout
    assert applied.json("status")["suspensions"][0]["reason"] == "they move house"
    applied.run("resume", "accounts.globex")
    assert "1 to change" in applied.apply()
    applied.run("resume", "accounts.globex", exit_code=1)
    applied.run("suspend", "accounts.acme", "--until", "2020-01-01", "--reason", "too late", exit_code=1)
