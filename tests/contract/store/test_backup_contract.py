"""A backup has everything, and a store of any kind can be made of it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4
from zipfile import ZipFile

import pytest

from reconciler.errors import ReconcilerError
from reconciler.store import audit, backup, checking, receipts, tables
from reconciler.store.audit import Call
from reconciler.store.blobs import INLINE
from reconciler.store.checking import Fault
from reconciler.store.database import Store
from reconciler.store.receipts import Receipt

SMALL, LARGE = b"small \x00\xff", b"large" * INLINE


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Store]:
    """Make a store on SQLite, whatever the first one is on."""
    opened = Store(tmp_path / "other")
    yield opened
    opened.close()


def fill(store: Store) -> None:
    for content in (SMALL, LARGE):
        sealed = store.blobs.seal(content)
        with store.write() as tx:
            sha256 = store.blobs.put(tx, sealed)
            receipts.add(
                tx, Receipt(mailbox=uuid4(), channel="sftp", native=True, name="ä", sha256=sha256, size=len(content))
            )
            audit.add(tx, Call(at=datetime.now(UTC), actor="ada", peer="", what="x", status=200))


def everything(store: Store) -> dict[str, list[tuple[object, ...]]]:
    with store.read() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(table.select())), key=str)
            for table in tables.metadata.sorted_tables
            if table.name not in {"lease", "session"}
        }


def test_there_and_back(store: Store, other: Store, tmp_path: Path) -> None:
    fill(store)
    extent = backup.back_up(store, tmp_path / "backup.zip")
    assert (extent.payloads, extent.size) == (1, len(LARGE))
    assert (tmp_path / "backup.zip").stat().st_mode & 0o077 == 0
    assert backup.restore(other, tmp_path / "backup.zip") == extent
    assert everything(other) == everything(store)
    assert {finding.fault for finding in checking.check(other, repair=False)} == {Fault.FORGOTTEN}  # as it was
    fill(other)  # numbers go on where they were
    backup.back_up(other, tmp_path / "again.zip")


def test_nothing_is_restored_over_something(store: Store, tmp_path: Path) -> None:
    fill(store)
    backup.back_up(store, tmp_path / "backup.zip")
    with pytest.raises(ReconcilerError, match="not empty"):
        backup.restore(store, tmp_path / "backup.zip")


@pytest.mark.parametrize("fault", ["cut short", "another payload", "another schema"])
def test_a_backup_that_is_not_whole_restores_nothing(store: Store, other: Store, tmp_path: Path, fault: str) -> None:
    fill(store)
    good, bad = tmp_path / "good.zip", tmp_path / "bad.zip"
    backup.back_up(store, good)
    if fault == "cut short":
        bad.write_bytes(good.read_bytes()[:-200])
    else:
        with ZipFile(good) as source, ZipFile(bad, "w") as target:
            for name in source.namelist():
                content = source.read(name)
                if fault == "another payload" and name.startswith("payloads/"):
                    content = content[::-1]
                if fault == "another schema" and name == "manifest.json":
                    content = content.replace(b'"0001"', b'"0002"')
                target.writestr(name, content)
    with pytest.raises(ReconcilerError):
        backup.restore(other, bad)
    assert all(not rows for rows in everything(other).values())


def test_a_payload_that_is_missing_makes_no_backup(store: Store, tmp_path: Path) -> None:
    fill(store)
    (lying,) = store.blobs.shelf.lying()
    store.blobs.shelf.drop(lying.name)
    with pytest.raises(ReconcilerError, match="reconciler fsck"):
        backup.back_up(store, tmp_path / "backup.zip")
    assert list(tmp_path.glob("*.zip*")) == []
