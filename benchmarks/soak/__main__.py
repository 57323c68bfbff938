"""A gateway at 70 % of its capacity that is killed at random: python -m benchmarks.soak [--minutes 30] [--postgresql].

First the capacity is measured. Then orders of 10 kB come at 70 % of it, while the gateway is killed with -9 and started
again. At the end every input has to be accounted for: one envelope, one file, nothing dead, a store that is whole. What
rests because it saw two deaths is waited for. Memory is that of the gateway and its converters together; its slope is
taken over the second halves of the lives, so that what a start costs is not in it.
"""

import argparse
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import linear_regression, median
from tempfile import TemporaryDirectory
from threading import Event, Thread

from sqlalchemy import func, select

from benchmarks.pipeline.throughput import delivered, numbers, upload
from benchmarks.pipeline.world import World
from reconciler.jobs.folders import StoreFolders
from reconciler.store import checking, jobs, tables
from reconciler.store.job_states import PENDING, JobState
from tests.postgresql import running_postgresql

SHARE = 0.7
LIFE = (20.0, 60.0)
"""Seconds between two kills, at least and at most."""

WARM_UP = 200


class Soaked:
    """The gateway, its lives, and what its memory was in them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.kills = 0
        self.memory: list[tuple[float, float]] = []
        self._began = time.monotonic()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "reconciler", "--config", str(self._world.folder), "serve"]
        with (self._world.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self.kills += 1

    def live(self, seconds: float) -> None:
        """Be alive for so long, and look at the memory in the second half."""
        looked = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(1.0)
            if end - time.monotonic() < seconds / 2:
                looked.append(self._megabytes())
        self.memory.append(((time.monotonic() - self._began) / 3600, median(looked)))

    def _megabytes(self) -> float:
        assert self._process is not None
        return sum(map(resident, [self._process.pid, *children(self._process.pid)]))


def children(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        yield from map(int, (task / "children").read_text().split())


def resident(pid: int) -> float:
    """Return the megabytes of a process that are in memory; 0 when it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS")), 0.0)


def pending(world: World) -> int:
    with world.workspace.store.read() as connection:
        return sum(number for (_, state), number in jobs.counts(connection).items() if state in PENDING)


def capacity(world: World, folders: StoreFolders) -> float:
    """Return how many envelopes a second are drained."""
    upload(folders, world, numbers(WARM_UP))
    while pending(world):
        time.sleep(0.1)
    upload(folders, world, numbers(2 * WARM_UP))
    before, began = delivered(world.workspace.store), time.monotonic()
    while pending(world):
        time.sleep(0.05)
    return (delivered(world.workspace.store) - before) / (time.monotonic() - began)


def soak(world: World, minutes: float) -> bool:
    """Return whether every input is accounted for."""
    store, soaked = world.workspace.store, Soaked(world)
    folders = StoreFolders(store, lambda: None)
    soaked.start()
    rate = capacity(world, folders)
    print(f"capacity {rate:.0f} envelopes/s; {minutes:g} minutes at {SHARE * rate:.0f}/s", flush=True)
    over = Event()

    def feed() -> None:
        due = time.monotonic()
        while not over.is_set():
            upload(folders, world, numbers(1))
            due += 1 / (SHARE * rate)
            time.sleep(max(0.0, due - time.monotonic()))

    feeder = Thread(target=feed)
    feeder.start()
    chance, end = random.Random(30), time.monotonic() + 60 * minutes
    while (left := end - time.monotonic()) > LIFE[0]:
        soaked.live(min(chance.uniform(*LIFE), left))
        soaked.kill()
        soaked.start()
    over.set()
    feeder.join()
    while pending(world):
        time.sleep(0.5)
    soaked.kill()
    with store.read() as connection:
        dead = jobs.listed(connection, [JobState.DEAD], limit=10)
        counts = {
            name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for name, table in (
                ("inputs", tables.receipt),
                ("envelopes", tables.envelope),
                ("arrivals", tables.arrival),
            )
        }
        places = select(func.count()).select_from(tables.file).where(tables.file.c.folder == "cinbox")
        counts["files"] = connection.execute(places).scalar_one()
    findings = list(checking.check(store, repair=False))
    slope, _ = linear_regression(*zip(*soaked.memory, strict=True)) if len(soaked.memory) > 1 else (0.0, 0.0)
    print(f"{soaked.kills} kills; {counts}; {len(dead)} dead, {len(findings)} findings")
    print(f"memory {median(size for _, size in soaked.memory):.0f} MB, slope {slope:+.1f} MB an hour")
    return len(set(counts.values())) == 1 and not dead and not findings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--postgresql", action="store_true")
    given = parser.parse_args()
    with TemporaryDirectory() as home, running_postgresql(syncs=True) as server:
        world = World(Path(home) / "soak", mailboxes=10, url=server.database() if given.postgresql else None)
        whole = soak(world, given.minutes)
        world.close()
    print("every input is accounted for" if whole else "NOT every input is accounted for")
    raise SystemExit(not whole)


if __name__ == "__main__":
    main()
