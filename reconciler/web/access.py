"""Who is at work, and what they may do."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock

from reconciler.errors import ReconcilerError
from reconciler.model.credential import Secret
from reconciler.model.source_file import digest
from reconciler.store import audit, tokens
from reconciler.store.audit import Call
from reconciler.store.database import Store
from reconciler.store.tokens import Identity, Role

SESSION = timedelta(hours=12)
"""How long a browser stays signed in."""

WINDOW = timedelta(minutes=5)
ATTEMPTS = 10
"""Failed attempts to sign in from one address within the window, after which it has to wait."""


class ForbiddenError(ReconcilerError):
    """Whoever is at work may not do this."""


class TooManyAttemptsError(ReconcilerError):
    """This address failed to sign in too often; it has to wait."""


def require(identity: Identity, role: Role) -> None:
    """Raise ForbiddenError unless whoever is at work has at least this role."""
    if not identity.role.includes(role):
        raise ForbiddenError(f"This takes the role {role}; {identity.actor} is a {identity.role}.")


def require_within(identity: Identity, *addresses: str) -> None:
    """Raise ForbiddenError unless one of the addresses is in the account that whoever is at work is limited to."""
    if identity.account is None:
        return
    account = f"accounts.{identity.account}"
    if not any(address == account or address.startswith(f"{account}.") for address in addresses):
        raise ForbiddenError(f"{identity.actor} reaches the account {identity.account} only.")


def everything(identity: Identity) -> None:
    """Raise ForbiddenError when whoever is at work is limited to an account: this is about all of them."""
    if identity.account is not None:
        raise ForbiddenError(f"{identity.actor} reaches the account {identity.account} only.")


def scoped(identity: Identity, account: str | None) -> str | None:
    """Return the account to which a question is limited: the one asked for, within what the asker reaches."""
    if account is not None:
        require_within(identity, f"accounts.{account}")
    return account or identity.account


@dataclass(frozen=True, slots=True)
class Attempts:
    """Failed attempts to sign in from one address."""

    since: datetime
    count: int


class Access:
    """Opens the door: tokens for programs, sessions for browsers, and a record of what was done."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = Lock()
        self._attempts: dict[str, Attempts] = {}

    def by_token(self, token: Secret, peer: str) -> Identity | None:
        """Return whose token this is, or None. Raises TooManyAttemptsError."""
        self.refuse_crowd(peer)
        with self._store.read() as connection:
            found = tokens.identify(connection, token)
        if found is None:
            self.count_failure(peer)
            return None
        identity, stale = found
        if stale:
            with self._store.write() as tx:
                tokens.record_use(tx, identity.actor)
        return identity

    def sign_in(self, identity: Identity, *, token: str) -> Secret:
        """Open a session and return its secret, for a cookie."""
        with self._store.write() as tx:
            return tokens.open_session(tx, identity, token=token, lifetime=SESSION)

    def by_session(self, session: Secret) -> Identity | None:
        """Return who is signed in, or None when the session is over."""
        with self._store.read() as connection:
            return tokens.of_session(connection, session)

    def sign_out(self, session: Secret) -> None:
        """End a session."""
        with self._store.write() as tx:
            tokens.close_session(tx, session)

    def record(self, call: Call) -> None:
        """Add to the audit trail."""
        with self._store.write() as tx:
            audit.add(tx, call)

    def crowded(self) -> list[str]:
        """Return the addresses that fail to sign in too often now."""
        now = datetime.now(UTC)
        with self._lock:
            self._attempts = {peer: seen for peer, seen in self._attempts.items() if now - seen.since < WINDOW}
            return [peer for peer, seen in self._attempts.items() if seen.count >= ATTEMPTS]

    def refuse_crowd(self, peer: str) -> None:
        """Raise TooManyAttemptsError for an address that fails to sign in too often."""
        if peer in self.crowded():
            raise TooManyAttemptsError(f"Too many wrong tokens came from {peer}; try again in some minutes.")

    def count_failure(self, peer: str) -> None:
        """Remember that an address failed to sign in."""
        with self._lock:
            seen = self._attempts.get(peer, Attempts(datetime.now(UTC), 0))
            self._attempts[peer] = Attempts(seen.since, seen.count + 1)


def csrf_token(session: Secret) -> str:
    """Return what a form of this session must carry: known to the page, and not to be derived without the cookie."""
    return digest(f"csrf {session.reveal()}".encode())
