"""A store with ten thousand mailboxes and a million log records."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from uuid import UUID

from sqlalchemy import insert

from benchmarks import config_tree
from reconciler.service.workspace import Workspace
from reconciler.store import search, tables

WORDS = ("order", "invoice", "despatch", "advice", "price", "list", "stock", "report", "return", "credit", "note")
BATCH = 5000


def build(folder: Path, mailboxes: int, records: int) -> Workspace:
    """Apply a configuration of so many mailboxes, and give it the log of three months."""
    config_tree.write(folder, mailboxes)
    workspace = Workspace.open(folder)
    desired = workspace.load()
    workspace.apply(workspace.plan(desired), desired, actor="benchmark")
    uuids = [(str(item.key), item.uuid) for item in workspace.show(None) if item.uuid is not None]
    sealed = workspace.store.blobs.seal(b"UNA:+.? '")
    with workspace.store.write() as tx:
        name = workspace.store.blobs.put(tx, sealed)
    for batch in _batches(_records(uuids, records, name), BATCH):
        with workspace.store.write() as tx:
            tx.execute(insert(tables.conversion), batch)
            words = [
                {"word": word, "conversion": row["uuid"]}
                for row in batch
                for word in search.words(f"{row['file_name']} {row['subject']}")
            ]
            tx.execute(insert(tables.word), words)
    return workspace


def _records(uuids: list[tuple[str, UUID]], count: int, payload: str) -> Iterator[dict[str, object]]:
    random = Random(8)  # the same world at each run
    now = datetime.now(UTC)
    for number in range(count):
        address, mailbox = random.choice(uuids)
        failed = random.random() < 0.02
        at = now - timedelta(days=90) * (1 - number / count)
        yield {
            "uuid": UUID(int=random.getrandbits(128)),
            "created_at": at,
            "changed_at": at,
            "status": "FAILED" if failed else "PROCESSED",
            "direction": "out",
            "mailbox": mailbox,
            "rule": None if failed and number % 2 else f"{address}.rules.orders-from-edifact",
            "receipt": None,
            "arrival": None,
            "envelopes": [],
            "file_name": f"{random.choice(WORDS).upper()}_{number}.edi",
            "subject": f"{random.choice(WORDS)} {random.choice(WORDS)} {number % 50000}",
            "error_code": "no_rule_matches" if failed else "",
            "error": "no active OUT rule matches" if failed else "",
            "input": payload,
            "source": None,
            "output": None,
            "messages": [],
            "attributes": {},
        }


def _batches(rows: Iterator[dict[str, object]], size: int) -> Iterator[list[dict[str, object]]]:
    while batch := [row for _, row in zip(range(size), rows, strict=False)]:
        yield batch
