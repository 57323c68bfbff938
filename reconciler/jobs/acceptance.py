"""The moment from which an input cannot be lost: payload, file, receipt and job in the caller's transaction."""

from collections.abc import Iterable
from datetime import datetime
from fnmatch import fnmatchcase
from uuid import UUID

from sqlalchemy import Connection

from reconciler.store import files, jobs, receipts
from reconciler.store.receipts import Receipt

NATIVE_FOLDER = "outbox"
PARTNER_FOLDER = "coutbox"


def is_temporary(name: str, patterns: Iterable[str]) -> bool:
    """Say whether a file waits for its rename: clients upload under such names, and the rename is what counts."""
    return any(fnmatchcase(name.lower(), pattern.lower()) for pattern in patterns)


def accept(tx: Connection, receipt: Receipt, *, queue: str = "") -> None:
    """Record an input and what is to be done with it; behind others of `queue`, where the mailbox keeps the order."""
    receipts.add(tx, receipt)
    jobs.add(tx, "receipt", receipt.uuid, queue=queue, ordered=bool(queue))


def place(
    tx: Connection,
    mailbox: UUID,
    folder: str,
    name: str,
    *,
    sha256: str,
    size: int,
    temporary: Iterable[str],
    queue: str = "",
    modified_at: datetime | None = None,
    exclusive: bool = False,
) -> bool:
    """Place an uploaded or moved file in a folder, and accept it where the folder and the name say that it is meant.

    With `exclusive`, the answer is False where the name is taken; the caller's transaction must not be committed then.
    """
    receipt = None
    if folder in {NATIVE_FOLDER, PARTNER_FOLDER} and not is_temporary(name, temporary):
        native = folder == NATIVE_FOLDER
        receipt = Receipt(mailbox=mailbox, channel="sftp", native=native, name=name, sha256=sha256, size=size)
        accept(tx, receipt, queue=queue)
    return files.put(
        tx,
        mailbox,
        folder,
        name,
        sha256=sha256,
        size=size,
        receipt=receipt.uuid if receipt else None,
        modified_at=modified_at,
        exclusive=exclusive,
    )
