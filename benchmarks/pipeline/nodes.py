"""One and two gateways that work on the same PostgreSQL database, in turn."""

import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from benchmarks.pipeline.latency import served
from benchmarks.pipeline.throughput import delivered, numbers, together, upload
from benchmarks.pipeline.world import World
from reconciler.jobs.folders import StoreFolders
from tests.object_store import running_s3
from tests.postgresql import PostgresqlServer

WARM_UP = 40


def drained(world: World, workers: int, count: int) -> float:
    """Return how many envelopes a second so many nodes make of what waits for them."""
    store = world.workspace.store
    folders = StoreFolders(store, lambda: None)
    with ExitStack() as stack:
        for number in range(workers):
            stack.enter_context(served(world, "--role", "worker", "--node", f"n{number}"))
        upload(folders, world, numbers(WARM_UP))
        before = delivered(store)
        while delivered(store) < before + WARM_UP - 1 and before < WARM_UP:
            time.sleep(0.05)
        time.sleep(3)
        before = delivered(store)
        began = time.perf_counter()
        together([lambda: upload(folders, world, numbers(count // 4)) for _ in range(4)])
        while delivered(store) < before + 4 * (count // 4):
            time.sleep(0.05)
        return count / (time.perf_counter() - began)


def report(folder: Path, server: PostgresqlServer, count: int, rounds: int) -> None:
    with running_s3() as bucket:
        world = World(folder / "nodes", mailboxes=100, url=server.database(), payloads=bucket)
        found = [(drained(world, 1, count), drained(world, 2, count)) for _ in range(rounds)]
        world.close()
    one, two = (median(each[index] for each in found) for index in (0, 1))
    ratio = median(second / first for first, second in found)
    print(f"nodes on PostgreSQL: one {one:.0f} envelopes/s, two {two:.0f}, ratio {ratio:.2f}", flush=True)
