"""The real service as a process, on a copy of an example, and a partner's way in."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import paramiko

from reconciler.model.credential import Secret
from reconciler.service.workspace import Workspace
from tests.ports import free_port

PATIENCE = 60.0
"""How long something may take that takes no time: seconds on a machine with much else to do."""
EXAMPLES = Path(__file__).parents[2] / "examples"

T = TypeVar("T")


def await_that(condition: Callable[[], T | None], what: str, seconds: float = PATIENCE) -> T:
    """Return the first truth that a condition gives; fail when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"it does not hold that {what}"
        time.sleep(0.02)


class RunningGateway:
    """A copy of examples/quickstart, applied, and `reconciler serve` on it."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.sftp_port, self.http_port, self.smtp_port = free_port(), free_port(), free_port()
        self.metrics_port = 0
        self._environment = {**os.environ, **(environment or {})}
        shutil.copytree(EXAMPLES / "quickstart", folder, dirs_exist_ok=True)
        self.edit("reconciler.yaml", "127.0.0.1:2222", f"127.0.0.1:{self.sftp_port}")
        self.edit("reconciler.yaml", "127.0.0.1:8080", f"127.0.0.1:{self.http_port}")
        self.edit("reconciler.yaml", "127.0.0.1:2525", f"127.0.0.1:{self.smtp_port}")
        self.workspace = Workspace.open(folder)
        self.process: subprocess.Popen[bytes] | None = None
        self.log = folder / "gateway.log"

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        assert path.read_text().count(old) == 1, (name, old)
        path.write_text(path.read_text().replace(old, new))

    def apply(self) -> None:
        desired = self.workspace.load()
        self.workspace.apply(self.workspace.plan(desired), desired, actor="test")

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "reconciler", "--config", str(self.folder), *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def start(self, command: str = "serve", *options: str) -> None:
        self.launch(command, *options)
        await_that(self._listens, f"the gateway listens:\n{self.log.read_text()}")

    def launch(self, command: str = "serve", *options: str) -> None:
        """Start the gateway without waiting for it."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "reconciler", "--config", str(self.folder), command, *options],
                env=self._environment,
                stdout=log,
                stderr=log,
            )

    def _listens(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        return all(accepts(port) for port in (self.sftp_port, self.http_port))

    def kill(self) -> None:
        """Kill the gateway without warning, and wait until it is gone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(PATIENCE)

    def terminate(self) -> int:
        """Ask the gateway to stop; return its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self.workspace.close()

    def credential(self, mailbox: str, field: str) -> str:
        value = self.workspace.credentials(mailbox).values[field]
        return value.reveal() if isinstance(value, Secret) else value

    def login(self, mailbox: str) -> "PartnerSession":
        # Of an address, paramiko makes a socket that nobody closes when nobody listens.
        connection = socket.create_connection(("127.0.0.1", self.sftp_port), PATIENCE)
        transport = paramiko.Transport(connection)
        transport.banner_timeout = transport.auth_timeout = PATIENCE
        try:
            transport.start_client(timeout=PATIENCE)
            transport.auth_password(self.credential(mailbox, "login"), self.credential(mailbox, "password"))
            session = PartnerSession.from_transport(transport)
            assert session is not None
        except BaseException:
            transport.close()
            connection.close()
            raise
        return session


class PartnerSession(paramiko.SFTPClient):
    """A session that takes its connection with it when it is closed."""

    def close(self) -> None:
        channel = self.get_channel()
        with suppress(EOFError, OSError, paramiko.SSHException):  # the gateway may have been killed
            super().close()
        if channel is not None:
            channel.get_transport().close()


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
