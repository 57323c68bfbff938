"""What the commands write and return; the service behind them is a fake that answers from memory."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from click.testing import CliRunner, Result

from reconciler.apply.run import Progress
from reconciler.cli import credentials, envelope, log, plan, show
from reconciler.cli.main import main
from reconciler.desired.gateway import GatewaySettings
from reconciler.desired.load import Desired, Project
from reconciler.errors import ConfigurationError, NotFoundError, Position, Problem
from reconciler.live.views import ConnectionDetails, EnvelopeEvent, EnvelopeView, LiveResource, LogRecord
from reconciler.model.account import Account
from reconciler.model.credential import Credential, CredentialKind, Secret
from reconciler.model.integration import Integration
from reconciler.model.key import Key
from reconciler.model.mailbox import Mailbox
from reconciler.model.state import State
from reconciler.plan.making import CAREFUL, Terms
from reconciler.plan.plan import Applied, Plan, build

ACME = Key.of_account("acme")
ORDERS = ACME.mailbox("orders")
PASSWORD = ORDERS.integration.credential("password")
DESIRED = Desired(
    Project(Path(), ".reconciler", GatewaySettings()),
    State(
        {
            ACME: Account(name="Acme"),
            ORDERS: Mailbox(name="Orders"),
            ORDERS.integration: Integration(enabled=True, settings={}),
            PASSWORD: Credential(kind=CredentialKind.PASSWORD),
        }
    ),
    files={},
    positions={},
)
PROBLEM = Problem(Position("acme.yaml", 3, 5), "unknown-key", "unknown key 'nam'", "accounts.acme", "nam: x", "name")
ID = UUID(int=7)
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


RECORD = LogRecord(
    uuid=ID,
    created_at=NOON,
    changed_at=NOON,
    status="FAILED",
    direction="out",
    mailbox=str(ORDERS),
    rule=None,
    file_name="ORDERS\x1b[2J.edi",
    error_code="edifact_syntax",
    error="no UNZ",
    envelopes=(),
    messages=("first", "second"),
)
ENVELOPE = EnvelopeView(
    uuid=ID,
    template="order/1",
    status="CANCELLED",
    reason="We take orders only",
    subject="",
    sender=str(ORDERS),
    recipients=("accounts.globex.mailboxes.sales", "accounts.globex.mailboxes.archive"),
    created_at=NOON,
    events=(EnvelopeEvent(at=NOON, what="rejected", mailbox="accounts.globex.mailboxes.sales", message=""),),
)


@dataclass
class FakeWorkspace:
    desired: Desired | ConfigurationError = DESIRED
    live: State = field(default_factory=State)
    revision: int = 0
    done: list[tuple[object, ...]] = field(default_factory=list)

    def load(self) -> Desired:
        if isinstance(self.desired, ConfigurationError):
            raise self.desired
        return self.desired

    def plan(self, desired: Desired, terms: Terms = CAREFUL) -> Plan:
        return build(self.live, self.revision, desired.state)

    @contextmanager
    def alone(self, *, actor: str, timeout: float) -> Iterator[None]:
        yield

    def apply(self, made: Plan, desired: Desired, *, actor: str, lease: None, progress: Progress) -> Applied:
        self.live, self.revision = desired.state, self.revision + 1
        self.done.append(("apply", actor))
        return Applied(self.revision, tuple(key for key, _ in made.generates))

    def show(self, address: str | None) -> list[LiveResource]:
        return [
            LiveResource(key, resource, ID if key == ORDERS else None)
            for key, resource in self.live.resources.items()
            if address is None or str(key).startswith(address)
        ]

    def credentials(self, address: str) -> ConnectionDetails:
        if address != str(ORDERS):
            raise NotFoundError(f"There is no mailbox {address}.")
        return ConnectionDetails(ORDERS, {"host": "127.0.0.1", "password": Secret("s3cret")})

    def rotate(self, address: str, *, actor: str) -> tuple[Key, ...]:
        self.done.append(("rotate", address, actor))
        return (PASSWORD,)

    def log(self, *, mailbox: str | None, status: str | None, limit: int) -> list[LogRecord]:
        return [RECORD][:limit] if mailbox in {None, str(ORDERS)} and status in {None, "FAILED"} else []

    def log_record(self, uuid: UUID) -> LogRecord:
        return replace(RECORD, uuid=uuid)

    def log_payload(self, uuid: UUID, part: str) -> bytes:
        return f"{uuid.int} {part}\r\n\0".encode()

    def reprocess(self, uuid: UUID) -> None:
        self.done.append(("reprocess", uuid))

    def envelopes(self, *, mailbox: str | None, limit: int) -> list[EnvelopeView]:
        return [ENVELOPE][:limit] if mailbox in {None, str(ORDERS)} else []

    def envelope(self, uuid: UUID) -> EnvelopeView:
        return replace(ENVELOPE, uuid=uuid)

    def envelope_xml(self, uuid: UUID) -> bytes:
        return f"<envelope>{uuid.int}</envelope>".encode()

    def complete(self, uuid: UUID, mailbox: str) -> None:
        self.done.append(("complete", uuid, mailbox))

    def reject(self, uuid: UUID, mailbox: str, reason: str) -> None:
        self.done.append(("reject", uuid, mailbox, reason))

    def send(self, mailbox: str, name: str, xml: bytes) -> UUID:
        self.done.append(("send", mailbox, name, xml))
        return ID


@pytest.fixture
def workspace(monkeypatch: pytest.MonkeyPatch) -> FakeWorkspace:
    fake = FakeWorkspace()
    for module in (plan, show, credentials, log, envelope):
        monkeypatch.setattr(module, "opened", lambda _: fake)
    monkeypatch.setattr(plan, "opened_for_planning", lambda _: fake)
    monkeypatch.setattr(plan, "actor", lambda: "ada")
    monkeypatch.setattr(credentials, "actor", lambda: "ada")
    monkeypatch.setenv("NO_COLOR", "1")
    return fake


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


class TestPlan:
    def test_shows_changes_and_writes_nothing(self, workspace: FakeWorkspace) -> None:
        result = run("plan")
        assert result.exit_code == 0
        assert result.stdout.endswith("Plan: 3 to add, 0 to change, 0 to destroy. 1 credential will be generated.\n")
        assert workspace.revision == 0

    @pytest.mark.parametrize(("live", "code"), [(State(), 2), (DESIRED.state, 0)])
    def test_detailed_exit_code(self, workspace: FakeWorkspace, live: State, code: int) -> None:
        workspace.live = live
        assert run("plan", "--detailed-exitcode").exit_code == code

    def test_json_is_a_plan(self, workspace: FakeWorkspace) -> None:
        assert Plan.from_json(json.loads(run("plan", "-o", "json").stdout)) == workspace.plan(DESIRED)

    def test_markdown(self, workspace: FakeWorkspace) -> None:
        assert "\n### Plan: 3 to add" in run("plan", "-o", "markdown").stdout

    def test_colours_when_forced(self, workspace: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("NO_COLOR")
        monkeypatch.setenv("FORCE_COLOR", "1")
        assert "\x1b[32m+ accounts.acme\x1b[0m" in run("plan").stdout


class TestApply:
    def test_twice_changes_nothing_the_second_time(self, workspace: FakeWorkspace) -> None:
        first, second = run("apply", "--auto-approve"), run("apply", "--auto-approve")
        assert (first.exit_code, second.exit_code) == (0, 0)
        assert "The live side is now at revision 1." in first.stdout
        assert f"Generated password; see: reconciler credentials show {ORDERS}\n" in first.stderr
        assert second.stdout == "No changes. Live state matches the configuration.\n"
        assert workspace.done == [("apply", "ada")]

    def test_without_a_terminal_it_refuses(self, workspace: FakeWorkspace) -> None:
        result = run("apply")
        assert result.exit_code == 1
        assert result.stderr == ("Error: There is no terminal to ask on, so nothing was applied. Add --auto-approve.\n")
        assert workspace.revision == 0

    @pytest.mark.parametrize(("answer", "code", "revision"), [("y\n", 0, 1), ("n\n", 1, 0), ("\n", 1, 0), ("", 1, 0)])
    def test_asks_a_person(
        self, workspace: FakeWorkspace, monkeypatch: pytest.MonkeyPatch, answer: str, code: int, revision: int
    ) -> None:
        monkeypatch.setattr(plan, "has_terminal", lambda: True)
        result = CliRunner().invoke(main, ["apply"], input=answer)
        assert (result.exit_code, workspace.revision) == (code, revision)
        assert "Apply this plan? [y/N]" in result.stderr


class TestShow:
    def test_what_is_live_below_an_address(self, workspace: FakeWorkspace) -> None:
        workspace.live = DESIRED.state
        lines = run("show", str(ORDERS)).stdout.splitlines()
        assert lines[0].split() == ["ADDRESS", "IS", "UUID"]
        assert lines[1].split() == [str(ORDERS), "Orders", str(ID)]
        assert lines[2].split() == [str(ORDERS.integration), "sftp,", "on"]
        assert len(lines) == 4

    def test_as_data(self, workspace: FakeWorkspace) -> None:
        workspace.live = DESIRED.state
        assert json.loads(run("show", "-o", "json").stdout)[0] == {
            "address": "accounts.acme",
            "kind": "account",
            "uuid": None,
            "resource": {"name": "Acme", "protected": False},
        }

    def test_nothing_yet(self, workspace: FakeWorkspace) -> None:
        result = run("show")
        assert (result.exit_code, result.stdout) == (0, "")


class TestCredentials:
    def test_all_details(self, workspace: FakeWorkspace) -> None:
        assert run("credentials", "show", str(ORDERS)).stdout == "host:      127.0.0.1\npassword:  s3cret\n"
        assert json.loads(run("credentials", "show", str(ORDERS), "-o", "json").stdout)["password"] == "s3cret"

    def test_one_field_is_fit_for_a_pipe(self, workspace: FakeWorkspace) -> None:
        assert run("credentials", "show", str(ORDERS), "--field", "password").stdout == "s3cret"

    def test_a_field_or_mailbox_that_is_not_there(self, workspace: FakeWorkspace) -> None:
        no_field = run("credentials", "show", str(ORDERS), "--field", "pin")
        assert (no_field.exit_code, no_field.stderr) == (
            1,
            "Error: There is no field pin; there are: host, password.\n",
        )
        no_mailbox = run("credentials", "show", "accounts.x.mailboxes.y")
        assert (no_mailbox.exit_code, no_mailbox.stderr) == (1, "Error: There is no mailbox accounts.x.mailboxes.y.\n")

    def test_rotating_names_what_is_new_and_shows_no_secret(self, workspace: FakeWorkspace) -> None:
        result = run("credentials", "rotate", str(ORDERS))
        assert result.stdout == f"Generated {PASSWORD} anew.\n"
        assert workspace.done == [("rotate", str(ORDERS), "ada")]


class TestLog:
    def test_listing(self, workspace: FakeWorkspace) -> None:
        header, record = run("log", "list", "--status", "failed").stdout.splitlines()
        assert header.split() == ["ID", "TIME", "STATUS", "MAILBOX", "FILE", "RULE", "ERROR"]
        assert record.split()[:4] == [str(ID), "2024-05-01", "12:00:00Z", "FAILED"]
        assert "\\x1b[2J" in record

    def test_nothing_found(self, workspace: FakeWorkspace) -> None:
        result = run("log", "list", "--status", "PROCESSED")
        assert (result.exit_code, result.stdout) == (0, "")

    def test_one_record(self, workspace: FakeWorkspace) -> None:
        shown = run("log", "show", str(ID)).stdout
        assert "error:      no UNZ (edifact_syntax)\n" in shown
        assert "messages:\n  first\n  second\n" in shown
        assert json.loads(run("log", "show", str(ID), "-o", "json").stdout)["created_at"] == "2024-05-01T12:00:00+00:00"

    def test_a_download_is_byte_exact(self, workspace: FakeWorkspace) -> None:
        assert run("log", "download", str(ID), "--part", "output").stdout_bytes == b"7 output\r\n\0"

    def test_reprocessing(self, workspace: FakeWorkspace) -> None:
        assert run("log", "reprocess", str(ID)).exit_code == 0
        assert workspace.done == [("reprocess", ID)]


class TestEnvelope:
    def test_listing(self, workspace: FakeWorkspace) -> None:
        header, row = run("envelope", "list").stdout.splitlines()
        assert header.split() == ["ID", "TIME", "STATUS", "FROM", "TO", "SUBJECT"]
        assert row.endswith("accounts.globex.mailboxes.sales, accounts.globex.mailboxes.archive")

    def test_nothing_sent(self, workspace: FakeWorkspace) -> None:
        result = run("envelope", "list", "--mailbox", "accounts.x.mailboxes.y")
        assert (result.exit_code, result.stdout) == (0, "")

    def test_one_with_its_history(self, workspace: FakeWorkspace) -> None:
        shown = run("envelope", "show", str(ID)).stdout
        assert "status:    CANCELLED: We take orders only\n" in shown
        assert "history:   2024-05-01 12:00:00Z  rejected  accounts.globex.mailboxes.sales\n" in shown
        assert json.loads(run("envelope", "show", str(ID), "-o", "json").stdout)["events"][0]["what"] == "rejected"

    def test_the_xml_itself(self, workspace: FakeWorkspace) -> None:
        assert run("envelope", "show", str(ID), "-o", "xml").stdout == "<envelope>7</envelope>"

    def test_sending(self, workspace: FakeWorkspace, tmp_path: Path) -> None:
        file = tmp_path / "order.xml"
        file.write_bytes(b"<envelope/>")
        assert run("envelope", "send", str(file), "--mailbox", str(ORDERS)).exit_code == 0
        assert workspace.done == [("send", str(ORDERS), "order.xml", b"<envelope/>")]

    def test_closing(self, workspace: FakeWorkspace) -> None:
        assert run("envelope", "complete", str(ID), "--mailbox", str(ORDERS)).exit_code == 0
        assert run("envelope", "reject", str(ID), "--mailbox", str(ORDERS), "--reason", "too late").exit_code == 0
        assert workspace.done == [("complete", ID, str(ORDERS)), ("reject", ID, str(ORDERS), "too late")]
