"""Faults 4 and 5: no space, no database, a database that is locked; and fault 7: nodes that are paused or cut off."""

import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import mkdtemp

import paramiko
import pytest

from tests.acceptance.faults.cable import Cable
from tests.acceptance.faults.scale import scaled
from tests.acceptance.faults.sites import ACME, Site
from tests.acceptance.running_gateway import await_that
from tests.ports import free_port
from tests.postgresql import PostgresqlServer


def upload(site: Site, number: int) -> bool:
    """Say whether the gateway told the client that it has the file."""
    try:
        with site.login(ACME) as client:
            file = client.open(f"/coutbox/ORDERS_{number}.edi", "w")
            file.write(site.order(number))
            # Asked for by its request, because paramiko's own close passes over what the server answers.
            client._request(paramiko.sftp.CMD_CLOSE, file.handle)  # type: ignore[attr-defined]
            return True
    except (OSError, EOFError, paramiko.SSHException):
        return False


def fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


class TestNoSpace:
    @pytest.fixture
    def small_disk(self, tmp_path: Path) -> Iterator[Path]:
        folder = tmp_path / "small"
        folder.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
        )
        if mounted.returncode != 0:
            pytest.skip(f"a small disk can be mounted by root only: {mounted.stderr.strip()}")
        yield folder
        subprocess.run(["umount", "-l", str(folder)], check=True)

    @pytest.mark.alone
    def test_a_full_disk_is_an_error_to_the_client_each_time_and_passes(
        self, new_site: Callable[..., Site], small_disk: Path
    ) -> None:
        site = new_site(state=small_disk / "state")
        site.start()
        assert upload(site, 5000)
        site.await_drained()
        ballast = small_disk / "ballast"
        with pytest.raises(OSError, match="No space left"):
            fill(ballast)
        refused = [upload(site, number) for number in range(5001, 5009)]
        assert not any(refused)
        ballast.unlink()
        freed = time.monotonic()
        await_that(lambda: upload(site, 5009), "uploads are taken again", 30)
        assert time.monotonic() - freed < 30
        site.await_drained()
        site.require_each_once([5000, 5009])


class TestNoDatabase:
    @pytest.mark.alone
    @pytest.mark.timeout(400)
    def test_postgresql_that_stops_and_fails_over_costs_time_only(self, new_site: Callable[..., Site]) -> None:
        """It is stopped under load, and its successor listens on another port."""
        folder = Path(mkdtemp(prefix="pg-"))
        first = PostgresqlServer(folder)
        first.create()
        first.start()
        second_port = free_port()
        second = PostgresqlServer(folder, port=second_port)
        hosts = f"host=127.0.0.1:{first.port}&host=127.0.0.1:{second_port}&target_session_attrs=read-write"
        try:
            site = new_site(url=f"postgresql://reconciler@/postgres?{hosts}")
            site.accept_orders(range(5000, 5200))
            site.start()
            site.await_ready()
            assert upload(site, 5200)
            first.stop(signal.SIGQUIT)
            stopped = time.monotonic()
            await_that(lambda: not site.is_ready(), "readiness fails", 5)
            while time.monotonic() - stopped < scaled(6, 60):
                assert not upload(site, 6000)
            second.start()
            resumed = time.monotonic()
            await_that(site.is_ready, "the gateway is ready again", 60)
            await_that(lambda: upload(site, 6001), "uploads are taken again", 60)
            site.await_drained(60)
            assert time.monotonic() - resumed < 60
            site.require_each_once([*range(5000, 5201), 6001])
            site.close()
        finally:
            first.stop()
            second.stop()
            shutil.rmtree(folder)

    def test_a_locked_sqlite_database_is_waited_for(self, new_site: Callable[..., Site]) -> None:
        site = new_site()
        site.accept_orders(range(5000, 5010))
        site.start()
        lock = sqlite3.connect(site.store.folder / "state.db", isolation_level=None, timeout=30)
        lock.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(1) as background:
            taken = background.submit(upload, site, 5010)
            time.sleep(scaled(4, 35))
            assert not (taken.done() and taken.result())  # nothing is acknowledged while it cannot be kept
            lock.execute("ROLLBACK")
            lock.close()
            if not taken.result():
                await_that(lambda: upload(site, 5010), "uploads are taken again", 30)
        site.await_drained()
        site.require_each_once(range(5000, 5011))


class TestNodesOutOfReach:
    @pytest.fixture
    def two(self, new_site: Callable[..., Site], postgresql: PostgresqlServer, bucket: str) -> Iterator[list[Site]]:
        """Two nodes on one database; between the first and that lies a cable."""
        url = postgresql.database()
        self.cable = Cable(postgresql.port)
        second = new_site("second", url=url, payloads=bucket)
        first = new_site(
            "first", url=url.replace(str(postgresql.port), str(self.cable.port)), payloads=bucket, like=second
        )
        yield [first, second]
        first.close()
        self.cable.close()

    @pytest.mark.parametrize("fault", ["paused", "cut off"])
    def test_another_takes_over_and_nothing_is_done_twice(self, two: list[Site], fault: str) -> None:
        first, second = two
        numbers = range(5000, 5200)
        second.accept_orders(numbers)
        first.start("serve", "--node", "first")
        await_that(lambda: second.running("first."), "the first node is at work")
        assert first.process is not None
        if fault == "paused":
            first.process.send_signal(signal.SIGSTOP)
        else:
            self.cable.cut()
        held = second.running("first.")
        second.start("serve", "--node", "second")
        await_that(lambda: second.done() == 2 * len(numbers), "the other took over what the first held", 180)
        assert held
        if fault == "paused":
            first.process.send_signal(signal.SIGCONT)
        else:
            self.cable.mend()
        # What it was at goes on there, and must come to nothing; then it works again.
        second.accept_orders(range(5200, 5220))
        second.await_drained()
        await_that(first.is_ready, "the first node is ready again")
        second.require_each_once(range(5000, 5220))
