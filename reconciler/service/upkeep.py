"""Looking after the gateway itself: what it gave up, who is kept out, who may come in, and what was done by whom."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from reconciler.jobs import dead_letters
from reconciler.model.credential import Secret
from reconciler.store import audit, bans, jobs, tokens
from reconciler.store.audit import Call
from reconciler.store.bans import StoredBan
from reconciler.store.database import Store
from reconciler.store.job_states import JobState
from reconciler.store.jobs import JobRow
from reconciler.store.tokens import Role, Token


class Upkeep:
    """The gateway's work, its doors and its audit trail, in the words of the commands."""

    def __init__(self, store: Store) -> None:
        self._store = store

    # --- jobs ----------------------------------------------------------------------------------------------------

    def jobs(self, states: Sequence[str], limit: int, offset: int = 0) -> list[JobRow]:
        """Return up to `limit` jobs in these states, oldest first."""
        with self._store.read() as connection:
            return jobs.listed(connection, [JobState(state) for state in states], limit=limit, offset=offset)

    def retry(self, numbers: Sequence[int]) -> list[JobRow]:
        """Have dead jobs run again, all or none. Raises NotFoundError, or ReconcilerError when one is not dead."""
        with self._store.write() as tx:
            return [dead_letters.retry(tx, number) for number in numbers]

    def drop(self, numbers: Sequence[int]) -> list[JobRow]:
        """Let dead jobs be, all or none. Raises NotFoundError, or ReconcilerError when one is not dead."""
        with self._store.write() as tx:
            return [dead_letters.drop(tx, number) for number in numbers]

    # --- bans ----------------------------------------------------------------------------------------------------

    def bans(self) -> list[StoredBan]:
        """Return who is banned from the SFTP server now."""
        now = datetime.now(UTC)
        with self._store.read() as connection:
            return [ban for ban in bans.every(connection) if ban.until > now]

    def lift_ban(self, subject: str) -> bool:
        """Lift a ban; say whether there was one."""
        with self._store.write() as tx:
            return bans.remove(tx, subject)

    # --- tokens --------------------------------------------------------------------------------------------------

    def create_token(self, name: str, role: Role, *, account: str | None, lifetime: timedelta, actor: str) -> Secret:
        """Make a token and return it; it cannot be seen again. Raises ReconcilerError when the name is taken."""
        with self._store.write() as tx:
            return tokens.create(tx, name, role, account=account, expires_at=datetime.now(UTC) + lifetime, actor=actor)

    def tokens(self) -> list[Token]:
        """Return every token without its secret, oldest first."""
        with self._store.read() as connection:
            return list(tokens.listed(connection))

    def revoke_token(self, name: str) -> None:
        """End a token and its sessions. Raises NotFoundError."""
        with self._store.write() as tx:
            tokens.revoke(tx, name)

    def audit(self, limit: int, offset: int = 0) -> list[Call]:
        """Return up to `limit` calls of the admin API and the pages, newest first."""
        with self._store.read() as connection:
            return list(audit.newest(connection, limit, offset))
