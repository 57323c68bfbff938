"""Bans of the SFTP server, kept in the store."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError

from reconciler.errors import ReconcilerError
from reconciler.protocols.sftp.defence import Ban
from reconciler.store import bans
from reconciler.store.bans import StoredBan
from reconciler.store.database import Store

FORGOTTEN_AFTER = timedelta(days=30)
"""How long after its end a ban still makes the next one longer."""


class StoreBans:
    """Implements the SFTP server's port `BanLedger`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def bans(self) -> list[Ban]:
        """Return all that is remembered, bans that are over included."""
        with _refusing(), self._store.read() as connection:
            return [Ban(stored.subject, stored.until, stored.count) for stored in bans.every(connection)]

    def record(self, ban: Ban) -> None:
        """Remember a ban, and forget those that are long over."""
        now = datetime.now(UTC)
        with _refusing(), self._store.write() as tx:
            bans.forget_before(tx, now - FORGOTTEN_AFTER)
            bans.put(tx, StoredBan(ban.subject, now, ban.until, ban.count))

    def remove(self, subject: str) -> bool:
        """Lift a ban; say whether there was one."""
        with _refusing(), self._store.write() as tx:
            return bans.remove(tx, subject)


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise ReconcilerError("The store that keeps the bans does not answer.") from error
