"""The queues of destinations: how they are called, and what their mailboxes let them bear."""

import sys
from uuid import UUID

from reconciler.jobs.directory import Directory, Snapshot
from reconciler.store.destinations import Limit
from reconciler.store.jobs import JobKind, queue_of

UNLIMITED = Limit(concurrency=sys.maxsize)


def ordered_queue(kind: JobKind, mailbox: UUID, snapshot: Snapshot) -> str:
    """Return the queue of a mailbox that keeps the order, and an empty one for all others."""
    return queue_of(kind, mailbox) if snapshot.is_ordered(mailbox) else ""


class Limits:
    """Says what destinations bear, as the newest configuration has it."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def __call__(self, queue: str) -> Limit:
        """Return the limit of a queue."""
        _, _, mailbox = queue.partition("/")
        if not mailbox:
            return UNLIMITED  # the queue of whatever belongs to no destination
        return self._directory.known().limit(UUID(mailbox))
