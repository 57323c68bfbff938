"""Posting to partners' servers, each message under the Message-ID that it was given before the first try."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol, assert_never

from sqlalchemy import Connection

from reconciler.errors import NotFoundError
from reconciler.jobs import measures, notices
from reconciler.jobs.directory import Directory
from reconciler.jobs.job import FinalError, LaterError, retry_in
from reconciler.model.rule import Direction
from reconciler.protocols.as2.ports import DeliveryError, MdnOutcome, Outgoing, Post, Sent
from reconciler.protocols.protocol import Partner
from reconciler.store import conversions, envelopes, exchanges, jobs, posts
from reconciler.store.blobs import Batch
from reconciler.store.conversions import Conversion, ConversionStatus
from reconciler.store.database import Store
from reconciler.store.exchanges import Exchange
from reconciler.store.jobs import Job
from reconciler.store.posts import StoredPost
from reconciler.store.row_uuid import new_row_uuid

HOLD = timedelta(seconds=5)
"""How long a message waits at a time while no remote connection is possible: its mailbox's integration is off."""

MDN_DEADLINE = timedelta(hours=1)
"""How long an asynchronous MDN may take before the message is posted again."""


_log = logging.getLogger(__name__)


class Poster(Protocol):
    """Posts a message to a partner. Raises DeliveryError."""

    def __call__(self, partner: Partner, post: Post, /) -> Sent:
        """Return what the partner's server answered."""
        ...


class Posting:
    """Handles jobs of kind `post`; the subject is the Message-ID. `posters` post, by protocol."""

    def __init__(self, store: Store, directory: Directory, posters: Mapping[str, Poster]) -> None:
        self._store = store
        self._directory = directory
        self._posters = posters

    def handle(self, job: Job) -> None:
        """Post the message, and end the job once the partner confirmed it."""
        snapshot = self._directory.current()
        with self._store.read() as connection:
            stored = posts.get(connection, job.subject)
            payload = self._store.blobs.read(connection, stored.sha256)
        if stored.state == "delivered":
            with self._store.write() as tx:
                jobs.finish(tx, job)
            return
        partner = snapshot.partner(stored.mailbox)
        poster = self._posters.get(snapshot.exchange(stored.mailbox).protocol)
        if partner is None or poster is None:
            with self._store.write() as tx:
                jobs.put_off(tx, job, delay=HOLD)
            return
        if stored.state == "rejected":
            raise FinalError(stored.error)
        sent = self._post(poster, partner, job, stored, payload)
        if sent.mdn is None and partner.settings.get("mdn") == "async":
            self._keep(job, stored, sent.wire, "sent, awaits its MDN", "")
            self._await_mdn(job, stored, sent)
        else:
            self._settle(job, stored, sent)

    def _post(self, poster: Poster, partner: Partner, job: Job, stored: StoredPost, payload: bytes) -> Sent:
        post = Post(
            message_id=stored.message_id,
            payload=payload,
            file_name=stored.file_name,
            content_type=stored.content_type,
            subject=stored.subject or stored.file_name,
        )
        try:
            return poster(partner, post)
        except DeliveryError as error:
            self._keep(job, stored, error.wire, "not delivered", str(error))
            if not error.retryable:
                raise FinalError(str(error)) from error
            usual = retry_in(job, jitter=0)
            if error.retry_after is not None and usual is not None:
                asked = timedelta(seconds=min(error.retry_after, 86400))
                raise LaterError(str(error), delay=max(usual, asked)) from error
            raise

    def _await_mdn(self, job: Job, stored: StoredPost, sent: Sent) -> None:
        """Remember that the message is with the partner; unless its MDN comes, it is posted again.

        The MDN may have been faster than the answer to our post.
        """
        with self._store.write() as tx:
            now = posts.locked(tx, stored.message_id)
            if now.state == "delivered":
                jobs.finish(tx, job)
                return
            if now.state == "rejected":
                raise FinalError(now.error)
            if retry_in(job, jitter=0) is None:
                raise FinalError("no MDN came within the hour")
            if now.state == "waiting":
                posts.change(tx, stored.message_id, "sent", mic=sent.mic, mic_algorithm=sent.mic_algorithm)
            # Together with that, for an MDN that comes now hastens the job only once it waits for its time.
            jobs.fail(tx, job, error="no MDN came within the hour", retry_in=MDN_DEADLINE)

    def _settle(self, job: Job, stored: StoredPost, sent: Sent) -> None:
        """Record what the partner's server answered, and end the job if that is final."""
        if sent.mdn is None:
            self._delivered(job, stored, sent)
            return
        match sent.mdn.outcome:
            case MdnOutcome.CONFIRMED:
                self._delivered(job, stored, sent)
            case MdnOutcome.REJECTED:
                self._keep(job, stored, sent.wire, "MDN rejected", sent.mdn.reason)
                raise FinalError(f"the partner could not process the message: {sent.mdn.reason}")
            case MdnOutcome.DOUBTFUL:
                self._keep(job, stored, sent.wire, "MDN doubtful", sent.mdn.reason)
                self._tell_doubt(job, stored, sent.mdn.reason)
                raise DeliveryError(f"the MDN proves nothing: {sent.mdn.reason}", retryable=True)
            case _:
                assert_never(sent.mdn.outcome)

    def _tell_doubt(self, job: Job, stored: StoredPost, reason: str) -> None:
        snapshot = self._directory.current()
        exchange, key = snapshot.exchange(stored.mailbox), snapshot.keys.get(stored.mailbox)
        with self._store.write() as tx:
            jobs.require_held(tx, job)
            notices.of_doubt(tx, exchange, key, message_id=stored.message_id, reason=reason)

    def _delivered(self, job: Job, stored: StoredPost, sent: Sent) -> None:
        batch = Batch(self._store.blobs)
        mdn = batch.add(sent.wire.answer) if sent.wire.answer else None
        wire = replace(_exchange(stored, sent.wire, "delivered", ""), mic=sent.mic, mic_algorithm=sent.mic_algorithm)
        with self._store.write() as tx:
            jobs.finish(tx, job)
            batch.put(tx)
            exchanges.add(tx, wire)
            posts.change(tx, stored.message_id, "delivered", mic=sent.mic, mic_algorithm=sent.mic_algorithm, mdn=mdn)
            mark_delivered(tx, stored)
        measures.DELIVERIES.labels("posted").inc()
        measures.DISPOSITIONS.labels("out", "delivered").inc()
        _log.info("message %s is delivered", stored.message_id, extra={"envelope": str(stored.envelope)})

    def _keep(self, job: Job, stored: StoredPost, wire: Outgoing | None, outcome: str, reason: str) -> None:
        """Record a try that did not end the matter."""
        if wire is not None:
            with self._store.write() as tx:
                jobs.require_held(tx, job)
                exchanges.add(tx, _exchange(stored, wire, outcome, reason))
            measures.DISPOSITIONS.labels("out", outcome).inc()

    def give_up(self, job: Job, error: str) -> None:
        """End a message that could not be delivered: its conversion is FAILED, and can be run again."""
        snapshot = self._directory.current()
        now = datetime.now(UTC)
        with self._store.write() as tx:
            stored = posts.locked(tx, job.subject)
            if stored.state == "delivered":  # its MDN came at the last moment
                jobs.finish(tx, job)
                return
            jobs.fail(tx, job, error=error, retry_in=None)
            record = replace(
                _record(tx, stored, now),
                status=ConversionStatus.FAILED,
                changed_at=now,
                error_code="delivery_failed",
                error=f"message {stored.message_id} was not delivered: {error}",
            )
            conversions.put(tx, record)
            posts.fail(tx, stored.message_id, error=error, conversion=record.uuid)
            notices.of_failure(tx, snapshot.exchange(stored.mailbox), record)
        measures.DELIVERIES.labels("failed").inc()


def _exchange(stored: StoredPost, wire: Outgoing, outcome: str, reason: str) -> Exchange:
    return Exchange(
        mailbox=stored.mailbox,
        message_id=stored.message_id,
        direction="out",
        outcome=outcome,
        reason=reason,
        started_at=wire.started_at,
        seconds=wire.seconds,
        headers=wire.headers,
        wire_size=wire.wire_size,
        status=wire.status,
        answer_headers=wire.answer_headers,
        answer=wire.answer,
    )


def mark_delivered(tx: Connection, stored: StoredPost) -> None:
    """Let a log record that had failed for want of delivery say that it succeeded after all."""
    if stored.conversion is None:
        return
    record = conversions.get(tx, stored.conversion)
    if record.status is ConversionStatus.FAILED:
        mended = replace(
            record, status=ConversionStatus.REPROCESSED, changed_at=datetime.now(UTC), error_code="", error=""
        )
        conversions.put(tx, mended)


def _record(tx: Connection, stored: StoredPost, now: datetime) -> Conversion:
    """Return the log record of a message; a copy of an envelope as it is has had none until now."""
    if stored.conversion is not None:
        return conversions.get(tx, stored.conversion)
    arrival = next((row for row in envelopes.arrivals(tx, stored.envelope) if row.mailbox == stored.mailbox), None)
    if arrival is None:
        raise NotFoundError(f"envelope {stored.envelope} never arrived in mailbox {stored.mailbox}")
    return Conversion(
        uuid=new_row_uuid(),
        created_at=now,
        changed_at=now,
        status=ConversionStatus.FAILED,
        direction=Direction.IN,
        mailbox=stored.mailbox,
        rule=None,
        arrival=arrival.uuid,
        envelopes=[stored.envelope],
        file_name=stored.file_name,
        subject=stored.subject,
        input=stored.sha256,
        output=stored.sha256,
    )
