"""Envelopes whose time is up before everybody has done their part."""

from uuid import UUID

from reconciler.envelope import xml
from reconciler.envelope.status import Event, advance, expires_at
from reconciler.envelope.xml import Status
from reconciler.envelope.xml_writing import to_xml
from reconciler.store import envelopes, jobs
from reconciler.store.blobs import Batch
from reconciler.store.database import Store
from reconciler.store.jobs import Job
from reconciler.store.moment import steady_moment


class EnvelopeExpiry:
    """Handles jobs of kind `expiry`; the subject is the envelope's UUID."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def handle(self, job: Job) -> None:
        """Let the envelope expire, unless it has ended already.

        Two clocks have to agree that its time is up: the one that made this job due, and this process's own, which
        nobody puts forward.
        """
        with self._store.read() as connection:
            row = envelopes.get(connection, UUID(job.subject))
            content = self._store.blobs.read(connection, row.sha256)
        now = steady_moment()
        envelope = xml.parse(content)
        end = expires_at(envelope, row.created_at)
        if end is not None and end > now:
            with self._store.write() as tx:
                jobs.put_off(tx, job, delay=end - now)
            return
        if Status(row.status) not in {Status.SENT, Status.WAITING}:
            with self._store.write() as tx:
                jobs.finish(tx, job)
            return
        status = advance(Status(row.status), Event.EXPIRE)
        batch = Batch(self._store.blobs)
        sha256 = batch.add(to_xml(envelope.with_state(status, date=now)))
        with self._store.write() as tx:
            jobs.finish(tx, job)
            batch.put(tx)
            envelopes.change_status(tx, row, status=status, reason="", sha256=sha256)
            envelopes.add_event(tx, row.uuid, status.lower())

    def give_up(self, job: Job, error: str) -> None:
        """End the job: it is kept as a dead letter, and the envelope as it is."""
        with self._store.write() as tx:
            jobs.fail(tx, job, error=error, retry_in=None)
