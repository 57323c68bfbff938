"""Checking that everything that was accepted is worked on: files, messages of AS2 partners, and what waits for a job.

Whatever is compared, the database compares it as a whole, and hands over what it found in pages: a backlog of a million
jobs takes no memory here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Row,
    Table,
    Text,
    and_,
    cast,
    delete,
    except_,
    exists,
    func,
    select,
    tuple_,
    update,
)

from reconciler.model.rule import Direction
from reconciler.store import conversions, digests, jobs, notice_tables, posts, receipts, tables
from reconciler.store.conversions import Conversion, ConversionStatus
from reconciler.store.database import Store
from reconciler.store.finding import Fault, Finding
from reconciler.store.job_states import JobState
from reconciler.store.jobs import JobKind, is_in, queue_of
from reconciler.store.receipts import Receipt

_PAGE = 500

_PAGE_OF_SUBJECTS = 5_000
"""Each page compares all that waits with all that is worked on; there are few pages, because there are few findings."""


# --- files whose receipt is gone --------------------------------------------------------------------------------------


def files_without_receipt(store: Store, *, repair: bool) -> Iterator[Finding]:
    """Yield the files that were accepted and whose receipt is gone; with `repair`, they are accepted once more."""
    file = tables.file.c
    lost = and_(file.receipt.is_not(None), ~exists().where(tables.receipt.c.uuid == file.receipt))
    for row in _rows(store, tables.file, (file.mailbox, file.folder, file.name), lost):
        mended = repair and _accept_again(store, row, lost)
        remedy = "It was accepted once more." if mended else "`fsck --repair` accepts it once more."
        yield Finding(Fault.FORGOTTEN, f"file {row.folder}/{row.name} of mailbox {row.mailbox}", mended, remedy=remedy)


def _accept_again(store: Store, row: Row[Any], lost: ColumnElement[bool]) -> bool:
    file = tables.file.c
    receipt = Receipt(
        mailbox=row.mailbox,
        channel="sftp",
        native=row.folder == "outbox",
        name=row.name,
        sha256=row.sha256,
        size=row.size,
    )
    place = and_(file.mailbox == row.mailbox, file.folder == row.folder, file.name == row.name)
    with store.write() as tx:
        if tx.execute(update(tables.file).where(place, lost).values(receipt=receipt.uuid)).rowcount == 0:
            return False  # the partner took it away meanwhile
        receipts.add(tx, receipt)
        jobs.add(tx, "receipt", receipt.uuid)
        return True


# --- AS2 messages whose receipt is gone -------------------------------------------------------------------------------


def messages_without_receipt(store: Store, *, repair: bool) -> Iterator[Finding]:
    """Yield the AS2 messages that were answered and whose receipt is gone; with `repair`, each is brought to its end.

    What was converted is done: its receipt is put back as the log record has it, and copies keep getting the first
    answer. What was not has lost its bytes, which only the partner still has: the log says so, and the message is
    forgotten, so that it is taken when it is sent again. A message of several files stays known when others of them
    are there, since they would be processed twice.
    """
    message = tables.as2_message.c
    lost = ~exists().where(tables.receipt.c.uuid == message.receipt)
    for row in _rows(store, tables.as2_message, (message.as2_from, message.as2_to, message.message_id), lost):
        subject = f"message {row.message_id} from {row.as2_from} to {row.as2_to}"
        if not repair:
            remedy = "`fsck --repair` puts the receipt back from the log; or has the log say that the file is lost."
            yield Finding(Fault.LOST, subject, mended=False, remedy=remedy)
            continue
        with store.write() as tx:
            remedy, mended = _end_message(store, tx, row)
        yield Finding(Fault.LOST, subject, mended, remedy=remedy)


def _end_message(store: Store, tx: Connection, row: Row[Any]) -> tuple[str, bool]:
    """Bring a message to its end; return what was done, and whether that is all that can be."""
    record, receipt = tables.conversion.c, tables.receipt.c
    if tx.execute(select(receipt.uuid).where(receipt.uuid == row.receipt)).first() is not None:
        return "It is there again.", True
    of_message = {"AS2-From": row.as2_from, "AS2-To": row.as2_to, "Message-ID": row.message_id}
    converted = select(record.uuid).where(record.receipt == row.receipt).order_by(record.created_at.desc())
    found = tx.execute(converted.limit(1)).scalar()
    if found is not None:
        _put_back(tx, row, conversions.get(tx, found), of_message)
        return f"It was converted; its receipt was put back from record {found}.", True
    mailbox = _mailbox_of(tx, row)
    if mailbox is None:
        return "Nothing says for which mailbox it was; ask the partner to send it again as a new message.", False
    others = [receipt.attributes[name].as_string() == value for name, value in of_message.items()]
    other = tx.execute(select(receipt.uuid).where(receipt.channel == "as2", *others).limit(1)).scalar()
    key = tables.as2_message.c
    this = and_(key.as2_from == row.as2_from, key.as2_to == row.as2_to, key.message_id == row.message_id)
    if other is None:
        tx.execute(delete(tables.as2_message).where(this))
        advice = "Ask the partner to send it again; it is taken under the same Message-ID as well."
    else:
        tx.execute(update(tables.as2_message).where(this).values(receipt=other))
        advice = "Ask the partner to send its first file in a new message; its other files are here."
    job = tables.job.c
    # What is to be done with it cannot be done; whoever tries at this moment gives it up.
    idle = and_(job.kind == "receipt", job.subject == str(row.receipt), ~is_in(JobState.RUNNING, JobState.DONE))
    tx.execute(delete(tables.job).where(idle))
    uuid = _tell_of_loss(store, tx, row, mailbox, advice)
    return f"Its bytes are lost, as record {uuid} of the conversion log says. {advice}", True


def _put_back(tx: Connection, row: Row[Any], record: Conversion, of_message: dict[str, str]) -> None:
    size = tx.execute(select(tables.blob.c.size).where(tables.blob.c.sha256 == record.input)).scalar_one()
    receipt = Receipt(
        uuid=row.receipt,
        mailbox=record.mailbox,
        channel="as2",
        native=False,
        name=record.file_name,
        sha256=record.input,
        size=size,
        attributes=of_message,
        received_at=row.received_at,
        state="failed" if record.status is ConversionStatus.FAILED else "done",
    )
    receipts.add(tx, receipt)


def _mailbox_of(tx: Connection, row: Row[Any]) -> UUID | None:
    """Return for whom a message was, as what is known of its exchange has it; None when that is not certain."""
    exchange = tables.as2_exchange.c
    query = select(exchange.mailbox, exchange.headers).where(
        exchange.message_id == row.message_id, exchange.direction == "in", exchange.outcome == "accepted"
    )
    found = tx.execute(query).all()
    mailboxes = {each.mailbox for each in found}
    if len(mailboxes) > 1:  # partners chose the same Message-ID
        mailboxes = {each.mailbox for each in found if _named(each.headers) == (row.as2_from, row.as2_to)}
    return mailboxes.pop() if len(mailboxes) == 1 else None


def _named(headers: dict[str, str]) -> tuple[str, str]:
    lower = {name.lower(): value.strip('"') for name, value in headers.items()}
    return lower.get("as2-from", ""), lower.get("as2-to", "")


def _tell_of_loss(store: Store, tx: Connection, row: Row[Any], mailbox: UUID, advice: str) -> UUID:
    """Have the log say that a file is lost, and whoever is told of failed conversions be told; return the record."""
    error = f"The receipt of this message from {row.as2_from} to {row.as2_to} is gone from the store. {advice}"
    notice = f"Message-ID: {row.message_id}\nReceived: {row.received_at:%Y-%m-%d %H:%M:%S} UTC\n\n{error}\n"
    record = Conversion(
        status=ConversionStatus.FAILED,
        direction=Direction.OUT,
        mailbox=mailbox,
        rule=None,
        file_name=row.message_id[:255],
        error_code=posts.LOST,
        error=error,
        input=store.blobs.put(tx, store.blobs.seal(notice.encode())),
    )
    conversions.put(tx, record, is_new=True)
    if digests.note(tx, mailbox, record.uuid):
        jobs.add(tx, "digest", mailbox)
    return record.uuid


# --- what waits for a job that is not there ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Work:
    """Which rows of a table wait for work of a kind; `queued` names the mailbox whose limits hold for it."""

    kind: JobKind
    table: Table
    waits: ColumnElement[bool]
    queued: Column[UUID] | None = None

    @property
    def key(self) -> Column[Any]:
        """The column that jobs name as their subject."""
        (key,) = self.table.primary_key
        return key


_WORK = (
    _Work("receipt", tables.receipt, tables.receipt.c.state == "received"),
    _Work("arrival", tables.arrival, tables.arrival.c.state == "received"),
    _Work("post", tables.post, tables.post.c.state.in_(("waiting", "sent")), queued=tables.post.c.mailbox),
    _Work("mail", notice_tables.mail, notice_tables.mail.c.state == "waiting"),
    _Work("digest", notice_tables.digest, notice_tables.digest.c.waiting > 0),
)


def work_without_job(store: Store, *, repair: bool) -> Iterator[Finding]:
    """Yield the rows that wait for work that no job stands for; with `repair`, a job is added for each."""
    for work in _WORK:
        for subject in _forgotten(store, work):
            mended = repair and _add_job(store, work, subject)
            remedy = "A job was added for it." if mended else "`fsck --repair` has it worked on."
            yield Finding(Fault.FORGOTTEN, f"{work.kind} {subject}", mended, remedy=remedy)


def _forgotten(store: Store, work: _Work) -> Iterator[UUID | str]:
    """Yield what jobs would have to name; EXCEPT, because no index of jobs knows all subjects."""
    job = tables.job.c
    is_uuid = work.key.type.python_type is UUID
    # SQLite keeps UUIDs without their dashes, jobs with them, and PostgreSQL shows them with them.
    waiting = func.replace(cast(work.key, Text), "-", "") if is_uuid else work.key
    at_work = func.replace(job.subject, "-", "") if is_uuid else job.subject
    after = ""
    while True:
        missing = except_(
            select(waiting.label("subject")).where(work.waits, waiting > after),
            select(at_work).where(job.kind == work.kind, ~is_in(JobState.DONE), at_work > after),
        )
        with store.read() as connection:
            ordered = missing.order_by("subject").limit(_PAGE_OF_SUBJECTS)
            page: Sequence[str] = connection.execute(ordered).scalars().all()
        yield from (UUID(found) if is_uuid else found for found in page)
        if len(page) < _PAGE_OF_SUBJECTS:
            return
        after = page[-1]


def _add_job(store: Store, work: _Work, subject: UUID | str) -> bool:
    with store.write() as tx:
        waiting = select(*([] if work.queued is None else [work.queued]), work.key).where(work.key == subject)
        row = tx.execute(waiting.where(work.waits)).first()
        if row is None:
            return False  # it came to its end meanwhile
        queue = "" if work.queued is None else queue_of(work.kind, row[0])
        # Two checks at the same time add one job.
        return jobs.add(tx, work.kind, subject, queue=queue, key=f"fsck {subject}")


def _rows(
    store: Store, table: Table, key: tuple[Column[Any], ...], condition: ColumnElement[bool]
) -> Iterator[Row[Any]]:
    """Yield the rows of a table for which the condition holds, in the order of their key."""
    after: ColumnElement[bool] | None = None
    while True:
        query = select(table).where(condition).order_by(*key).limit(_PAGE)
        with store.read() as connection:
            page = connection.execute(query if after is None else query.where(after)).all()
        yield from page
        if len(page) < _PAGE:
            return
        after = tuple_(*key) > tuple_(*(getattr(page[-1], column.name) for column in key))
