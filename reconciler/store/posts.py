"""What is posted to partners over AS2 and what came from them: identities fixed before the first try."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import Connection, insert, select, update

from reconciler.errors import NotFoundError
from reconciler.store import tables
from reconciler.store.conversions import Conversion
from reconciler.store.upsert import insert_if_absent

REFUSED = "message_refused"
"""The error of a message that was not taken; its record's file name is the Message-ID."""

LOST = "message_lost"
"""The error of a message that was taken and is not there any more; its record's file name is the Message-ID too."""

PostState = Literal["waiting", "sent", "delivered", "rejected", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPost:
    """A payload for a partner. `sent` means: posted, and its MDN is still to come."""

    message_id: str
    mailbox: UUID
    envelope: UUID
    conversion: UUID | None
    sha256: str
    file_name: str
    content_type: str
    subject: str
    state: PostState = "waiting"
    mic: str = ""
    mic_algorithm: str = ""
    mdn: str | None = None
    error: str = ""
    changed_at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The answer that a partner's message got, to be given again to every copy of that message."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def add(tx: Connection, post: StoredPost) -> None:
    """Record what is to be posted."""
    tx.execute(insert(tables.post).values(asdict(post)))


def get(connection: Connection, message_id: str) -> StoredPost:
    """Return a post. Raises NotFoundError."""
    row = connection.execute(select(tables.post).where(tables.post.c.message_id == message_id)).mappings().first()
    if row is None:
        raise _not_posted(message_id)
    return StoredPost(**row)


def _not_posted(message_id: str) -> NotFoundError:
    return NotFoundError(f"Nothing was posted as {message_id}.")


def locked(tx: Connection, message_id: str) -> StoredPost:
    """Return a post that nobody else changes until this transaction ends. Raises NotFoundError."""
    tx.execute(select(tables.post.c.message_id).where(tables.post.c.message_id == message_id).with_for_update())
    return get(tx, message_id)


def of_conversion(connection: Connection, conversion: UUID) -> StoredPost | None:
    """Return the post that carries the output of a conversion, or None."""
    row = connection.execute(select(tables.post).where(tables.post.c.conversion == conversion)).mappings().first()
    return None if row is None else StoredPost(**row)


def received_as(connection: Connection, record: Conversion) -> str | None:
    """Return the Message-ID under which the input of a conversion came over AS2; None when it came otherwise."""
    if record.error_code in {REFUSED, LOST}:
        return record.file_name
    row = tables.as2_message.c
    query = select(row.message_id).where(row.receipt == record.receipt)
    return connection.execute(query).scalars().first() if record.receipt else None


def change(
    tx: Connection,
    message_id: str,
    state: PostState,
    *,
    mic: str = "",
    mic_algorithm: str = "",
    mdn: str | None = None,
    error: str = "",
) -> None:
    """Say how far a post is, with what was learned of it. Raises NotFoundError when it was forgotten."""
    changed = tx.execute(
        update(tables.post)
        .where(tables.post.c.message_id == message_id)
        .values(state=state, mic=mic, mic_algorithm=mic_algorithm, mdn=mdn, error=error, changed_at=datetime.now(UTC))
    )
    if changed.rowcount != 1:
        raise _not_posted(message_id)


def fail(tx: Connection, message_id: str, *, error: str, conversion: UUID) -> None:
    """Say that a post ended undelivered, and which log record says so."""
    tx.execute(
        update(tables.post)
        .where(tables.post.c.message_id == message_id)
        .values(state="failed", error=error, conversion=conversion, changed_at=datetime.now(UTC))
    )


def answer_to(connection: Connection, *, as2_from: str, as2_to: str, message_id: str) -> StoredAnswer | None:
    """Return the answer that a message got when it was received, or None when it was not."""
    row = tables.as2_message.c
    found = connection.execute(
        select(row.answer_status, row.answer_headers, row.answer).where(
            row.as2_from == as2_from, row.as2_to == as2_to, row.message_id == message_id
        )
    ).first()
    return None if found is None else StoredAnswer(found.answer_status, found.answer_headers, found.answer)


def record_answer(
    tx: Connection, *, as2_from: str, as2_to: str, message_id: str, receipt: UUID, answer: StoredAnswer
) -> bool:
    """Record a received message with its answer; False, and nothing recorded, when a copy of it was first."""
    return insert_if_absent(
        tx,
        tables.as2_message,
        {
            "as2_from": as2_from,
            "as2_to": as2_to,
            "message_id": message_id,
            "receipt": receipt,
            "answer_status": answer.status,
            "answer_headers": dict(answer.headers),
            "answer": answer.body,
            "received_at": datetime.now(UTC),
        },
    )
