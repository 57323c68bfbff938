"""Posting asynchronous MDNs to where partners' messages said."""

from collections.abc import Callable

from reconciler.jobs.directory import Directory
from reconciler.jobs.job import FinalError
from reconciler.protocols.as2.ports import Answer, DeliveryError, Outgoing
from reconciler.protocols.protocol import Partner
from reconciler.store import exchanges, jobs
from reconciler.store.database import Store
from reconciler.store.jobs import Job

MdnPoster = Callable[[Partner, str, Answer], Outgoing]
"""Posts an MDN to a URL. Raises DeliveryError."""


class MdnPosting:
    """Handles jobs of kind `mdn`; the subject is the number of the exchange whose answer the MDN is."""

    def __init__(self, store: Store, directory: Directory, post: MdnPoster) -> None:
        self._store = store
        self._directory = directory
        self._post = post

    def handle(self, job: Job) -> None:
        """Post the MDN, and end the job once the partner took it."""
        with self._store.read() as connection:
            exchange = exchanges.get(connection, int(job.subject))
        partner = self._directory.current().partner(exchange.mailbox)
        if partner is None or exchange.mdn_url is None:
            raise FinalError("the integration is off: no MDN is posted")
        mdn = Answer(exchange.status, exchange.answer_headers, exchange.answer)
        try:
            self._post(partner, exchange.mdn_url, mdn)
        except DeliveryError as error:
            if not error.retryable:
                raise FinalError(str(error)) from error
            raise
        with self._store.write() as tx:
            jobs.finish(tx, job)

    def give_up(self, job: Job, error: str) -> None:
        """End the job: a partner that misses the MDN posts its message again, and gets the same MDN."""
        with self._store.write() as tx:
            jobs.fail(tx, job, error=error, retry_in=None)
