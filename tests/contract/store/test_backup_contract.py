"""A backup has everything, and a store of any kind can be made of it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from uuid import uuid4
from zipfile import ZipFile

import pytest

from reconciler.errors import ReconcilerError
from reconciler.store import audit, backup, checking, receipts, tables
from reconciler.store.audit import Call
from reconciler.store.blobs import INLINE
from reconciler.store.database import Store
from reconciler.store.finding import Fault
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


FAULTS: dict[str, tuple[str, Callable[[bytes], bytes | None]]] = {
    "another payload": ("payloads/", lambda content: content[::-1]),
    "no payload": ("payloads/", lambda _: None),
    "another schema": ("manifest", lambda content: content.replace(b'"0001"', b'"0002"')),
    "a manifest of something else": ("manifest", lambda _: b"[]"),
    "no number of its revision": ("manifest", lambda content: content.replace(b'"revision"', b'"version"')),
    "fewer rows": ("tables/audit", lambda content: content.splitlines(keepends=True)[0]),
    "a row twice": ("tables/receipt", lambda content: content + content),
    "rows of something else": ("tables/receipt", lambda _: b"[]\n"),
}
"""The member of a backup that is spoilt, and what becomes of it; None is that it is not there."""


@pytest.mark.parametrize("fault", ["cut short", *FAULTS])
def test_a_backup_that_is_not_whole_restores_nothing(store: Store, other: Store, tmp_path: Path, fault: str) -> None:
    fill(store)
    good, bad = tmp_path / "good.zip", tmp_path / "bad.zip"
    backup.back_up(store, good)
    if fault == "cut short":
        bad.write_bytes(good.read_bytes()[:-200])
    else:
        member, spoil = FAULTS[fault]
        with ZipFile(good) as source, ZipFile(bad, "w") as target:
            for name in source.namelist():
                content = source.read(name)
                spoilt = spoil(content) if name.startswith(member) else content
                if spoilt is not None:
                    target.writestr(name, spoilt)
    with pytest.raises(ReconcilerError, match="The backup"):
        backup.restore(other, bad)
    assert all(not rows for rows in everything(other).values())


def test_a_backup_with_a_bit_that_turned_restores_nothing_or_everything(
    store: Store, other: Store, tmp_path: Path
) -> None:
    fill(store)
    good, bad = tmp_path / "good.zip", tmp_path / "bad.zip"
    backup.back_up(store, good)
    chance = Random(7)
    for _ in range(60):
        spoilt = bytearray(good.read_bytes())
        spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
        bad.write_bytes(spoilt)
        try:
            backup.restore(other, bad)
        except ReconcilerError:
            assert all(not rows for rows in everything(other).values())
        else:
            assert everything(other) == everything(store)
            empty(other)


def empty(store: Store) -> None:
    with store.write() as tx:
        for table in reversed(tables.metadata.sorted_tables):
            tx.execute(table.delete())


def test_one_backup_is_written_at_a_time(
    store: Store, other: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store)
    copy = backup._copy
    refused = []

    def copy_while_another_begins(store: Store, zipped: ZipFile, name: str) -> None:
        with pytest.raises(ReconcilerError, match="only one at a time") as caught:
            backup.back_up(store, tmp_path / "backup.zip")
        refused.append(caught.value)
        copy(store, zipped, name)

    monkeypatch.setattr(backup, "_copy", copy_while_another_begins)
    backup.back_up(store, tmp_path / "backup.zip")
    assert refused
    backup.restore(other, tmp_path / "backup.zip")
    assert everything(other) == everything(store)


def test_what_a_killed_backup_left_is_in_nobodys_way(store: Store, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("mine")
    (tmp_path / ".backup.zip.part").symlink_to(tmp_path / "elsewhere")
    backup.back_up(store, tmp_path / "backup.zip")
    assert (tmp_path / "elsewhere").read_text() == "mine"
    assert not list(tmp_path.glob(".backup*"))


def test_a_payload_that_is_missing_makes_no_backup(store: Store, tmp_path: Path) -> None:
    fill(store)
    (lying,) = store.blobs.shelf.lying()
    store.blobs.shelf.drop(lying.name)
    with pytest.raises(ReconcilerError, match="reconciler fsck"):
        backup.back_up(store, tmp_path / "backup.zip")
    assert list(tmp_path.glob("*.zip*")) == []
