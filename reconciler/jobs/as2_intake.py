"""What AS2 partners send, kept in the store: payload, receipt, job and MDN in one transaction."""

from collections.abc import Callable

from reconciler.errors import NotFoundError
from reconciler.jobs.acceptance import accept
from reconciler.jobs.directory import Directory
from reconciler.jobs.posting import mark_delivered
from reconciler.jobs.queues import ordered_queue
from reconciler.model.source_file import ContentReader
from reconciler.protocols.as2.ports import Answer, Expectation, MdnOutcome, MdnVerdict, Post, Received
from reconciler.protocols.as2.sender import expect
from reconciler.store import jobs, posts
from reconciler.store.database import Store
from reconciler.store.posts import StoredAnswer, StoredPost
from reconciler.store.receipts import Receipt


class StoreIntake:
    """Implements the AS2 endpoint's port `Intake`. `wake` is called after a commit that leaves work to be done."""

    def __init__(self, store: Store, directory: Directory, content: ContentReader, wake: Callable[[], None]) -> None:
        self._store = store
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
        sealed = self._store.blobs.seal(received.payload)
        receipt = Receipt(
            mailbox=received.mailbox,
            channel="as2",
            native=False,
            name=received.file_name,
            sha256=sealed.sha256,
            size=sealed.size,
            content_type=received.content_type,
            attributes=received.attributes,
        )
        answer = StoredAnswer(received.mdn.status, received.mdn.headers, received.mdn.body)
        with self._store.write() as tx:
            first = posts.record_answer(
                tx,
                as2_from=received.as2_from,
                as2_to=received.as2_to,
                message_id=received.message_id,
                receipt=receipt.uuid,
                answer=answer,
            )
            if first:
                self._store.blobs.put(tx, sealed)
                accept(tx, receipt, queue=ordered_queue("receipt", receipt.mailbox, self._directory.known()))
        if first:
            self._wake()
            return received.mdn
        earlier = self.stored_answer(as2_from=received.as2_from, as2_to=received.as2_to, message_id=received.message_id)
        return earlier or received.mdn

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
        return expect(partner, _post(stored, payload), content=self._content)

    def settle(self, message_id: str, verdict: MdnVerdict) -> None:
        """Record what an asynchronous MDN said; what proves nothing changes nothing."""
        with self._store.write() as tx:
            stored = posts.get(tx, message_id)
            if stored.state not in {"waiting", "sent"}:
                return
            if verdict.outcome is MdnOutcome.CONFIRMED:
                posts.change(tx, message_id, "delivered", mic=stored.mic, mic_algorithm=stored.mic_algorithm)
                mark_delivered(tx, stored)
            elif verdict.outcome is MdnOutcome.REJECTED:
                posts.change(tx, message_id, "rejected", error=verdict.reason)
            jobs.hasten(tx, "post", message_id)
        self._wake()


def _post(stored: StoredPost, payload: bytes) -> Post:
    return Post(
        message_id=stored.message_id,
        payload=payload,
        file_name=stored.file_name,
        content_type=stored.content_type,
        subject=stored.subject or stored.file_name,
    )
