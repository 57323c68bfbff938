"""Telling a mailbox's notification address of its failures: the first at once, then all of an interval in one mail."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from reconciler.jobs import notices
from reconciler.jobs.directory import Directory
from reconciler.store import digests, jobs
from reconciler.store.database import Store
from reconciler.store.jobs import Job


class Digesting:
    """Handles jobs of kind `digest`; the subject is the mailbox's UUID. A mail lists the `first` failures."""

    def __init__(self, store: Store, directory: Directory, *, interval: timedelta, first: int) -> None:
        self._store = store
        self._directory = directory
        self._interval = interval
        self._first = first

    def handle(self, job: Job) -> None:
        """Write the mail, or put it off until an interval after the last one."""
        mailbox = UUID(job.subject)
        snapshot = self._directory.current()
        recipient = snapshot.exchange(mailbox).notify_email
        with self._store.write() as tx:
            last = digests.sent_at(tx, mailbox)
            early = timedelta() if last is None else last + self._interval - datetime.now(UTC)
            if early > timedelta():
                jobs.put_off(tx, job, delay=early)
                return
            jobs.finish(tx, job)
            digest = digests.take(tx, mailbox, first=self._first)
            if digest.total and recipient is not None:
                notices.of_failures(tx, recipient, str(snapshot.keys.get(mailbox, mailbox)), digest)

    def give_up(self, job: Job, error: str) -> None:
        """End the job; the next failure tells of these too."""
        with self._store.write() as tx:
            jobs.fail(tx, job, error=error, retry_in=None)
            digests.begin_anew(tx, UUID(job.subject))
