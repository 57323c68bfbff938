"""`reconciler doctor` finds the usual faults and says what mends them; `status` says how things are."""

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from click.testing import CliRunner

from reconciler.cli.demo.stage import MailSink
from reconciler.cli.examples import example
from reconciler.cli.main import main
from reconciler.service import doctor
from reconciler.service.workspace import Workspace
from reconciler.store import jobs
from tests.acceptance.running_gateway import RunningGateway, await_that
from tests.ports import free_port
from tests.served import served


class Patient:
    """A project of its own, and what the doctor says of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {name: free_port() for name in ("2222", "8080", "2525")}
        shutil.copytree(example("quickstart"), folder)
        for name, port in self.ports.items():
            self.edit(f"127.0.0.1:{name}", f"127.0.0.1:{port}")

    def edit(self, old: str, new: str) -> None:
        path = self.folder / "reconciler.yaml"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def found(self) -> dict[str, dict[str, Any]]:
        result = CliRunner().invoke(main, ["--config", str(self.folder), "doctor", "-o", "json"])
        assert isinstance(result.exception, SystemExit), result.exc_info
        found = {one["what"]: one for one in json.loads(result.stdout)}
        assert result.exit_code == any(one["verdict"] == "fault" for one in found.values())
        return found

    def fault(self, what: str) -> str:
        """Return what is wrong with something, and its mend, in one text."""
        one = self.found()[what]
        assert one["verdict"] == "fault", one
        assert one["mend"]
        return f"{one['seen']} → {one['mend']}"


@pytest.fixture(scope="session")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    patient = Patient(tmp_path_factory.mktemp("healthy") / "project")
    workspace = Workspace.open(patient.folder)
    desired = workspace.load()
    workspace.apply(workspace.plan(desired), desired, actor="ada")
    workspace.close()
    return patient.folder


@pytest.fixture
def patient(healthy: Path, tmp_path: Path) -> Patient:
    made = Patient.__new__(Patient)
    made.folder = tmp_path / "project"
    shutil.copytree(healthy, made.folder)
    text = (made.folder / "reconciler.yaml").read_text()
    made.ports = {name: int(text.split(f"{key}127.0.0.1:")[1][:5].rstrip('"}')) for name, key in _KEYS.items()}
    return made


_KEYS = {"2222": 'sftp: {listen: "', "8080": 'http: {listen: "', "2525": 'url: "smtp://'}


class NotAGateway(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def another_program(patient: Patient) -> Iterator[int]:
    port = patient.ports["8080"]
    with served(HTTPServer(("127.0.0.1", port), NotAGateway)):
        yield port


class TestFaults:
    def test_a_configuration_that_is_wrong(self, patient: Patient) -> None:
        (patient.folder / "accounts" / "more.yaml").write_text("version: 1\naccounts: {acme: {nmae: x}}\n")
        assert "reconciler validate" in patient.fault("configuration")

    def test_a_port_that_another_program_has(self, patient: Patient, another_program: int) -> None:
        assert f"another program has it → Find out who it is: ss -ltnp 'sport = :{another_program}'" in patient.fault(
            "HTTP port"
        )

    def test_permissions(self, patient: Patient) -> None:
        state = patient.folder / ".reconciler"
        state.chmod(0o755)
        assert f"has mode 755 → chmod 700 {state}" in patient.fault("permissions")

    def test_a_key_that_others_read_and_one_that_is_gone(self, patient: Patient) -> None:
        key = patient.folder / ".reconciler" / "key"
        key.chmod(0o644)
        assert f"chmod 600 {key}" in patient.fault("key")
        key.unlink()
        assert "is not here" in patient.fault("key")

    def test_a_mail_server_and_partners_that_do_not_answer(self, patient: Patient) -> None:
        assert "refused" in patient.fault("SMTP")
        partners = [one for what, one in patient.found().items() if what.startswith("partner of")]
        assert partners
        assert all("does not answer" in one["seen"] for one in partners)

    def test_a_name_that_has_no_address(self, patient: Patient) -> None:
        patient.edit("sftp: {", "sftp: {public_host: nowhere.invalid, ")
        assert "Give nowhere.invalid an address" in patient.fault("DNS of gateway.sftp.public_host")

    def test_an_alert_channel_whose_secret_is_not_there(self, patient: Patient) -> None:
        with (patient.folder / "reconciler.yaml").open("a") as file:
            file.write("alerts: {urls: [{secret: 'env:NO_SUCH_VARIABLE'}]}\n")
        assert "NO_SUCH_VARIABLE" in patient.fault("alerts")

    def test_a_disk_with_less_room_than_alerts_ask_for(self, patient: Patient) -> None:
        with (patient.folder / "reconciler.yaml").open("a") as file:
            file.write("alerts: {urls: [{secret: 'env:NO_SUCH_VARIABLE'}], disk_free: 99.99}\n")
        assert "retention:" in patient.fault("disk")

    def test_a_clock_that_went_back(self, patient: Patient) -> None:
        workspace = Workspace.open(patient.folder)
        with workspace.store.write() as tx:
            tx.exec_driver_sql("UPDATE revision SET applied_at = applied_at + 3600000000")
        workspace.close()
        assert "timedatectl" in patient.fault("clock")

    def test_what_was_given_up(self, patient: Patient) -> None:
        workspace = Workspace.open(patient.folder)
        with workspace.store.write() as tx:
            jobs.add(tx, "mail", "<1@x>")
            tx.exec_driver_sql("UPDATE job SET state = 'dead', error = 'nobody took it'")
        workspace.close()
        assert "1 given up; the newest: nobody took it → reconciler job list" in patient.fault("mail jobs")

    def test_certificates_that_end(self, patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(doctor, "SOON", timedelta(days=2000))
        soon = [one for what, one in patient.found().items() if what.startswith("certificate of")]
        assert {one["verdict"] for one in soon} >= {"soon"}
        assert all("certificate_generation" in one["mend"] for one in soon if one["verdict"] == "soon")

    def test_nothing_was_applied(self, tmp_path: Path) -> None:
        assert "reconciler apply" in Patient(tmp_path / "new").fault("applied")


def test_a_gateway_that_is_well(gateway: RunningGateway) -> None:
    sink = Controller(MailSink(), hostname="127.0.0.1", port=gateway.smtp_port)
    sink.start()
    try:
        said = gateway.command("doctor").stdout.splitlines()
    finally:
        sink.stop()
    # No partner of the example's AS2 mailboxes runs here.
    assert [line for line in said if line.startswith("✗") and "partner of" not in line] == []
    assert f"✓ SFTP port: 127.0.0.1:{gateway.sftp_port}: an SSH server answers" in said
    assert f"✓ HTTP port: 127.0.0.1:{gateway.http_port}: the gateway answers" in said
    assert any(line.startswith("✓ SMTP: ") for line in said)


def test_the_status_at_a_glance(gateway: RunningGateway) -> None:
    with gateway.login("accounts.acme.mailboxes.orders") as session, session.open("coutbox/x.xyz", "wb") as file:
        file.write(b"nobody's")
    await_that(lambda: "x.xyz" in gateway.command("log", "list").stdout, "it failed")
    said = gateway.command("status").stdout
    assert f"127.0.0.1:{gateway.sftp_port}" in said
    assert said.count("accepts") == 2
    assert "Revision 1" in said
    assert "no active OUT rule" in said
    gateway.terminate()
    assert gateway.command("status").stdout.count("silent") == 2
