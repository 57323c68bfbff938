"""What the demonstration plays on: a copy of the example, free ports, a mail sink, AS2 partners, the gateway."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from email.parser import BytesParser
from email.policy import default
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar

import paramiko
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from reconciler.cli.examples import example
from reconciler.errors import ReconcilerError
from reconciler.model.credential import Secret
from reconciler.service.workspace import Workspace

if TYPE_CHECKING:
    from email.message import EmailMessage

PATIENCE = 60.0
"""Seconds after which what should happen has not happened."""

T = TypeVar("T")


class StepError(ReconcilerError):
    """A step of the demonstration does not hold."""


class MailSink:
    """A real SMTP server that keeps what it is given."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep a mail."""
        content = envelope.content or b""
        self.mails.append(
            BytesParser(policy=default).parsebytes(content if isinstance(content, bytes) else content.encode())
        )
        return "250 kept"


class Stage:
    """Everything that runs during the demonstration, ended by `close`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.received = folder / "received-by-partner"
        self.sink = MailSink()
        self._stack = ExitStack()
        self.sftp_port, self.http_port, self.smtp_port, self.partner_port = _free_ports(4)
        self.gateway: subprocess.Popen[bytes] | None = None

    def close(self, *, keep_gateway: bool) -> None:
        """End everything, the gateway by SIGTERM unless it is to be kept."""
        if self.gateway is not None and not keep_gateway:
            self.gateway.send_signal(signal.SIGTERM)
            self.gateway.wait(PATIENCE)
        self._stack.close()

    def copy_example(self) -> None:
        """Copy the example, with ports that are free here and a partner that has its own key."""
        shutil.copytree(example("quickstart"), self.folder, dirs_exist_ok=True)
        for name in ("2222", "8080", "2525"):
            port = {"2222": self.sftp_port, "8080": self.http_port, "2525": self.smtp_port}[name]
            self.edit("reconciler.yaml", f"127.0.0.1:{name}", f"127.0.0.1:{port}")
        for account in ("acme", "globex"):
            self.edit(f"accounts/{account}.yaml", "127.0.0.1:8090", f"127.0.0.1:{self.partner_port}")
        self._peer("--id", "PARTNER", "--new-key").wait(PATIENCE)

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace the one place in a file of the configuration that says `old`."""
        path = self.folder / name
        content = path.read_text()
        if content.count(old) != 1:
            raise StepError(f"{name} should say once, and says {content.count(old)} times: {old}")
        # Renamed into place, as editors do it: whoever follows the folder never sees half a file.
        draft = path.with_name(f".{path.name}")
        draft.write_text(content.replace(old, new))
        draft.replace(path)

    @cached_property
    def workspace(self) -> Workspace:
        """The workspace of the copy."""
        workspace = Workspace.open(self.folder)
        self._stack.callback(workspace.close)
        return workspace

    def credential(self, mailbox: str, field: str) -> str:
        """Return one value of a mailbox's connection details."""
        value = self.workspace.credentials(mailbox).values[field]
        return value.reveal() if isinstance(value, Secret) else value

    def start_mail_sink(self) -> None:
        """Begin to take mail."""
        controller = Controller(self.sink, hostname="127.0.0.1", port=self.smtp_port)
        controller.start()
        self._stack.callback(controller.stop)

    def start_gateway(self) -> None:
        """Start the gateway as a process of its own and wait until it is ready."""
        log = self._stack.enter_context((self.folder / "gateway.log").open("wb"))
        command = [sys.executable, "-m", "reconciler", "--config", str(self.folder), "serve"]
        self.gateway = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)  # noqa: S603 - our own
        gateway = self.gateway

        def listening() -> bool:
            if gateway.poll() is not None:
                said = (self.folder / "gateway.log").read_text().splitlines() or ["nothing"]
                raise StepError(f"the gateway ended; the last line of its log, gateway.log, is: {said[-1]}")
            return _accepts(self.sftp_port) and _accepts(self.http_port)

        await_that(listening, "the gateway accepts connections")

    def start_partner(self) -> None:
        """Start the AS2 partner that receives for Globex, as a process of its own."""
        process = self._peer(
            *self._as2("GLOBEX-ERP", "sales-as2", "globex"), "--listen", f"127.0.0.1:{self.partner_port}"
        )
        self._stack.callback(process.wait, PATIENCE)
        self._stack.callback(process.terminate)
        await_that(lambda: _accepts(self.partner_port), "the AS2 partner accepts connections")

    def send_by_as2(self, sample: Path) -> dict[str, object]:
        """Have Acme's AS2 partner send a file; return what its MDN says."""
        url = f"http://127.0.0.1:{self.http_port}/as2"
        process = self._peer(*self._as2("ACME-PARTNER", "orders-as2", "acme"), "--send", str(sample), "--to", url)
        output, _ = process.communicate(timeout=PATIENCE)
        if process.returncode != 0:
            raise StepError(f"the partner was not satisfied with the MDN: {output.decode()}")
        verdict: dict[str, object] = json.loads(output)
        return verdict

    def _as2(self, name: str, mailbox: str, account: str) -> list[str]:
        certificate = self.folder / f"{mailbox}.pem"
        address = f"accounts.{account}.mailboxes.{mailbox}"
        certificate.write_text(self.credential(address, "self_certificate"))
        own = ["--gateway-id", self.credential(address, "self_id"), "--gateway-certificate", str(certificate)]
        return ["--id", name, *own, "--folder", str(self.received)]

    def _peer(self, *arguments: str) -> "subprocess.Popen[bytes]":
        self.received.mkdir(exist_ok=True)
        key, certificate = self.folder / ".partner-key.pem", self.folder / "certificates" / "partner.pem"
        command = [
            sys.executable,
            "-m",
            "reconciler.protocols.as2.peer",
            "--key",
            str(key),
            "--certificate",
            str(certificate),
        ]
        errors: IO[bytes] = self._stack.enter_context((self.folder / "partner.log").open("ab"))
        return subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, stderr=errors)  # noqa: S603 - our own

    def login(self, mailbox: str) -> paramiko.SFTPClient:
        """Log in over SFTP as the partner of a mailbox, with the host key and the password that were generated."""
        transport = paramiko.Transport(("127.0.0.1", self.sftp_port))
        self._stack.callback(transport.close)
        kind, _, key = self.credential(mailbox, "host_key").partition(" ")
        transport.start_client(timeout=PATIENCE)
        offered = transport.get_remote_server_key()
        if (offered.get_name(), offered.get_base64()) != (kind, key.split()[0]):
            raise StepError("the gateway's host key is not the one that credentials show says")
        transport.auth_password(self.credential(mailbox, "login"), self.credential(mailbox, "password"))
        client = paramiko.SFTPClient.from_transport(transport)
        if client is None:
            raise StepError("the gateway opened no SFTP session")
        return client

    def sample(self, name: str) -> Path:
        """Return a sample's path."""
        return self.folder / "samples" / name


def await_that(condition: Callable[[], T | None], what: str) -> T:
    """Return the first truth that a condition gives. Raises StepError when there is none for too long."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise StepError(f"after {PATIENCE:.0f} seconds it does not hold that {what}")
        time.sleep(0.05)


def _free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on, held all at once so that they differ."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [held.getsockname()[1] for held in sockets]


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
