"""What the admin API asks of those who look after the gateway itself; the service's upkeep does it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from reconciler.model.credential import Secret
from reconciler.store.audit import Call
from reconciler.store.bans import StoredBan
from reconciler.store.jobs import JobRow
from reconciler.store.tokens import Role, Token


class Keeper(Protocol):
    """What the routes ask; the service does it."""

    def jobs(self, states: Sequence[str], limit: int, offset: int = 0) -> list[JobRow]:
        """Return up to `limit` jobs in these states, oldest first."""
        ...

    def retry(self, numbers: Sequence[int]) -> list[JobRow]:
        """Have dead jobs run again, all or none."""
        ...

    def drop(self, numbers: Sequence[int]) -> list[JobRow]:
        """Let dead jobs be, all or none."""
        ...

    def bans(self) -> list[StoredBan]:
        """Return who is banned from the SFTP server now."""
        ...

    def lift_ban(self, subject: str) -> bool:
        """Lift a ban; say whether there was one."""
        ...

    def create_token(self, name: str, role: Role, *, account: str | None, lifetime: timedelta, actor: str) -> Secret:
        """Make a token and return it."""
        ...

    def tokens(self) -> list[Token]:
        """Return every token without its secret, oldest first."""
        ...

    def revoke_token(self, name: str) -> None:
        """End a token and its sessions."""
        ...

    def audit(self, limit: int, offset: int = 0) -> list[Call]:
        """Return up to `limit` calls, newest first."""
        ...
