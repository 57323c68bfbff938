"""What AS2 partners send, kept in the store: payloads, receipts, jobs and MDN in one transaction."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import assert_never

from sqlalchemy import Connection

from reconciler.errors import NotFoundError
from reconciler.jobs import measures, notices
from reconciler.jobs.acceptance import accept
from reconciler.jobs.directory import Directory
from reconciler.jobs.posting import mark_delivered
from reconciler.jobs.queues import ordered_queue
from reconciler.jobs.tracing import Tracer, untold
from reconciler.model.rule import Direction
from reconciler.model.source_file import ContentReader
from reconciler.protocols.as2.der import Bytes
from reconciler.protocols.as2.ports import (
    Answer,
    Expectation,
    Incoming,
    MdnOutcome,
    MdnVerdict,
    Outcome,
    Post,
    Received,
)
from reconciler.protocols.as2.sender import expect
from reconciler.store import conversions, exchanges, jobs, posts
from reconciler.store.blobs import Batch
from reconciler.store.conversions import Conversion, ConversionStatus
from reconciler.store.database import Store
from reconciler.store.exchanges import Exchange
from reconciler.store.posts import StoredAnswer, StoredPost
from reconciler.store.receipts import Receipt

MOST_ALERTS = 20
"""Refused messages of one mailbox in an hour that become log records and mails, and MDNs about one message that are
kept: names in headers can be forged."""

MOST_NOTES = 1000
"""Refused messages and stray MDNs of one mailbox in an hour that are recorded at all."""

_log = logging.getLogger(__name__)


class StoreIntake:
    """Implements the AS2 endpoint's port `Intake`. `wake` is called after a commit that leaves work to be done."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        content: ContentReader,
        wake: Callable[[], None],
        tracer: Tracer = untold,
    ) -> None:
        self._store = store
        self._tracer = tracer
        self._directory = directory
        self._content = content
        self._wake = wake

    def stored_answer(self, *, as2_from: str, as2_to: str, message_id: str) -> Answer | None:
        """Return the MDN of an earlier copy of this message."""
        with self._store.read() as connection:
            found = posts.answer_to(connection, as2_from=as2_from, as2_to=as2_to, message_id=message_id)
        return None if found is None else Answer(found.status, found.headers, found.body)

    def receive(self, received: Received) -> Answer:
        """Commit a message, unless a copy of it is committed already; return the MDN that is committed."""
        with self._tracer("as2 message", mailbox=str(received.mailbox)):
            return self._receive(received)

    def _receive(self, received: Received) -> Answer:
        files = [(received.file_name, received.content_type, received.payload)]
        files += [(each.file_name, each.content_type, each.payload) for each in received.attachments]
        batch = Batch(self._store.blobs)
        accepted = [_receipt(received, batch, *file) for file in files]
        answer = StoredAnswer(received.mdn.status, received.mdn.headers, received.mdn.body)
        with self._store.write() as tx:
            first = posts.record_answer(
                tx,
                as2_from=received.as2_from,
                as2_to=received.as2_to,
                message_id=received.message_id,
                receipt=accepted[0].uuid,
                answer=answer,
            )
            if first:
                queue = ordered_queue("receipt", received.mailbox, self._directory.known())
                batch.put(tx)
                for receipt in accepted:
                    accept(tx, receipt, queue=queue)
                _keep(tx, received)
        if first:
            measures.DISPOSITIONS.labels("in", received.outcome.value).inc()
            names = ", ".join(name for name, _, _ in files)
            _log.info("mailbox %s: received %s as message %s", received.mailbox, names, received.message_id)
            self._wake()
            return received.mdn
        earlier = self.stored_answer(as2_from=received.as2_from, as2_to=received.as2_to, message_id=received.message_id)
        committed = earlier or received.mdn
        self.note(replace(received, outcome=Outcome.COPY, mdn=committed))
        return committed

    def note(self, incoming: Incoming) -> None:
        """Record what was not taken as new, alert people of what was refused, and have its MDN posted if asked."""
        since = datetime.now(UTC) - timedelta(hours=1)
        batch = self._store.blobs.seal(_shown(incoming).encode())
        with self._store.write() as tx:
            noted = exchanges.count(tx, incoming.mailbox, str(incoming.outcome), since=since)
            is_repeated = exchanges.count(
                tx, incoming.mailbox, str(incoming.outcome), since=since, message_id=incoming.message_id
            )
            if noted < MOST_NOTES or incoming.outcome is Outcome.COPY:
                _keep(tx, incoming)
            if incoming.outcome is Outcome.REFUSED and noted < MOST_ALERTS and not is_repeated:
                self._store.blobs.put(tx, batch)
                self._alert(tx, incoming, batch.sha256)
        measures.DISPOSITIONS.labels("in", incoming.outcome.value).inc()
        self._wake()

    def _alert(self, tx: Connection, incoming: Incoming, shown: str) -> None:
        """Put a refused message into the conversion log, and tell whoever is told of failed conversions."""
        snapshot = self._directory.known()
        record = Conversion(
            status=ConversionStatus.FAILED,
            direction=Direction.OUT,
            mailbox=incoming.mailbox,
            rule=None,
            file_name=(incoming.message_id or "message")[:255],
            error_code=posts.REFUSED,
            error=incoming.reason,
            input=shown,
        )
        conversions.put(tx, record)
        notices.of_failure(tx, snapshot.exchange(incoming.mailbox), record)

    def expectation(self, message_id: str) -> Expectation | None:
        """Return what is expected of the asynchronous MDN of an own post, or None when none waits for one."""
        with self._store.read() as connection:
            try:
                stored = posts.get(connection, message_id)
            except NotFoundError:
                return None
            payload = self._store.blobs.read(connection, stored.sha256)
        partner = self._directory.current().partner(stored.mailbox)
        if partner is None or stored.state not in {"waiting", "sent"}:
            return None
        expected = expect(partner, _post(stored, payload), content=self._content)
        if not stored.mic:
            return expected
        # What was sent decides, whatever was applied since then.
        return replace(expected, mic=stored.mic, mic_algorithm=stored.mic_algorithm)

    def settle(self, message_id: str, verdict: MdnVerdict, incoming: Incoming) -> None:
        """Record what an asynchronous MDN said; what proves nothing changes nothing."""
        with self._store.write() as tx:
            stored = posts.locked(tx, message_id)
            is_waiting = stored.state in {"waiting", "sent"}
            outcome = f"MDN {verdict.outcome}" if is_waiting else Outcome.STRAY.value
            since = datetime.now(UTC) - timedelta(hours=1)
            if exchanges.count(tx, stored.mailbox, outcome, since=since, message_id=message_id) < MOST_ALERTS:
                exchanges.add(tx, replace(_exchange(incoming), outcome=outcome, reason=verdict.reason))
            if is_waiting:
                self._take_verdict(tx, stored, verdict)
        measures.DISPOSITIONS.labels("out", outcome).inc()
        self._wake()

    def _take_verdict(self, tx: Connection, stored: StoredPost, verdict: MdnVerdict) -> None:
        match verdict.outcome:
            case MdnOutcome.CONFIRMED:
                posts.change(tx, stored.message_id, "delivered", mic=stored.mic, mic_algorithm=stored.mic_algorithm)
                mark_delivered(tx, stored)
            case MdnOutcome.REJECTED:
                posts.change(tx, stored.message_id, "rejected", error=verdict.reason)
            case MdnOutcome.DOUBTFUL:
                snapshot = self._directory.known()
                exchange, key = snapshot.exchange(stored.mailbox), snapshot.keys.get(stored.mailbox)
                notices.of_doubt(tx, exchange, key, message_id=stored.message_id, reason=verdict.reason)
                return
            case _:
                assert_never(verdict.outcome)
        jobs.hasten(tx, "post", stored.message_id)


def _receipt(received: Received, batch: Batch, name: str, content_type: str, payload: Bytes) -> Receipt:
    """Return a file of a message as an input, with its bytes in `batch`."""
    return Receipt(
        mailbox=received.mailbox,
        channel="as2",
        native=False,
        name=name,
        sha256=batch.add(payload),
        size=len(payload),
        content_type=content_type,
        attributes={**received.attributes, "Content-Type": content_type},
    )


def _keep(tx: Connection, incoming: Incoming) -> None:
    """Record an exchange and, where the partner wants its MDN elsewhere, have that posted there."""
    number = exchanges.add(tx, _exchange(incoming))
    if incoming.async_mdn_url is not None:
        jobs.add(tx, "mdn", str(number), queue=jobs.queue_of("mdn", incoming.mailbox))


def _exchange(incoming: Incoming) -> Exchange:
    return Exchange(
        mailbox=incoming.mailbox,
        message_id=incoming.message_id,
        direction="in",
        outcome=incoming.outcome.value,
        reason=incoming.reason,
        started_at=incoming.started_at,
        seconds=(datetime.now(UTC) - incoming.started_at).total_seconds(),
        headers=incoming.headers,
        wire_size=incoming.wire_size,
        status=incoming.mdn.status,
        answer_headers=incoming.mdn.headers,
        answer=incoming.mdn.body,
        mic=incoming.mic,
        mic_algorithm=incoming.mic_algorithm,
        mdn_url=incoming.async_mdn_url,
    )


def _shown(incoming: Incoming) -> str:
    """Return what is kept as the input of a refused message: its headers, since its content is not believed."""
    lines = [f"{name}: {value}" for name, value in incoming.headers.items()]
    return "\n".join([*lines, "", f"({incoming.wire_size} bytes, refused: {incoming.reason})", ""])


def _post(stored: StoredPost, payload: bytes) -> Post:
    return Post(
        message_id=stored.message_id,
        payload=payload,
        file_name=stored.file_name,
        content_type=stored.content_type,
        subject=stored.subject or stored.file_name,
    )
