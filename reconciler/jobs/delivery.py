"""Handing a file to the partner, as part of a transaction: into its folder, or as a message to be posted."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import Connection

from reconciler.conversion.naming import alternatives
from reconciler.protocols.sftp.settings import NAME as SFTP
from reconciler.store import files, jobs, posts
from reconciler.store.posts import StoredPost

COPIES = "inbox"
CONVERTED = "cinbox"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A file for a mailbox's partner. `conversion` is its log record; a copy of an envelope as it is has none."""

    mailbox: UUID
    protocol: str
    envelope: UUID
    conversion: UUID | None
    name: str
    sha256: str
    size: int
    content_type: str
    subject: str
    now: datetime
    ordered: bool = False


def deliver(tx: Connection, delivery: Delivery) -> str:
    """Deliver into the partner's folder, or record the message that will be posted; return the file's name."""
    if delivery.protocol == SFTP:
        return files.put_new(
            tx,
            delivery.mailbox,
            COPIES if delivery.conversion is None else CONVERTED,
            alternatives(delivery.name, delivery.now),
            sha256=delivery.sha256,
            size=delivery.size,
            conversion=None,
        )
    # Short, because some products take a Message-ID that a header had to be folded for as another one.
    message_id = f"{uuid4().hex}@reconciler.invalid"
    posts.add(
        tx,
        StoredPost(
            message_id=message_id,
            mailbox=delivery.mailbox,
            envelope=delivery.envelope,
            conversion=delivery.conversion,
            sha256=delivery.sha256,
            file_name=delivery.name,
            content_type=delivery.content_type,
            subject=delivery.subject,
        ),
    )
    jobs.add(tx, "post", message_id, queue=jobs.queue_of("post", delivery.mailbox), ordered=delivery.ordered)
    return delivery.name
