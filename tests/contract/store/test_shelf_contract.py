"""Large payloads on every shelf: kept whole, found, listed, dropped, and never lost to collecting."""

import os
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryFile

import pytest
from sqlalchemy import update

from reconciler.errors import BlobError
from reconciler.store import tables
from reconciler.store.blobs import INLINE, Sealed
from reconciler.store.database import Store
from reconciler.store.object_shelf import ObjectShelf
from reconciler.store.retention import collect, collect_strays
from reconciler.store.shelf import FolderShelf, Shelf
from tests.object_store import running_s3

LARGE = b"x" * (INLINE + 1)
NAME = "ab" + 62 * "0"


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with running_s3() as url:
        yield url


@pytest.fixture(params=["folder", "s3"])
def payloads(request: pytest.FixtureRequest, tmp_path: Path) -> str | None:
    """Return the URL of an empty shelf, None for a folder."""
    return f"{request.getfixturevalue('bucket')}/{tmp_path.name}" if request.param == "s3" else None


@pytest.fixture
def shelf(payloads: str | None, tmp_path: Path) -> Shelf:
    return ObjectShelf(payloads, tmp_path) if payloads else FolderShelf(tmp_path / "blobs")


@pytest.fixture
def store(payloads: str | None, tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "state", payloads=payloads)) as opened:
        yield opened


def keep(shelf: Shelf, content: bytes) -> None:
    with TemporaryFile() as source:
        source.write(content)
        shelf.keep(source, NAME)


def test_bytes_are_on_the_disk_before_their_name_and_that_before_it_is_relied_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = FolderShelf(tmp_path / "blobs")
    steps: list[str] = []

    def noted(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        steps.append(f"{path.name if path.is_dir() else 'bytes'}, named: {shelf.holds(NAME)}")

    monkeypatch.setattr(os, "fsync", noted)
    keep(shelf, LARGE)
    *bytes_, inner, outer = steps  # of the bytes twice where they have to be copied
    assert set(bytes_) == {"bytes, named: False"}
    assert (inner, outer) == ("ab, named: True", "blobs, named: True")


class TestShelf:
    @pytest.mark.parametrize("size", [40_000, 12_000_000])
    def test_keeps_what_it_is_given(self, shelf: Shelf, size: int) -> None:
        assert not shelf.holds(NAME)
        keep(shelf, b"x" * size)
        keep(shelf, b"x" * size)
        assert shelf.holds(NAME)
        with shelf.open(NAME) as file:
            assert file.read() == b"x" * size
            file.seek(size - 1)
            assert file.read() == b"x"

    def test_lists_and_drops(self, shelf: Shelf) -> None:
        keep(shelf, LARGE)
        (found,) = shelf.lying()
        assert (found.name, found.size) == (NAME, len(LARGE))
        assert abs(datetime.now(UTC) - found.modified_at) < timedelta(minutes=5)
        shelf.drop(NAME)
        shelf.drop(NAME)
        assert list(shelf.lying()) == []
        with pytest.raises(FileNotFoundError):
            shelf.open(NAME)


def put(store: Store, sealed: Sealed) -> None:
    with store.write() as tx:
        store.blobs.put(tx, sealed)


def age(store: Store) -> None:
    with store.write() as tx:
        tx.execute(update(tables.blob).values(created_at=datetime.now(UTC) - timedelta(days=100)))


def read(store: Store, name: str) -> bytes:
    with store.read() as connection:
        return store.blobs.read(connection, name)


class TestCollecting:
    def test_takes_what_is_old_and_named_by_nothing(self, store: Store) -> None:
        sealed = store.blobs.seal(LARGE)
        put(store, sealed)
        assert collect(store, older_than=timedelta(days=30)).payloads == 0
        age(store)
        assert collect(store, older_than=timedelta(days=30)).payloads == 1
        assert not store.blobs.shelf.holds(sealed.sha256)
        with pytest.raises(BlobError):
            read(store, sealed.sha256)

    @pytest.mark.parametrize("content", [b"small", LARGE])
    def test_leaves_what_an_upload_seals_before_and_names_after(self, store: Store, content: bytes) -> None:
        first = store.blobs.seal(content)
        put(store, first)
        age(store)
        second = store.blobs.seal(content)
        assert collect(store, older_than=timedelta(days=30)).payloads == 1
        put(store, second)
        assert read(store, second.sha256) == content

    def test_leaves_what_an_upload_named_again(self, store: Store) -> None:
        sealed = store.blobs.seal(LARGE)
        put(store, sealed)
        age(store)
        put(store, store.blobs.seal(LARGE))
        assert collect(store, older_than=timedelta(days=30)).payloads == 0
        assert read(store, sealed.sha256) == LARGE

    def test_takes_what_no_row_has_named_for_a_day(self, store: Store) -> None:
        sealed = store.blobs.seal(LARGE)
        assert collect_strays(store).payloads == 0
        assert collect_strays(store, older_than=timedelta(seconds=-60)).payloads == 1
        put(store, sealed)
        assert read(store, sealed.sha256) == LARGE
        assert collect_strays(store, older_than=timedelta(seconds=-60)).payloads == 0


def test_an_object_store_out_of_reach_is_an_os_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tests")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tests")
    shelf = ObjectShelf("s3://payloads", tmp_path, patience=timedelta(seconds=0.1))
    with pytest.raises(OSError, match="object store refuses"):
        shelf.keep(BytesIO(LARGE), NAME)
