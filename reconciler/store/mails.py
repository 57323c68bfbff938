"""Mail that is to be sent; its Message-ID is fixed before the first try, and what it says by its template and data."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import Connection, select, update

from reconciler.errors import NotFoundError
from reconciler.model.noun import Json
from reconciler.store.notice_tables import mail as table
from reconciler.store.upsert import insert_if_absent

MailState = Literal["waiting", "sent", "failed"]
Template = Literal["failures", "arrival", "ending", "doubt"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMail:
    """A mail: which template is filled with what."""

    message_id: str
    recipient: str
    template: Template
    data: Mapping[str, Json]
    state: MailState = "waiting"
    changed_at: datetime = field(default_factory=lambda: datetime.now(UTC))


def add(tx: Connection, mail: StoredMail) -> bool:
    """Record a mail that is to be sent; False, and nothing recorded, when there is one of its Message-ID."""
    return insert_if_absent(tx, table, asdict(mail))


def get(connection: Connection, message_id: str) -> StoredMail:
    """Return a mail. Raises NotFoundError."""
    row = connection.execute(select(table).where(table.c.message_id == message_id)).mappings().first()
    if row is None:
        raise NotFoundError(f"There is no mail {message_id}.")
    return StoredMail(**row)


def change(tx: Connection, message_id: str, state: MailState) -> None:
    """Say what became of a mail."""
    tx.execute(update(table).where(table.c.message_id == message_id).values(state=state, changed_at=datetime.now(UTC)))
