"""Who may use the admin API and the pages: tokens, known by their digests, and the sessions that they open."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, delete, insert, or_, select, update

from reconciler.errors import NotFoundError, ReconcilerError
from reconciler.model.credential import Secret
from reconciler.model.source_file import digest
from reconciler.store import access_tables
from reconciler.store.upsert import insert_if_absent

PREFIX = "rcl_"
"""How every token begins, so that whoever finds one in a repository knows what it is."""

USE_INTERVAL = timedelta(minutes=1)
"""How exactly the last use is recorded; a write for each call would serve nobody."""


class Role(StrEnum):
    """A viewer reads; an operator also runs again, rotates, closes envelopes; an admin also applies."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def includes(self, other: "Role") -> bool:
        """Say whether this role may do whatever `other` may."""
        order = list(Role)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is at work: a name for the history, a role, and the only account within reach (None: all of them)."""

    actor: str
    role: Role
    account: str | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is listed; the secret was shown once, when it was made."""

    name: str
    role: Role
    account: str | None
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    used_at: datetime | None
    revoked_at: datetime | None


def create(
    tx: Connection, name: str, role: Role, *, account: str | None, expires_at: datetime | None, actor: str
) -> Secret:
    """Make a token and return it; it cannot be seen again. Raises ReconcilerError when the name is taken."""
    secret = PREFIX + secrets.token_urlsafe(32)
    row = {
        "name": name,
        # 256 random bits need no slow hash: there is nothing to guess.
        "digest": digest(secret.encode()),
        "role": role.value,
        "account": account or "",
        "created_at": datetime.now(UTC),
        "created_by": actor,
        "expires_at": expires_at,
    }
    if not insert_if_absent(tx, access_tables.token, row):
        raise ReconcilerError(f"There is a token {name} already; choose another name.")
    return Secret(secret)


def revoke(tx: Connection, name: str) -> None:
    """End a token and its sessions. Raises NotFoundError."""
    row = access_tables.token.c
    found = tx.execute(
        update(access_tables.token)
        .where(row.name == name, row.revoked_at.is_(None))
        .values(revoked_at=datetime.now(UTC))
    )
    if found.rowcount == 0:
        raise NotFoundError(f"There is no valid token {name}. See: reconciler token list")
    tx.execute(delete(access_tables.session).where(access_tables.session.c.token == name))


def listed(connection: Connection) -> Iterator[Token]:
    """Yield every token, oldest first."""
    for row in connection.execute(select(access_tables.token).order_by(access_tables.token.c.created_at)):
        yield Token(
            row.name,
            Role(row.role),
            row.account or None,
            row.created_at,
            row.created_by,
            row.expires_at,
            row.used_at,
            row.revoked_at,
        )


def identify(connection: Connection, token: Secret) -> tuple[Identity, bool] | None:
    """Return whose token this is and whether its use is to be recorded; None when it is nobody's, or no longer."""
    row = access_tables.token.c
    now = datetime.now(UTC)
    valid = (row.revoked_at.is_(None), or_(row.expires_at.is_(None), row.expires_at > now))
    found = connection.execute(
        select(access_tables.token).where(row.digest == digest(token.reveal().encode()), *valid)
    ).first()
    if found is None:
        return None
    stale = found.used_at is None or now - found.used_at > USE_INTERVAL
    return Identity(found.name, Role(found.role), found.account or None), stale


def record_use(tx: Connection, name: str) -> None:
    """Say that a token was used now."""
    tx.execute(update(access_tables.token).where(access_tables.token.c.name == name).values(used_at=datetime.now(UTC)))


def open_session(tx: Connection, identity: Identity, *, token: str, lifetime: timedelta) -> Secret:
    """Open a session for a browser and return its secret. `token` names the token that opened it, if one did."""
    now = datetime.now(UTC)
    tx.execute(delete(access_tables.session).where(access_tables.session.c.expires_at < now))
    secret = secrets.token_urlsafe(32)
    tx.execute(
        insert(access_tables.session).values(
            digest=digest(secret.encode()),
            token=token,
            actor=identity.actor,
            role=identity.role.value,
            account=identity.account or "",
            expires_at=now + lifetime,
        )
    )
    return Secret(secret)


def of_session(connection: Connection, session: Secret) -> Identity | None:
    """Return who is at work in a session, or None when it is over, or its token is."""
    row, token = access_tables.session.c, access_tables.token.c
    now = datetime.now(UTC)
    found = connection.execute(
        select(row.actor, row.role, row.account, row.token, token.revoked_at, token.expires_at.label("token_ends"))
        .outerjoin(access_tables.token, token.name == row.token)
        .where(row.digest == digest(session.reveal().encode()), row.expires_at > now)
    ).first()
    if found is None or found.revoked_at is not None or (found.token_ends is not None and found.token_ends <= now):
        return None
    return Identity(found.actor, Role(found.role), found.account or None)


def close_session(tx: Connection, session: Secret) -> None:
    """End a session."""
    tx.execute(delete(access_tables.session).where(access_tables.session.c.digest == digest(session.reveal().encode())))
