"""Who is kept out of the SFTP server, and until when; what survives a restart."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select

from reconciler.store import tables
from reconciler.store.upsert import insert_or_replace, row_of


@dataclass(frozen=True, slots=True)
class StoredBan:
    """A ban: `subject` is `address …` or `login …`, `count` how many there were in a row. Times in UTC."""

    subject: str
    banned_at: datetime
    until: datetime
    count: int


def put(tx: Connection, ban: StoredBan) -> None:
    """Record a ban in the place of an earlier one of the same subject."""
    insert_or_replace(tx, tables.ban, row_of(ban), key=("subject",))


def remove(tx: Connection, subject: str) -> bool:
    """Forget a subject; say whether it was known."""
    return tx.execute(delete(tables.ban).where(tables.ban.c.subject == subject)).rowcount == 1


def forget_before(tx: Connection, moment: datetime) -> None:
    """Forget the bans that were over before a moment."""
    tx.execute(delete(tables.ban).where(tables.ban.c.until < moment))


def every(connection: Connection) -> Iterator[StoredBan]:
    """Yield all that is remembered, bans that are over included, by subject."""
    for row in connection.execute(select(tables.ban).order_by(tables.ban.c.subject)):
        yield StoredBan(*row)
