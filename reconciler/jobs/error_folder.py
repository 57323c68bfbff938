"""What could not be processed: the file in `error/`, with the reason in a file of its own beside it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from reconciler.conversion.naming import alternatives
from reconciler.store import files
from reconciler.store.conversions import Conversion
from reconciler.store.database import Store
from reconciler.store.files import StoredFile

FOLDER = "error"
REASON_ENDING = ".error.txt"
"""What follows the name of a file in the name of the file that holds the reason."""


def put(
    tx: Connection, store: Store, mailbox: UUID, name: str, *, sha256: str, size: int, record: Conversion, now: datetime
) -> None:
    """Place the file of a failed record and the reason beside it; a name that is taken gets the time."""
    placed = files.put_new(
        tx, mailbox, FOLDER, alternatives(name, now), sha256=sha256, size=size, conversion=record.uuid
    )
    reason = f"{record.error_code}: {record.error}\n".encode()
    sealed = store.blobs.seal(reason)
    store.blobs.put(tx, sealed)
    files.put(tx, mailbox, FOLDER, placed + REASON_ENDING, sha256=sealed.sha256, size=sealed.size)


def clear(tx: Connection, record: Conversion) -> None:
    """Remove the file of a record that is run again, and its reason."""
    for name in files.names_of_conversion(tx, record.mailbox, record.uuid):
        files.remove(tx, record.mailbox, FOLDER, name)
        files.remove(tx, record.mailbox, FOLDER, name + REASON_ENDING)


def clear_reason(tx: Connection, file: StoredFile) -> None:
    """Remove what lies beside the file of a failed record, which was moved elsewhere."""
    files.remove(tx, file.mailbox, FOLDER, file.name + REASON_ENDING)
