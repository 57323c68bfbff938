"""Every command does the same over a store at hand and over a gateway's admin API: output, exit code, locking."""

import base64
from pathlib import Path
from uuid import UUID

import pytest
from click.testing import CliRunner

from reconciler.apply.lease import APPLY, holding
from reconciler.cli.main import main
from reconciler.store import credentials, jobs
from tests.admin_site import Wire
from tests.contract.state.conftest import Answer, Site
from tests.ports import free_port

ORDERS = "accounts.acme.mailboxes.orders"
SALES = "accounts.globex.mailboxes.sales"
RULE = f"{ORDERS}.rules.orders-from-edifact"
RECORD, FAILED = UUID(int=4800 << 32), UUID(int=4792 << 32)
ENVELOPE = UUID(int=4800 << 64)
NOWHERE = UUID(int=7)

Both = tuple[Site, Site]


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def same(both: Both, *arguments: str) -> Answer:
    """Run a command over both; return what both say."""
    at_hand, far_away = (site.run(*arguments) for site in both)
    assert far_away == at_hand
    return far_away


@pytest.mark.parametrize(
    "command",
    [
        "show",
        f"show {ORDERS}",
        "show -o json",
        "plan",
        "plan -o json",
        "test --live",
        f"test --live {ORDERS}",
        "drift",
        "drift -o json",
        "history",
        "history 1",
        "history 1 -o json",
        "status",
        "log list",
        "log list --status FAILED -o json",
        f"log list --mailbox {ORDERS} --limit 3",
        f"log list --mailbox {SALES}",
        f"log show {RECORD}",
        f"log show {FAILED} -o json",
        f"log download {RECORD}",
        f"log download {RECORD} --part output",
        "envelope list",
        f"envelope list --mailbox {SALES} -o json",
        f"envelope show {ENVELOPE}",
        f"envelope show {ENVELOPE} -o json",
        f"envelope show {ENVELOPE} -o xml",
        f"credentials show {ORDERS}",
        f"credentials show {ORDERS} --field password",
        "lock status",
        "job list --state ready --state dead",
        "job list -o json",
        "ban list",
    ],
)
def test_what_is_asked(unchanged: Both, command: str) -> None:
    answer = same(unchanged, *command.split())
    assert answer.code == 0, answer.stderr
    assert answer.stdout or answer.stderr


@pytest.mark.parametrize(
    "command",
    [
        "show accounts.nobody",
        "test --live accounts.nobody",
        f"log show {NOWHERE}",
        f"log download {FAILED} --part output",
        f"log reprocess {RECORD}",
        f"envelope show {NOWHERE}",
        f"envelope reject {ENVELOPE} --mailbox {SALES} --reason no",
        f"envelope complete {ENVELOPE} --mailbox accounts.nobody.mailboxes.x",
        "credentials show accounts.acme",
        "history 99",
        "resume accounts.acme",
        "suspend accounts.nobody --reason why",
        "rollback 99 --auto-approve",
        "job retry 99",
        "ban remove 192.0.2.1",
        "lock release apply",
    ],
)
def test_what_is_refused(unchanged: Both, command: str) -> None:
    assert same(unchanged, *command.split()).code == 1


class TestReconciling:
    def test_a_saved_plan_is_applied_as_it_is(self, both: Both, tmp_path: Path) -> None:
        for site in both:
            site.edit("reconciler.yaml", "version: 1", "version: 1\naccounts:\n  initech: {name: Initech}")
        assert same(both, "plan", "--detailed-exitcode").code == 2
        for number, site in enumerate(both):
            assert site.run("plan", "--out", str(tmp_path / f"{number}.plan")).code == 0
        applied = [site.run("apply", str(tmp_path / f"{number}.plan")) for number, site in enumerate(both)]
        assert applied[0] == applied[1]
        assert "revision 2" in applied[0].stdout
        for command in ("history", "history 2", "history 2 -o json", "drift", "plan", "show accounts.initech"):
            assert same(both, *command.split()).code == 0
        again = [site.run("apply", str(tmp_path / f"{number}.plan")) for number, site in enumerate(both)]
        assert again[0] == again[1]
        assert again[0].code == 1

    def test_what_moved_since_is_not_applied(self, both: Both, tmp_path: Path) -> None:
        for number, site in enumerate(both):
            site.edit("reconciler.yaml", "version: 1", "version: 1\naccounts:\n  initech: {name: Initech}")
            assert site.run("plan", "--out", str(tmp_path / f"{number}.plan")).code == 0
            site.workspace.switch(RULE, on=False, actor="ada", reason="an emergency")
        assert same(both, "drift").code == 2
        refused = [site.run("apply", str(tmp_path / f"{number}.plan")) for number, site in enumerate(both)]
        assert refused[0] == refused[1]
        assert refused[0].code == 1
        assert "revision" in refused[0].stderr

    def test_new_content_crosses_and_is_kept(self, both: Both) -> None:
        for site in both:
            with (site.folder / "maps/order-in.xsl").open("a") as file:
                file.write("<!-- a word more -->\n")
        assert same(both, "apply", "--auto-approve").code == 0
        assert same(both, "plan").stdout.count("No changes") == 1

    def test_drift_is_healed_and_a_revision_comes_back(self, both: Both) -> None:
        for site in both:
            site.workspace.switch(RULE, on=False, actor="ada", reason="an emergency")
        assert same(both, "drift", "-o", "json").code == 2
        assert same(both, "apply", "--auto-approve").code == 0
        assert same(both, "drift").code == 0
        assert same(both, "rollback", "2", "--auto-approve").code == 0
        assert same(both, "history", "-o", "json").code == 0

    def test_what_is_suspended_stays(self, both: Both) -> None:
        assert same(both, "suspend", ORDERS, "--until", "1h", "--reason", "migration").code == 0
        for site in both:
            site.workspace.switch(RULE, on=False, actor="ada", reason="an emergency")
        for command in ("plan", "status", f"resume {ORDERS}", "plan", "status -o json"):
            assert same(both, *command.split()).code == 0

    def test_who_is_not_alone_waits_and_is_told_by_whom(self, both: Both) -> None:
        for site in both:
            site.edit("reconciler.yaml", "version: 1", "version: 1\naccounts:\n  initech: {name: Initech}")
        at_hand, far_away = both
        with (
            holding(at_hand.workspace.store, APPLY, actor="grace", timeout=0),
            holding(far_away.workspace.store, APPLY, actor="grace", timeout=0),
        ):
            answer = same(both, "apply", "--auto-approve", "--lock-timeout", "0")
            assert answer.code == 1
            assert "grace" in answer.stderr
            assert "grace" in same(both, "lock", "status").stdout
            assert same(both, "lock", "release", "apply").code == 0
        assert same(both, "apply", "--auto-approve").code == 0


class TestBackToFiles:
    def test_what_is_live_is_written_with_the_files_that_it_names(self, unchanged: Both, tmp_path: Path) -> None:
        written = [tmp_path / str(number) for number in range(len(unchanged))]
        answers = [site.run("dump", str(folder)) for site, folder in zip(unchanged, written, strict=True)]
        assert [answer.code for answer in answers] == [0, 0], answers[1].stderr
        at_hand, far_away = ({file.relative_to(to): file.read_bytes() for file in files(to)} for to in written)
        assert far_away == at_hand
        assert {".xsl", ".xml", ".csv", ".yaml"} <= {file.suffix for file in far_away}
        for folder in written:
            assert "is valid" in CliRunner().invoke(main, ["--config", str(folder), "validate"]).stdout

    def test_a_map_that_was_edited_is_written_as_it_is_live(self, both: Both) -> None:
        for site in both:
            site.edit("maps/order-in.xsl", "</xsl:stylesheet>", "<!-- a word more --></xsl:stylesheet>")
            assert site.run("plan", "--detailed-exitcode").code == 2
        answers = [site.run("dump", "--into", str(site.folder)) for site in both]
        assert answers[0] == answers[1]
        assert answers[1].code == 0, answers[1].stderr
        assert "order-in" in answers[1].stdout
        assert same(both, "plan", "--detailed-exitcode").code == 0


class TestOperating:
    def test_envelopes_are_closed(self, both: Both) -> None:
        reject = ("envelope", "reject", str(ENVELOPE), "--mailbox", SALES, "--reason", "We deliver on Fridays only")
        assert same(both, *reject).code == 0
        assert same(both, *reject).code == 1
        assert "CANCELLED" in same(both, "envelope", "show", str(ENVELOPE)).stdout

    def test_an_envelope_is_sent(self, both: Both, tmp_path: Path) -> None:
        file = tmp_path / "order.xml"
        file.write_bytes(both[0].workspace.envelope_xml(ENVELOPE))
        assert same(both, "envelope", "send", str(file), "--mailbox", ORDERS).code == 0
        assert "receipt" in same(both, "job", "list", "--state", "ready").stdout

    def test_credentials_are_replaced(self, both: Both) -> None:
        assert same(both, "credentials", "rotate", ORDERS).code == 0
        assert same(both, "history").code == 0

    def test_what_was_given_up_is_done_again(self, both: Both) -> None:
        for site in both:
            with site.workspace.store.write() as tx:
                jobs.add(tx, "mail", "<one@reconciler.invalid>")
                tx.exec_driver_sql("UPDATE job SET state = 'dead'")
        assert "<one@reconciler.invalid>" in same(both, "job", "list").stdout
        assert same(both, "job", "retry", "1").code == 0
        assert same(both, "job", "drop", "1").code == 1

    def test_tokens_are_made_listed_and_revoked(self, both: Both) -> None:
        for site in both:
            made = site.run("token", "create", "--role", "viewer", "--account", "acme", "--name", "ci")
            assert made.stdout.startswith("rcl_")
        # The one who asks from afar has a token too, and is heard.
        assert [site.run("token", "revoke", "ci").stdout for site in both] == ["Revoked ci.\n"] * 2
        assert same(both, "token", "revoke", "ci").code == 1


class TestSecrets:
    def test_no_secret_crosses_for_a_plan(self, far_away: Site, wire: Wire, tmp_path: Path) -> None:
        far_away.edit("reconciler.yaml", "version: 1", "version: 1\naccounts:\n  initech: {name: Initech}")
        for command in ("plan", "plan -o json", f"plan --out {tmp_path / 'saved'}", f"apply {tmp_path / 'saved'}"):
            assert far_away.run(*command.split()).code == 0
        assert any("POST /api/v1/apply" in asked for asked in wire.asked)
        store = far_away.workspace.store
        with store.read() as connection:
            secrets = [store.keyring.decrypt(row.ciphertext).reveal() for row in credentials.all_of(connection)]
        assert len(secrets) > 3
        for secret in secrets:
            kernel = max(secret.splitlines(), key=len)  # a line of a private key's Base64, or the password
            assert kernel.encode() not in wire.crossed
            assert base64.b64encode(kernel.encode()) not in wire.crossed
        assert far_away.environment["RECONCILER_TOKEN"].encode() not in wire.crossed


class TestWhatIsWrongWithTheGateway:
    def test_a_token_that_is_none(self, far_away: Site) -> None:
        far_away.environment["RECONCILER_TOKEN"] = "rcl_wrong"
        answer = far_away.run("plan")
        assert answer.code == 1
        assert "does not accept the token" in answer.stderr
        assert "rcl_wrong" not in answer.stderr

    def test_no_token_at_all(self, far_away: Site) -> None:
        far_away.environment["RECONCILER_TOKEN"] = ""
        assert "reconciler token create" in far_away.run("plan").stderr

    def test_a_role_that_may_not(self, far_away: Site) -> None:
        made = far_away.run("token", "create", "--role", "viewer")
        assert made.code == 0, made.stderr
        far_away.environment["RECONCILER_TOKEN"] = made.stdout.strip()
        assert far_away.run("plan").code == 0
        answer = far_away.run("apply", "--auto-approve")
        assert answer.code == 1
        assert "takes the role admin" in answer.stderr

    def test_nobody_there(self, far_away: Site) -> None:
        port = free_port()
        far_away.environment["RECONCILER_STATE"] = f"http://127.0.0.1:{port}"
        answer = far_away.run("plan")
        assert answer.code == 1
        assert f"http://127.0.0.1:{port} cannot be reached" in answer.stderr

    def test_something_else_there(self, far_away: Site) -> None:
        far_away.environment["RECONCILER_STATE"] += "/static"
        answer = far_away.run("plan")
        assert answer.code == 1
        assert "is it a gateway?" in answer.stderr

    def test_a_token_in_clear_text_leaves_no_machine(self, far_away: Site) -> None:
        far_away.environment["RECONCILER_STATE"] = "http://edi.example.com"
        answer = far_away.run("plan")
        assert answer.code == 1
        assert "https://" in answer.stderr
