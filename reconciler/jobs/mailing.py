"""Sending mail, each under the Message-ID that it was given before the first try."""

from collections.abc import Callable

from reconciler.jobs.job import FinalError
from reconciler.store import jobs, mails
from reconciler.store.database import Store
from reconciler.store.jobs import Job
from reconciler.store.mails import StoredMail

Mailer = Callable[[StoredMail], None]
"""Hands a mail to the mail server. Raises OSError when that cannot be reached or refuses it."""


class Mailing:
    """Handles jobs of kind `mail`; the subject is the Message-ID. Without a mailer, mail is recorded as failed."""

    def __init__(self, store: Store, mailer: Mailer | None) -> None:
        self._store = store
        self._mailer = mailer

    def handle(self, job: Job) -> None:
        """Send the mail."""
        with self._store.read() as connection:
            mail = mails.get(connection, job.subject)
        if self._mailer is None:
            raise FinalError("no mail server is configured: gateway.smtp is absent from reconciler.yaml")
        self._mailer(mail)
        with self._store.write() as tx:
            jobs.finish(tx, job)
            mails.change(tx, mail.message_id, "sent")

    def give_up(self, job: Job, error: str) -> None:
        """End a mail that no server took."""
        with self._store.write() as tx:
            jobs.fail(tx, job, error=error, retry_in=None)
            mails.change(tx, job.subject, "failed")
