"""The moment from which an input cannot be lost: payload, file, receipt and job in the caller's transaction."""

from uuid import UUID

from sqlalchemy import Connection

from reconciler.store import files, jobs, receipts
from reconciler.store.receipts import Receipt

NATIVE_FOLDER = "outbox"
PARTNER_FOLDER = "coutbox"

TEMPORARY_ENDINGS = (".part", ".tmp", ".filepart")
"""Endings under which clients upload before they rename; the rename is what counts."""


def is_temporary(name: str) -> bool:
    """Say whether a file waits for its rename."""
    return name.startswith(".") or name.lower().endswith(TEMPORARY_ENDINGS)


def accept(tx: Connection, receipt: Receipt, *, queue: str = "") -> None:
    """Record an input and what is to be done with it; behind others of `queue`, where the mailbox keeps the order."""
    receipts.add(tx, receipt)
    jobs.add(tx, "receipt", receipt.uuid, queue=queue, ordered=bool(queue))


def place(tx: Connection, mailbox: UUID, folder: str, name: str, *, sha256: str, size: int, queue: str = "") -> None:
    """Place an uploaded or moved file in a folder, and accept it where the folder and the name say that it is meant."""
    receipt = None
    if folder in {NATIVE_FOLDER, PARTNER_FOLDER} and not is_temporary(name):
        native = folder == NATIVE_FOLDER
        receipt = Receipt(mailbox=mailbox, channel="sftp", native=native, name=name, sha256=sha256, size=size)
        accept(tx, receipt, queue=queue)
    files.put(tx, mailbox, folder, name, sha256=sha256, size=size, receipt=receipt.uuid if receipt else None)
