"""Looking after a gateway elsewhere, by its admin API."""

from collections.abc import Sequence
from datetime import timedelta

from pydantic import TypeAdapter

from reconciler.live.https_gateway import GatewayClient
from reconciler.model.credential import Secret
from reconciler.service.upkeep import Upkeep
from reconciler.store.audit import Call
from reconciler.store.bans import StoredBan
from reconciler.store.jobs import JobRow
from reconciler.store.tokens import Role, Token

_JOBS = TypeAdapter(list[JobRow])
_BANS = TypeAdapter(list[StoredBan])
_TOKENS = TypeAdapter(list[Token])
_CALLS = TypeAdapter(list[Call])


class RemoteUpkeep(Upkeep):
    """The work, the doors and the audit trail of a gateway elsewhere."""

    def __init__(self, client: GatewayClient) -> None:
        self._client = client

    def jobs(self, states: Sequence[str], limit: int, offset: int = 0) -> list[JobRow]:
        """Return up to `limit` jobs in these states, oldest first."""
        return _JOBS.validate_python(list(self._client.items("/jobs", state=list(states), offset=offset, limit=limit)))

    def retry(self, numbers: Sequence[int]) -> list[JobRow]:
        """Have dead jobs run again, all or none. Raises NotFoundError, or ReconcilerError when one is not dead."""
        return _JOBS.validate_python(self._client.json("POST", "/jobs/retry", body={"numbers": list(numbers)}))

    def drop(self, numbers: Sequence[int]) -> list[JobRow]:
        """Let dead jobs be, all or none. Raises NotFoundError, or ReconcilerError when one is not dead."""
        return _JOBS.validate_python(self._client.json("POST", "/jobs/drop", body={"numbers": list(numbers)}))

    def bans(self) -> list[StoredBan]:
        """Return who is banned from the SFTP server now."""
        return _BANS.validate_python(self._client.json("GET", "/bans"))

    def lift_ban(self, subject: str) -> bool:
        """Lift a ban; say whether there was one."""
        return bool(self._client.json("POST", "/bans/lift", body={"subject": subject}))

    def create_token(self, name: str, role: Role, *, account: str | None, lifetime: timedelta, actor: str) -> Secret:
        """Make a token and return it; it cannot be seen again. Raises ReconcilerError when the name is taken."""
        del actor  # the gateway knows who asks by the token
        body = {"name": name, "role": role, "account": account, "lifetime": int(lifetime.total_seconds())}
        return Secret(str(self._client.json("POST", "/tokens", body=body)["token"]))

    def tokens(self) -> list[Token]:
        """Return every token without its secret, oldest first."""
        return _TOKENS.validate_python(self._client.json("GET", "/tokens"))

    def revoke_token(self, name: str) -> None:
        """End a token and its sessions. Raises NotFoundError."""
        self._client.json("POST", "/tokens/revoke", body={"name": name})

    def audit(self, limit: int, offset: int = 0) -> list[Call]:
        """Return up to `limit` calls of the admin API and the pages, newest first."""
        return _CALLS.validate_python(list(self._client.items("/audit", offset=offset, limit=limit)))
