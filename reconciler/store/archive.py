"""What is forgotten is written down before: zip files in a folder, one for each batch, below a folder a day."""

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from shutil import copyfileobj
from uuid import uuid4
from zipfile import ZIP_DEFLATED, ZipFile

from sqlalchemy import RowMapping

from reconciler.errors import BlobError
from reconciler.store.database import Store
from reconciler.store.shelf import sync_folder

CHUNK = 1 << 20

Keeper = Callable[[str, Mapping[str, Sequence[RowMapping]], Iterable[str]], None]
"""Keeps rows by the name of their table, and payloads by theirs, under a title."""


def nowhere(_title: str, _rows: Mapping[str, Sequence[RowMapping]], _payloads: Iterable[str]) -> None:
    """Keep nothing."""


class Archive:
    """A folder that keeps what the store forgets."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = folder

    def __call__(self, title: str, rows: Mapping[str, Sequence[RowMapping]], payloads: Iterable[str]) -> None:
        """Write a zip of JSON lines and payloads, durable when this returns."""
        now = datetime.now(UTC)
        day = self._folder / f"{now:%Y-%m-%d}"
        day.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = day / f"{title}-{now:%H%M%S}-{uuid4().hex[:8]}.zip"
        draft = path.with_suffix(".part")
        with draft.open("wb") as file:
            with ZipFile(file, "w", ZIP_DEFLATED) as zipped:
                for table, found in rows.items():
                    lines = (json.dumps(dict(row), default=str, ensure_ascii=False) for row in found)
                    zipped.writestr(f"{table}.jsonl", "\n".join([*lines, ""]))
                for name in sorted(set(payloads)):
                    self._add(zipped, name)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
        for folder in (day, self._folder):
            sync_folder(folder)

    def _add(self, zipped: ZipFile, name: str) -> None:
        try:
            with self._store.read() as connection:
                payload = self._store.blobs.open(connection, name)
        except BlobError as error:
            zipped.writestr(f"payloads/{name}.missing", str(error))
            return
        with payload, zipped.open(f"payloads/{name}", "w", force_zip64=True) as target:
            copyfileobj(payload, target, CHUNK)
