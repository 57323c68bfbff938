"""A backup that is made while partners upload has every file that was acknowledged before it began."""

import shutil
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread

from reconciler.service.workspace import Workspace
from reconciler.store import jobs, receipts
from reconciler.store.blobs import INLINE
from reconciler.store.job_states import JobState
from tests.acceptance.running_gateway import RunningGateway, await_that

ORDERS = "accounts.acme.mailboxes.orders"
EVER = datetime(2000, 1, 1, tzinfo=UTC)
LARGE = b"\n" * (2 * INLINE)


def test_every_acknowledged_file_is_restored(gateway: RunningGateway, tmp_path: Path) -> None:
    sample = (gateway.folder / "samples" / "ORDERS_4711.edi").read_bytes()
    acknowledged: list[str] = []
    stop = Event()

    def upload(worker: int) -> None:
        number = 0
        with gateway.login(ORDERS) as session:
            while not stop.is_set():
                name = f"ORDERS_{worker}{number:05d}.edi"
                with session.open(f"coutbox/{name}", "wb") as file:
                    # Every third one is large enough to lie outside the database.
                    file.write(sample.replace(b"4711", str(10000 * worker + number).encode()))
                    file.write(LARGE if number % 3 == 0 else b"")
                acknowledged.append(name)
                number += 1

    workers = [Thread(target=upload, args=(worker,)) for worker in (1, 2)]
    for worker in workers:
        worker.start()
    await_that(lambda: len(acknowledged) > 40, "partners are at work")
    before = list(acknowledged)
    made = gateway.command("backup", str(tmp_path / "backup.zip"))
    after = len(acknowledged)
    stop.set()
    for worker in workers:
        worker.join()
    assert made.returncode == 0, made.stderr
    assert after > len(before)  # they were at work all the while
    restored = tmp_path / "restored"
    shutil.copytree(gateway.folder, restored, ignore=shutil.ignore_patterns(".reconciler"))
    (restored / ".reconciler").mkdir(mode=0o700)
    shutil.copy(gateway.folder / ".reconciler" / "key", restored / ".reconciler" / "key")
    gateway.kill()
    gateway.folder = restored
    assert "Restored revision 1" in gateway.command("restore", str(tmp_path / "backup.zip")).stdout
    assert gateway.command("fsck").returncode == 0
    workspace = Workspace.open(restored)
    with workspace.store.read() as connection:
        found = {receipt.name: receipt for receipt in receipts.since(connection, EVER)}
        assert set(before) <= found.keys()
        for name in before:
            workspace.store.blobs.read(connection, found[name].sha256)
    assert workspace.credentials(ORDERS).values["password"]  # the key opens its secrets
    gateway.start()  # and what was not done yet is done here

    def states() -> set[str]:
        with workspace.store.read() as connection:
            return {state for _, state in jobs.counts(connection)}

    await_that(lambda: JobState.READY not in states(), "all is done")
    workspace.close()
