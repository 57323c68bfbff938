"""A store with ten thousand mailboxes and a million log records."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

from benchmarks.configuration import tree
from reconciler.service.workspace import Workspace
from reconciler.store import search

WORDS = ("order", "invoice", "despatch", "advice", "price", "list", "stock", "report", "return", "credit", "note")
BATCH = 5000


def build(folder: Path, mailboxes: int, records: int) -> Workspace:
    """Apply a configuration of so many mailboxes, and give it the log of three months; or open what is there."""
    if folder.exists():
        return Workspace.open(folder)
    tree.write(folder, mailboxes)
    workspace = Workspace.open(folder)
    desired = workspace.load()
    workspace.apply(workspace.plan(desired), desired, actor="benchmark")
    uuids = [(str(item.key), item.uuid) for item in workspace.show(None) if item.uuid is not None]
    sealed = workspace.store.blobs.seal(b"UNA:+.? '")
    with workspace.store.write() as tx:
        name = workspace.store.blobs.put(tx, sealed)
    workspace.close()
    _fill(folder / ".reconciler" / "state.db", _records(uuids, records, name))
    return Workspace.open(folder)


def _fill(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    """Write the rows past the store: a million of them, as fast as the disk takes them."""
    with closing(sqlite3.connect(path)) as database:
        for pragma in ("synchronous = OFF", "journal_mode = MEMORY", "cache_size = -500000"):
            database.execute(f"PRAGMA {pragma}")
        indexes = database.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        ).fetchall()
        for name, _ in indexes:
            database.execute(f"DROP INDEX {name}")
        words: list[tuple[str, str]] = []
        for batch in _batches(rows, BATCH):
            columns = ", ".join(batch[0])
            marks = ", ".join(f":{column}" for column in batch[0])
            database.executemany(f"INSERT INTO conversion ({columns}) VALUES ({marks})", batch)
            words += [
                (word, row["uuid"]) for row in batch for word in search.words(f"{row['file_name']} {row['subject']}")
            ]
        words.sort()
        database.executemany("INSERT INTO word (word, conversion) VALUES (?, ?)", words)
        for _, sql in indexes:
            database.execute(sql)
        database.commit()
        database.execute("PRAGMA journal_mode = WAL")


def _records(uuids: list[tuple[str, UUID]], count: int, payload: str) -> Iterator[dict[str, Any]]:
    random = Random(8)  # the same world at each run
    now = datetime.now(UTC)
    for number in range(count):
        address, mailbox = random.choice(uuids)
        failed = random.random() < 0.02
        at = int((now - timedelta(days=90) * (1 - number / count)).timestamp() * 1e6)
        yield {
            "uuid": UUID(int=random.getrandbits(128)).hex,
            "created_at": at,
            "changed_at": at,
            "status": "FAILED" if failed else "PROCESSED",
            "direction": "out",
            "mailbox": mailbox.hex,
            "rule": None if failed and number % 2 else f"{address}.rules.orders-from-edifact",
            "receipt": None,
            "arrival": None,
            "envelopes": "[]",
            "file_name": f"{random.choice(WORDS).upper()}_{number}.edi",
            "subject": f"{random.choice(WORDS)} {random.choice(WORDS)} {number % 50000}",
            "error_code": "no_rule_matches" if failed else "",
            "error": "no active OUT rule matches" if failed else "",
            "input": payload,
            "source": None,
            "output": None,
            "messages": "[]",
            "attributes": "{}",
        }


def _batches(rows: Iterator[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    while batch := [row for _, row in zip(range(size), rows, strict=False)]:
        yield batch
