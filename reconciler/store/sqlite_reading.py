"""The live side of a SQLite store, read by the driver alone: a plan is made before SQLAlchemy would be imported.

What it returns is what `reconciler.live.store_live` returns; a test holds both to that.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

from reconciler.model.key import Key
from reconciler.model.packed import Packed, shared
from reconciler.model.state import Resource, State
from reconciler.plan.live_side import LiveSide, Suspension
from reconciler.store.schema_version import HEAD

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_live(folder: Path, desired: Mapping[Key, Resource] = MappingProxyType({})) -> LiveSide | None:
    """Return everything that is live in a store's folder; None when the store itself has to open the database first.

    That is so for one of another release's schema, and for one that cannot be read just now. Texts that are the same
    in `desired`, as most are, are taken from there.
    """
    try:
        with _reading(folder / "state.db") as database:
            return _live(database, desired)
    except sqlite3.Error:
        return None


@contextmanager
def _reading(file: Path) -> Iterator[sqlite3.Connection]:
    # Never `mode=rwc`: whoever plans makes no database.
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)) as database:
        database.execute("PRAGMA query_only = ON")
        database.execute("BEGIN")  # one moment for all that is read
        yield database


def _live(database: sqlite3.Connection, desired: Mapping[Key, Resource]) -> LiveSide | None:
    if database.execute("SELECT version_num FROM alembic_version").fetchall() != [(HEAD,)]:
        return None
    rows = database.execute("SELECT address, body FROM resource ORDER BY address")
    texts = shared(rows, desired)
    (revision,) = database.execute("SELECT coalesce(max(number), 0) FROM revision").fetchone()
    by_hand = database.execute("SELECT address FROM resource WHERE managed_by = 'api'")
    generated = database.execute("SELECT address, max(created_at) FROM credential GROUP BY address")
    suspended = database.execute("SELECT address, until, reason, actor FROM suspension ORDER BY address")
    return LiveSide(
        state=State(Packed(texts)),
        revision=revision,
        by_hand=frozenset(Key.known(address) for (address,) in by_hand),
        generated_at={Key.known(address): _moment(at) for address, at in generated},
        suspensions=tuple(
            Suspension(Key.known(address), None if until is None else _moment(until), reason, actor)
            for address, until, reason, actor in suspended
        ),
    )


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
