"""A PostgreSQL server of the tests' own: on loopback, in a folder of its own, run by an unprivileged user."""

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

import psycopg
import pytest

from tests.conftest import require_program
from tests.ports import free_port


def binaries() -> Path:
    """Return the folder of the newest server's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
    if found:
        return found[-1].parent
    return Path(require_program("postgres", package="postgresql")).parent


class PostgresqlServer:
    """A server that can be stopped, started again, and asked for databases.

    What is committed outlives it; without `syncs`, which takes most of a test's time, not the machine.
    """

    def __init__(self, folder: Path, *, port: int | None = None, syncs: bool = False) -> None:
        self._bin = binaries()
        self._folder = folder
        self._data = folder / "data"
        self.port = port or free_port()
        self._syncs = syncs
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        # It refuses to run as root.
        self._user = "nobody" if os.geteuid() == 0 else None
        if self._user:
            entry = pwd.getpwnam(self._user)
            os.chown(folder, entry.pw_uid, entry.pw_gid)

    def _run(self, *command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, user=self._user, cwd=self._folder)

    def create(self) -> None:
        """Make the cluster's folder."""
        self._run(str(self._bin / "initdb"), "-D", str(self._data), "-A", "trust", "-U", "reconciler", "--no-sync")

    def start(self) -> None:
        """Serve; returns when connections are accepted."""
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        arguments = ["-D", str(self._data), "-p", str(self.port), "-c", "listen_addresses=127.0.0.1"]
        arguments += ["-c", f"unix_socket_directories={self._folder}", "-c", "max_connections=300"]
        arguments += [] if self._syncs else ["-c", "fsync=off"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._bin / "postgres", *arguments], stdout=log, stderr=log, user=self._user, cwd=self._folder
            )
        deadline = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=2).close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    pytest.fail((self._folder / "log").read_text())
                time.sleep(0.05)
            else:
                return

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End the server: SIGINT cuts its sessions and closes in order, SIGQUIT ends it at once, as a crash does."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(60)
            self._process = None

    def url(self, database: str) -> str:
        return f"postgresql://reconciler@127.0.0.1:{self.port}/{database}"

    def database(self, template: str = "template1") -> str:
        """Return the URL of a new database."""
        self._databases += 1
        name = f"d{self._databases}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)


@contextmanager
def running_postgresql(*, syncs: bool = False) -> Iterator[PostgresqlServer]:
    # Not in pytest's folder, which only its owner may enter.
    folder = Path(mkdtemp(prefix="reconciler-postgresql-"))
    folder.chmod(0o755)
    server = PostgresqlServer(folder, syncs=syncs)
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.stop(signal.SIGQUIT)  # in order, it would first bring thousands of files to the disk
        shutil.rmtree(folder)
