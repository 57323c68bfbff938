from tests.acceptance.reconciling.project import UserProject

ORDERS = "accounts.acme.mailboxes.orders"
PURCHASING = "accounts.acme-retail.mailboxes.purchasing"


def test_an_account_and_a_mailbox_keep_uuid_password_envelopes_and_rules(applied: UserProject) -> None:
    login, password = applied.field(ORDERS, "login"), applied.field(ORDERS, "password")
    workspace = applied.workspace()
    receipt = workspace.send(ORDERS, "order.xml", b"<envelope/>")
    workspace.close()
    applied.edit("accounts/acme.yaml", "  acme:\n", "  acme-retail:\n    renamed_from: acme\n")
    applied.edit("accounts/acme.yaml", "      orders:\n", "      purchasing:\n        renamed_from: orders\n")
    path = applied.folder / "accounts" / "globex.yaml"
    path.write_text(path.read_text().replace("template: acme.order", "template: acme-retail.order"))
    shown = applied.apply("--prune")
    assert "> accounts.acme-retail  renamed from accounts.acme\n" in shown
    assert "Plan: 0 to add, 0 to change, 0 to destroy, 2 to rename." in shown
    assert (applied.field(PURCHASING, "login"), applied.field(PURCHASING, "password")) == (login, password)
    assert applied.json("show", f"{PURCHASING}.rules.orders-from-edifact")
    applied.run("show", "accounts.acme", exit_code=1)
    assert applied.run("plan").stdout.startswith("No changes.")
    again = applied.workspace()
    with again.store.read() as connection:
        from reconciler.store import receipts

        assert str(receipts.get(connection, receipt).mailbox) == login
    again.close()


def test_an_old_name_that_is_still_in_use_is_an_error_at_its_place(project: UserProject) -> None:
    project.edit("accounts/acme.yaml", "        name: Acme orders by AS2\n", "        renamed_from: orders\n")
    refused = project.run("plan", exit_code=1)
    assert "accounts.acme.mailboxes.orders is still in the configuration" in refused.stderr
    assert "renamed_from: orders" in refused.stderr


def test_a_new_name_that_is_live_already_is_refused(applied: UserProject) -> None:
    applied.edit("accounts/acme.yaml", "      orders:\n", "      purchasing:\n")
    applied.apply()
    applied.edit("accounts/acme.yaml", "      purchasing:\n", "      purchasing:\n        renamed_from: orders\n")
    refused = applied.run("plan", exit_code=1)
    assert "says renamed_from accounts.acme.mailboxes.orders, but both are live" in refused.stderr
