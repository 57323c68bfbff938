"""The folders of mailboxes: a file is a row, its bytes a payload."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, func, select, update

from reconciler.store import tables
from reconciler.store.statement import Statement
from reconciler.store.upsert import insert_if_absent, insert_or_replace

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in a mailbox's folder.

    `receipt` is the acknowledged input that this file stands for, `conversion` the failed log record that put it here.
    """

    mailbox: UUID
    folder: str
    name: str
    sha256: str
    size: int
    modified_at: datetime
    receipt: UUID | None
    conversion: UUID | None


_AT_PLACE = (
    tables.file.c.mailbox == bindparam("of_mailbox"),
    tables.file.c.folder == bindparam("of_folder"),
    tables.file.c.name == bindparam("of_name"),
)
# A partner's upload waits for each of them.
_FIND = Statement(select(tables.file).where(*_AT_PLACE))
_REMOVE = Statement(delete(tables.file).where(*_AT_PLACE))
_REMOVE_OF_RECEIPT = Statement(delete(tables.file).where(*_AT_PLACE, tables.file.c.receipt == bindparam("of_receipt")))


def find(connection: Connection, mailbox: UUID, folder: str, name: str) -> StoredFile | None:
    """Return a file by its place, or None."""
    row = _FIND.first(connection, _place(mailbox, folder, name))
    return None if row is None else StoredFile(*row)


def page(connection: Connection, mailbox: UUID, folder: str, after: str) -> list[StoredFile]:
    """Return up to 1,000 files of a folder whose names sort after `after`, in order."""
    file = tables.file.c
    rows = connection.execute(
        select(tables.file)
        .where(file.mailbox == mailbox, file.folder == folder, file.name > after)
        .order_by(file.name)
        .limit(_PAGE)
    )
    return [StoredFile(*row) for row in rows]


def put(
    tx: Connection,
    mailbox: UUID,
    folder: str,
    name: str,
    *,
    sha256: str,
    size: int,
    receipt: UUID | None = None,
    modified_at: datetime | None = None,
    exclusive: bool = False,
) -> bool:
    """Place a file, in the place of one that has the name already; it was changed now, unless another time is given.

    With `exclusive`, nothing is placed where the name is taken, and the answer is False.
    """
    values = _values(mailbox, folder, name, sha256, size) | {"receipt": receipt, "conversion": None}
    if modified_at is not None:
        values["modified_at"] = modified_at
    if exclusive:
        return insert_if_absent(tx, tables.file, values)
    insert_or_replace(tx, tables.file, values, key=("mailbox", "folder", "name"))
    return True


def put_new(
    tx: Connection, mailbox: UUID, folder: str, names: Iterator[str], *, sha256: str, size: int, conversion: UUID | None
) -> str:
    """Place a file under the first of `names` that is free, and return that name."""
    for name in names:
        values = _values(mailbox, folder, name, sha256, size) | {"conversion": conversion}
        if insert_if_absent(tx, tables.file, values):
            return name
    raise ValueError("the names came to an end; they are meant to be endless")


def set_modified(tx: Connection, mailbox: UUID, folder: str, name: str, modified_at: datetime) -> bool:
    """Set the time of a file's last change; say whether there is one."""
    changed = update(tables.file).where(*_AT_PLACE).values(modified_at=modified_at)
    return tx.execute(changed, _place(mailbox, folder, name)).rowcount == 1


def count_alone(tx: Connection, mailbox: UUID) -> None:
    """Have others who count the files of a mailbox wait until this transaction ends: together they would be too many.

    A SQLite store has one writer at a time anyway.
    """
    if tx.dialect.name == "postgresql":
        tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(str(mailbox), 0))))


def usage(connection: Connection, mailbox: UUID) -> tuple[int, int]:
    """Return the bytes and the number of the files in all folders of a mailbox."""
    file = tables.file.c
    query = select(func.coalesce(func.sum(file.size), 0), func.count()).where(file.mailbox == mailbox)
    total, count = connection.execute(query).one()
    return int(total), int(count)


def _values(mailbox: UUID, folder: str, name: str, sha256: str, size: int) -> dict[str, object]:
    return {
        "mailbox": mailbox,
        "folder": folder,
        "name": name,
        "sha256": sha256,
        "size": size,
        "modified_at": datetime.now(UTC),
    }


def remove(tx: Connection, mailbox: UUID, folder: str, name: str) -> bool:
    """Remove a file by its place; say whether there was one."""
    return _REMOVE.run(tx, _place(mailbox, folder, name)) == 1


def remove_of_receipt(tx: Connection, mailbox: UUID, folder: str, name: str, receipt: UUID) -> None:
    """Remove the file that stands for an acknowledged input, if it still lies where that was put."""
    _REMOVE_OF_RECEIPT.send(tx, _place(mailbox, folder, name) | {"of_receipt": receipt})


def names_of_conversion(connection: Connection, mailbox: UUID, conversion: UUID) -> list[str]:
    """Return the names of the files that a failed log record put into a mailbox's folder."""
    file = tables.file.c
    query = select(file.name).where(file.mailbox == mailbox, file.conversion == conversion)
    return list(connection.execute(query).scalars())


def _place(mailbox: UUID, folder: str, name: str) -> dict[str, object]:
    return {"of_mailbox": mailbox, "of_folder": folder, "of_name": name}
