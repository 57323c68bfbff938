"""The engine alone: jobs of three small steps, drained: python -m benchmarks.engine [--count N] [--rounds N].

A step writes a row of 100 bytes. Ours commit the rows of a job with its end; PgQueuer, beside which they stand
(pip install pgqueuer asyncpg), writes them in a transaction of their own and ends jobs in batches behind them. Latency
is that of one job at a time, from its commit to the start of its work. PostgreSQL is a server of the benchmark's own.
"""

import argparse
import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Event

from reconciler.jobs.bell import Bell
from reconciler.jobs.lane import Lane
from reconciler.jobs.worker import Workers
from reconciler.store import jobs
from reconciler.store.database import Store
from reconciler.store.destinations import Limit
from reconciler.store.jobs import Job
from tests.postgresql import running_postgresql

STEP = "x" * 100
SINGLES = 100


class Steps:
    """Does a job's three steps, and tells when it began."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.began = Event()
        self.left = 0
        self.drained = Event()
        with store.write() as tx:
            tx.exec_driver_sql("CREATE TABLE step (job TEXT, text TEXT)")

    def handle(self, job: Job) -> None:
        self.began.set()
        mark = "%s" if self._store.engine.dialect.name == "postgresql" else "?"
        with self._store.write() as tx:
            jobs.finish(tx, job)
            for _ in range(3):
                tx.exec_driver_sql(f"INSERT INTO step VALUES ({mark}, {mark})", (job.subject, STEP))
        self.left -= 1
        if self.left == 0:
            self.drained.set()

    def give_up(self, job: Job, error: str) -> None:
        raise AssertionError((job, error))


def drained(folder: Path, url: str | None, threads: int, count: int) -> tuple[float, list[float]]:
    """Return jobs a second with so many threads, and the latencies of single jobs in milliseconds."""
    store, bell = Store(folder, url), Bell()
    steps = Steps(store)
    with store.write() as tx:
        for number in range(count):
            jobs.add(tx, "receipt", str(number))
    steps.left = count
    lane = Lane(("receipt",), threads, ahead=threads)
    workers = Workers(store, {"receipt": steps}, [lane], bell=bell, limit_of=lambda _: Limit(10**6), node="here")
    began = time.perf_counter()
    workers.start()
    steps.drained.wait()
    rate = count / (time.perf_counter() - began)
    latencies = []
    for number in range(SINGLES):
        time.sleep(0.01)
        steps.began.clear()
        with store.write() as tx:
            jobs.add(tx, "receipt", f"single {number}")
        committed = time.perf_counter()
        bell.ring()
        steps.began.wait()
        latencies.append((time.perf_counter() - committed) * 1000)
    workers.stop(5)
    store.close()
    return rate, latencies


def told(name: str, measure: Callable[[int], tuple[float, list[float]]], rounds: int) -> None:
    rates: dict[int, float] = {}
    latencies: list[float] = []
    for threads in (1, 2):
        found = [measure(threads) for _ in range(rounds)]
        rates[threads] = median(rate for rate, _ in found)
        latencies = sorted(each for _, some in found for each in some) if threads == 1 else latencies
    p50, p99 = (latencies[int(len(latencies) * share)] for share in (0.5, 0.99))
    print(f"{name:28} {rates[1]:7.0f} / {rates[2]:<7.0f} {p50:6.1f} / {p99:.1f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    print(f"{'engine':28} {'drained/s, 1 / 2 workers':17} latency p50/p99 ms")
    with TemporaryDirectory() as home, running_postgresql(syncs=True) as server:
        folders = (Path(home) / str(number) for number in range(10**6))
        told("our rows, SQLite", lambda n: drained(next(folders), None, n, given.count), given.rounds)
        told("our rows, PostgreSQL", lambda n: drained(next(folders), server.database(), n, given.count), given.rounds)
        try:
            from benchmarks.engine import pgqueuer_rows  # noqa: PLC0415 - it is no part of the project's extras
        except ModuleNotFoundError as missing:
            print(f"without {missing.name}; for its row: pip install pgqueuer asyncpg")
            return
        told(
            "PgQueuer, PostgreSQL",
            lambda n: asyncio.run(pgqueuer_rows.drained(server.database(), n, given.count, SINGLES)),
            given.rounds,
        )


if __name__ == "__main__":
    main()
