"""One and two gateways that work on the same PostgreSQL database, in turn.

Read twice: where a node may use all processors that there are, so that a second one shares them; and where each node
and its converters have one processor, so that a second one brings its own. PostgreSQL and who uploads may use all.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from benchmarks.pipeline.latency import served
from benchmarks.pipeline.throughput import delivered, numbers, together, upload
from benchmarks.pipeline.world import World
from reconciler.jobs.folders import StoreFolders
from tests.object_store import running_s3
from tests.postgresql import PostgresqlServer

WARM_UP = 40


Processors = set[int]


@contextmanager
def confined(processors: Processors) -> Iterator[None]:
    """Have the processes that are started meanwhile run on these processors only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def drained(world: World, nodes: Sequence[Processors], count: int) -> float:
    """Return how many envelopes a second nodes on these processors make of what waits for them."""
    store = world.workspace.store
    folders = StoreFolders(store, lambda: None)
    with ExitStack() as stack:
        for number, processors in enumerate(nodes):
            with confined(processors):
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
    every = os.sched_getaffinity(0)
    first, second = ({processor} for processor in sorted(every)[:2])
    found: dict[str, list[tuple[float, float]]] = {"all processors": [], "a processor each": []}
    with running_s3() as bucket:
        world = World(folder / "nodes", mailboxes=100, url=server.database(), payloads=bucket)
        for _ in range(rounds):
            for name, one, two in (
                ("all processors", [every], [every, every]),
                ("a processor each", [first], [first, second]),
            ):
                found[name].append((drained(world, one, count), drained(world, two, count)))
        world.close()
    for name, rates in found.items():
        one_node, two_nodes = (median(each[index] for each in rates) for index in (0, 1))
        ratio = median(both / alone for alone, both in rates)
        print(
            f"nodes on PostgreSQL, {name}: one {one_node:.0f} envelopes/s, two {two_nodes:.0f}, ratio {ratio:.2f}",
            flush=True,
        )
