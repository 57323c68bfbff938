"""Forgetting what was done: payloads of the log, then the log with its closed envelopes, then the audit trail.

Everything happens in batches, each written to the archive first. What somebody could still need is left: envelopes that
are open, what is still to be done, and what a file in a partner's folder belongs to.
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Table,
    Text,
    and_,
    case,
    cast,
    delete,
    or_,
    select,
    update,
)

from reconciler.store import access_tables, notice_tables, tables
from reconciler.store.archive import Keeper, nowhere
from reconciler.store.database import Store
from reconciler.store.job_states import JobState
from reconciler.store.jobs import JobKind, is_in

BATCH = 500

FORGOTTEN = b"(This payload was forgotten when its time of retention had passed.)\n"
"""What stands in the place of every payload that was forgotten, so that each record still names one."""

_CLOSED = ("COMPLETED", "CANCELLED", "EXPIRED")


def forgotten_name(store: Store, tx: Connection) -> str:
    """Return the name of the payload that stands for those that were forgotten."""
    return store.blobs.put(tx, store.blobs.seal(FORGOTTEN))


def forget_payloads(store: Store, *, older_than: timedelta, keep: Keeper = nowhere) -> int:
    """Have records, receipts and messages older than this name no payload any more; return how many records."""
    limit = datetime.now(UTC) - older_than
    record, receipt, post = tables.conversion.c, tables.receipt.c, tables.post.c
    with store.write() as tx:
        gone = forgotten_name(store, tx)
    total = 0
    old = and_(record.created_at < limit, record.changed_at < limit, record.input != gone)
    while True:
        with store.read() as connection:
            rows = connection.execute(select(tables.conversion).where(old).limit(BATCH)).mappings().all()
        if not rows:
            break
        names = {name for row in rows for name in (row["input"], row["source"], row["output"]) if name}
        keep("payloads", {"conversion": rows}, names)
        uuids = [row["uuid"] for row in rows]
        replaced = update(tables.conversion).where(record.uuid.in_(uuids), old)
        with store.write() as tx:
            tx.execute(
                replaced.values(input=gone, source=None, output=case((record.output.is_(None), None), else_=gone))
            )
        total += len(rows)
    done = and_(receipt.received_at < limit, receipt.state != "received", receipt.sha256 != gone)
    _replace(store, tables.receipt, receipt.uuid, done, gone)
    settled = and_(post.changed_at < limit, post.state.not_in(("waiting", "sent")), post.sha256 != gone)
    _replace(store, tables.post, post.message_id, settled, gone)
    return total


def forget_log(store: Store, *, older_than: timedelta, keep: Keeper = nowhere) -> int:
    """Forget records and closed envelopes that are older, with all that belongs to them; return how many records."""
    limit = datetime.now(UTC) - older_than
    record, file, post = tables.conversion.c, tables.file.c, tables.post.c
    needed = or_(
        record.uuid.in_(select(file.conversion).where(file.conversion.is_not(None))),
        record.uuid.in_(select(post.conversion).where(post.conversion.is_not(None), _unsettled())),
    )
    old = and_(record.created_at < limit, record.changed_at < limit, ~needed)
    total = 0
    while True:
        with store.read() as connection:
            rows = connection.execute(select(tables.conversion).where(old).limit(BATCH)).mappings().all()
        if not rows:
            break
        keep("log", {"conversion": rows}, ())
        uuids = [row["uuid"] for row in rows]
        with store.write() as tx:
            # What was run again meanwhile is left, and found by its words.
            forgotten = delete(tables.conversion).where(record.uuid.in_(uuids), old).returning(record.uuid)
            gone = tx.execute(forgotten).scalars().all()
            tx.execute(delete(tables.word).where(tables.word.c.conversion.in_(gone)))
            tx.execute(delete(notice_tables.untold).where(notice_tables.untold.c.conversion.in_(gone)))
        total += len(rows)
    _forget_envelopes(store, limit, keep)
    receipt, exchange, mail = tables.receipt.c, tables.as2_exchange.c, notice_tables.mail.c
    message = tables.as2_message.c  # while it is known, a copy gets the stored answer; later it would be a new message
    accepted = message.receipt.in_(select(receipt.uuid).where(receipt.state == "received"))
    _delete(store, tables.as2_message, message.receipt, and_(message.received_at < limit, ~accepted))
    named = or_(
        receipt.uuid.in_(select(message.receipt)),
        receipt.uuid.in_(select(file.receipt).where(file.receipt.is_not(None))),
        receipt.uuid.in_(select(record.receipt).where(record.receipt.is_not(None))),
    )
    _delete(store, tables.receipt, receipt.uuid, and_(receipt.received_at < limit, receipt.state != "received", ~named))
    pending = _is_subject_of("mdn", cast(exchange.number, Text))
    _delete(store, tables.as2_exchange, exchange.number, and_(exchange.started_at < limit, ~pending))
    _delete(store, notice_tables.mail, mail.message_id, and_(mail.changed_at < limit, mail.state != "waiting"))
    return total


def forget_audit(store: Store, *, older_than: timedelta, keep: Keeper = nowhere) -> None:
    """Forget what was done through the admin API and the pages before."""
    row = access_tables.audit.c
    old = row.at < datetime.now(UTC) - older_than
    while True:
        with store.read() as connection:
            rows = connection.execute(select(access_tables.audit).where(old).limit(BATCH)).mappings().all()
        if not rows:
            return
        keep("audit", {"audit": rows}, ())
        with store.write() as tx:
            tx.execute(delete(access_tables.audit).where(row.number.in_([found["number"] for found in rows])))


def _forget_envelopes(store: Store, limit: datetime, keep: Keeper) -> None:
    envelope, arrival, post, record = tables.envelope.c, tables.arrival.c, tables.post.c, tables.conversion.c
    needed = or_(
        envelope.uuid.in_(select(arrival.envelope).where(arrival.state == "received")),
        envelope.uuid.in_(select(post.envelope).where(_unsettled())),
        # A record that is left, because it failed and can be run again, runs on the envelope.
        envelope.uuid.in_(select(arrival.envelope).where(arrival.uuid.in_(select(record.arrival)))),
    )
    old = and_(envelope.created_at < limit, envelope.changed_at < limit, envelope.status.in_(_CLOSED), ~needed)
    while True:
        with store.read() as connection:
            rows = connection.execute(select(tables.envelope).where(old).limit(BATCH)).mappings().all()
            uuids = [row["uuid"] for row in rows]
            events = connection.execute(select(tables.event).where(tables.event.c.envelope.in_(uuids))).mappings().all()
            of_envelope = tables.attachment.c.envelope.in_(uuids)
            attached = connection.execute(select(tables.attachment).where(of_envelope)).mappings().all()
        if not rows:
            return
        names = [row["sha256"] for row in (*rows, *attached)]
        keep("envelopes", {"envelope": rows, "event": events, "attachment": attached}, names)
        with store.write() as tx:
            # What is run again while this goes into the archive is left; who comes later waits, and finds it gone.
            for named in (arrival.envelope, post.envelope):
                tx.execute(select(named).where(named.in_(uuids)).with_for_update())
            over = tx.execute(select(envelope.uuid).where(envelope.uuid.in_(uuids), old)).scalars().all()
            for table in (tables.attachment, tables.event, tables.arrival, tables.post):
                tx.execute(delete(table).where(table.c.envelope.in_(over)))
            tx.execute(delete(tables.envelope).where(envelope.uuid.in_(over)))


def _unsettled() -> ColumnElement[bool]:
    return tables.post.c.state.in_(("waiting", "sent"))


def _is_subject_of(kind: JobKind, subject: ColumnElement[str]) -> ColumnElement[bool]:
    """Return the condition that a job of a kind is at work on a subject; each state has an index of its own."""
    job = tables.job.c
    states = (JobState.READY, JobState.RUNNING, JobState.RETRYING)
    return or_(*(subject.in_(select(job.subject).where(job.kind == kind, is_in(state))) for state in states))


def _replace(store: Store, table: Table, key: Column[object], which: ColumnElement[bool], gone: str) -> None:
    while True:
        with store.write() as tx:
            found = select(key).where(which).limit(BATCH).scalar_subquery()
            # Asked twice, because what is being run again at this moment is not found to be so by the first alone.
            if tx.execute(update(table).where(key.in_(found), which).values(sha256=gone)).rowcount < BATCH:
                return


def _delete(store: Store, table: Table, key: Column[object], which: ColumnElement[bool]) -> None:
    while True:
        with store.write() as tx:
            found = tx.execute(select(key).where(which).limit(BATCH)).scalars().all()
            # Asked twice, as above.
            tx.execute(delete(table).where(key.in_(found), which))
        if len(found) < BATCH:
            return
