"""Dead letters: jobs that were given up, kept until somebody has them run again or drops them."""

from typing import assert_never

from sqlalchemy import Connection

from reconciler.errors import NotFoundError, ReconcilerError
from reconciler.jobs.reprocessing import convert_again
from reconciler.store import conversions, jobs, mails, posts
from reconciler.store.conversions import ConversionStatus
from reconciler.store.job_states import JobState
from reconciler.store.jobs import JobRow


def retry(tx: Connection, number: int) -> JobRow:
    """Have a dead job run again, from its first attempt. Raises NotFoundError, or ReconcilerError when it lives."""
    row = _dead(tx, number)
    match row.kind:
        case "post":
            _retry_post(tx, row)
        case "mail":
            _revive(tx, row)
            mails.change(tx, row.subject, "waiting")
        case "receipt" | "arrival" | "mdn" | "digest" | "expiry":
            _revive(tx, row)
        case _:
            assert_never(row.kind)
    return row


def drop(tx: Connection, number: int) -> JobRow:
    """Let a dead job be. Raises NotFoundError, or ReconcilerError when it lives."""
    row = _dead(tx, number)
    if not jobs.drop(tx, number):
        raise _alive(number)
    return row


def _dead(tx: Connection, number: int) -> JobRow:
    row = jobs.find(tx, number)
    if row is None:
        raise NotFoundError(f"There is no job {number}. See: reconciler job list")
    if row.state is not JobState.DEAD:
        raise ReconcilerError(f"Job {number} is {row.state}, not dead; nothing was changed.")
    return row


def _retry_post(tx: Connection, row: JobRow) -> None:
    """Post the same message again; its log record, which says that it failed, is run again with it."""
    post = posts.get(tx, row.subject)
    record = None if post.conversion is None else conversions.get(tx, post.conversion)
    if record is not None and record.status is ConversionStatus.FAILED:
        convert_again(tx, record)
    else:
        _revive(tx, row)
        posts.change(tx, post.message_id, "waiting")


def _revive(tx: Connection, row: JobRow) -> None:
    if not jobs.revive(tx, row.kind, row.subject):
        raise _alive(row.number)


def _alive(number: int) -> ReconcilerError:
    return ReconcilerError(f"Job {number} was retried or dropped by another at this moment; nothing was changed.")
