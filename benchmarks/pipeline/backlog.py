"""Claiming and finishing beside a backlog: of a thousand jobs, and of a million."""

import time
from datetime import timedelta
from pathlib import Path
from statistics import median

from sqlalchemy import text

from reconciler.store import claims, jobs
from reconciler.store.database import Store
from reconciler.store.destinations import Limit
from tests.postgresql import PostgresqlServer

BATCH = 8
TIMES = 200
LEASE = timedelta(minutes=1)
FILL = """
    INSERT INTO job (kind, subject, queue, ordered, priority, state, run_at, claims, failures, error, created_at, trace)
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)
    SELECT 'receipt', 'backlog', '', :no, 0, 'ready', 1, 0, 0, '', 1, '' FROM n
"""


def milliseconds(store: Store) -> float:
    """Return what a look, a claim of a batch and the end of its jobs take."""
    took = []
    for _ in range(TIMES):
        began = time.perf_counter()
        with store.read() as connection:
            claims.waiting(connection, ["arrival", "receipt"])
        with store.write() as tx:
            held = claims.claim(tx, "benchmark/1", "receipt", "", count=BATCH, limit=Limit(BATCH), lease=LEASE)
        with store.write() as tx:
            for job in held:
                jobs.finish(tx, job)
        took.append((time.perf_counter() - began) * 1000)
    return median(took)


def report(folder: Path, server: PostgresqlServer) -> None:
    print(f"{'store':10} {'1,000 jobs':>11} {'1,000,000':>11} {'ratio':>6}   ms to look, claim {BATCH} and end them")
    for name in ("SQLite", "PostgreSQL"):
        store = Store(folder / f"backlog-{name}", server.database() if name == "PostgreSQL" else None)
        found = []
        for count in (1000 + TIMES * BATCH, 1_000_000):
            with store.write() as tx:
                tx.execute(text(FILL), {"count": count, "no": False})
            if name == "PostgreSQL":
                with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    connection.execute(text("ANALYZE job"))
            found.append(milliseconds(store))
        store.close()
        print(f"{name:10} {found[0]:11.2f} {found[1]:11.2f} {found[1] / found[0]:6.2f}", flush=True)
