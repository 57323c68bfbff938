"""The same jobs in PgQueuer: batches of claims and of ends, asyncio, one process."""

import asyncio
import time
from datetime import timedelta

import asyncpg
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job as QueuedJob
from pgqueuer.queries import Queries

STEP = "x" * 100
BATCH = 100


async def drained(url: str, workers: int, count: int, singles: int) -> tuple[float, list[float]]:
    """Return jobs a second with so many workers, and the latencies of single jobs in milliseconds."""
    connections = [await asyncpg.connect(url) for _ in range(2 * workers + 1)]
    queries = Queries(AsyncpgDriver(connections[-1]))
    await queries.install()
    await connections[-1].execute("CREATE TABLE step (job TEXT, text TEXT)")
    began, done = asyncio.Event(), asyncio.Event()
    left = count

    def worker(connection: asyncpg.Connection, writing: asyncpg.Connection) -> PgQueuer:
        engine = PgQueuer(AsyncpgDriver(connection))

        @engine.entrypoint("steps")
        async def steps(job: QueuedJob) -> None:
            nonlocal left
            began.set()
            async with lock, writing.transaction():
                for _ in range(3):
                    await writing.execute("INSERT INTO step VALUES ($1, $2)", str(job.id), STEP)
            left -= 1
            if left == 0:
                done.set()

        lock = asyncio.Lock()
        return engine

    await queries.enqueue(["steps"] * count, [b""] * count, [0] * count)
    engines = [worker(connections[2 * number], connections[2 * number + 1]) for number in range(workers)]
    started = time.perf_counter()
    running = [
        asyncio.create_task(engine.run(dequeue_timeout=timedelta(seconds=1), batch_size=BATCH)) for engine in engines
    ]
    await done.wait()
    rate = count / (time.perf_counter() - started)
    latencies = []
    for _ in range(singles):
        await asyncio.sleep(0.01)
        began.clear()
        await queries.enqueue("steps", b"", 0)
        committed = time.perf_counter()
        await began.wait()
        latencies.append((time.perf_counter() - committed) * 1000)
    for engine in engines:
        engine.shutdown.set()
    await asyncio.gather(*running, return_exceptions=True)
    for connection in connections:
        await connection.close()
    return rate, latencies
