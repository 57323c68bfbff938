"""The servers that are compared, each a process of its own on a free port of this machine."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path


@dataclass(frozen=True)
class Served:
    """A server that runs: how to log in, and the folder that files go to."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    login: str
    folder: str
    key: Path

    def sftp(self, *options: str, cipher: str = "") -> list[str]:
        """Return the command of OpenSSH's client."""
        settings = [
            f"Port={self.port}",
            f"IdentityFile={self.key}",
            "IdentitiesOnly=yes",
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "GlobalKnownHostsFile=/dev/null",
            "UpdateHostKeys=no",
            "LogLevel=ERROR",
            *([f"Ciphers={cipher}"] if cipher else []),
        ]
        return ["sftp", "-q", *(part for one in settings for part in ("-o", one)), *options, f"{self.login}@127.0.0.1"]

    def memory(self) -> int:
        """Return the resident bytes of the process and its children."""
        return sum(_resident(pid) for pid in self._pids())

    def cpu(self) -> float:
        """Return the seconds of processor time that the process and its children have used."""
        return sum(_cpu(pid) for pid in self._pids())

    def _pids(self) -> list[int]:
        found = [self.process.pid]
        for pid in found:
            with suppress(OSError):
                tasks = Path(f"/proc/{pid}/task")
                for task in tasks.iterdir():
                    found += map(int, (task / "children").read_text().split())
        return found


def _resident(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _cpu(pid: int) -> float:
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def make_key(folder: Path) -> Path:
    """Return a key that logs in everywhere."""
    key = folder / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    return key


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(name: str, folder: Path, key: Path) -> Iterator[Served]:
    """Run one of the servers: reconciler, reconciler-plain, sshd or asyncssh."""
    home = folder / name
    home.mkdir()
    port = free_port()
    match name:
        case "sshd":
            command, login, files = _sshd(home, key, port), getuser(), str(home / "files")
            Path(files).mkdir()
        case "asyncssh":
            command = [sys.executable, "-m", "benchmarks.sftp.asyncssh_server", str(home), str(key), str(port)]
            login, files = getuser(), "/coutbox"
            (home / "coutbox").mkdir()
        case _:
            plain = ["--plain"] if name == "reconciler-plain" else []
            command = [sys.executable, "-m", "benchmarks.sftp.own_server", str(home), str(key), str(port), *plain]
            login, files = "partner", "/coutbox"
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=sys.stderr)
    try:
        _await(port)
        yield Served(name, process, port, login, files, key)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def _sshd(home: Path, key: Path, port: int) -> list[str]:
    host_key = home / "host_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(host_key)], check=True)
    keys = home / "authorized_keys"
    keys.write_bytes(key.with_suffix(".pub").read_bytes())
    keys.chmod(0o600)
    config = home / "sshd_config"
    config.write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {host_key}\nAuthorizedKeysFile {keys}\nStrictModes no\n"
        "UsePAM no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\nPidFile none\n"
        "Subsystem sftp internal-sftp\nMaxStartups 500\nUseDNS no\nLogLevel ERROR\nMaxSessions 500\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    return [shutil.which("sshd") or "/usr/sbin/sshd", "-D", "-e", "-f", str(config)]


def _await(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as probe:
            if probe.recv(4):
                return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens on port {port}")
