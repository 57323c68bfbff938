"""Failures that a mailbox's notification address is still to be told of, all of an interval in one mail."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Connection, delete, func, select, update

from reconciler.store import conversions, notice_tables, tables
from reconciler.store.conversions import Conversion, ConversionStatus
from reconciler.store.upsert import insert_if_absent


@dataclass(frozen=True, slots=True)
class Digest:
    """What one mail tells: the newest failures, and how many there are of those that still are failures."""

    failures: tuple[Conversion, ...]
    total: int


def note(tx: Connection, mailbox: UUID, conversion: UUID) -> bool:
    """Have a failure told; say whether it is the first that waits, so that somebody has to be told to tell it.

    The mailbox's row is locked until the transaction ends, as `take` locks it: no failure falls between two mails.
    """
    row = notice_tables.digest.c
    insert_if_absent(tx, notice_tables.digest, {"mailbox": mailbox, "waiting": 0, "sent_at": None})
    noted = update(notice_tables.digest).where(row.mailbox == mailbox).values(waiting=row.waiting + 1)
    count: int = tx.execute(noted.returning(row.waiting)).scalar_one()
    insert_if_absent(tx, notice_tables.untold, {"conversion": conversion, "mailbox": mailbox})
    return count == 1


def sent_at(connection: Connection, mailbox: UUID) -> datetime | None:
    """Return when the mailbox's address was told last."""
    row = notice_tables.digest.c
    found: datetime | None = connection.execute(select(row.sent_at).where(row.mailbox == mailbox)).scalar()
    return found


def take(tx: Connection, mailbox: UUID, *, first: int) -> Digest:
    """Return what is to be told, and take it as told."""
    row, untold = notice_tables.digest.c, notice_tables.untold.c
    tx.execute(update(notice_tables.digest).where(row.mailbox == mailbox).values(waiting=0, sent_at=datetime.now(UTC)))
    waiting = (
        select(tables.conversion.c.uuid)
        .join(notice_tables.untold, untold.conversion == tables.conversion.c.uuid)
        .where(untold.mailbox == mailbox, tables.conversion.c.status == ConversionStatus.FAILED)
    )
    total: int = tx.execute(select(func.count()).select_from(waiting.subquery())).scalar_one()
    newest = tx.execute(waiting.order_by(tables.conversion.c.changed_at.desc()).limit(first)).scalars().all()
    failures = tuple(conversions.get(tx, uuid) for uuid in newest)
    tx.execute(delete(notice_tables.untold).where(untold.mailbox == mailbox))
    return Digest(failures, total)


def begin_anew(tx: Connection, mailbox: UUID) -> None:
    """Have the next failure tell of those that wait, because nobody does now."""
    row = notice_tables.digest.c
    tx.execute(update(notice_tables.digest).where(row.mailbox == mailbox).values(waiting=0))
