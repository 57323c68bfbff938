"""Generated credentials: encrypted, with what may be shown of them beside the ciphertext."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, func, insert, or_, select, update

from reconciler.model.credential import Secret
from reconciler.model.key import Key
from reconciler.store import tables
from reconciler.store.keyring import Keyring


@dataclass(frozen=True, slots=True)
class Generated:
    """A credential as it was generated.

    `verifier` is the SHA-256 of a password and empty for other kinds; `public` is the public key or the certificate,
    as text, and empty for a password.
    """

    secret: Secret
    fingerprint: str
    created_at: datetime
    verifier: bytes = b""
    public: str = ""
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class StoredCredential:
    """A credential as the store has it; `ciphertext` is opened with the store's keyring when it is needed."""

    key: Key
    fingerprint: str
    verifier: bytes
    public: str
    ciphertext: bytes
    created_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Successor:
    """A credential that takes the place of those at its address, at once or when `overlap` is over."""

    key: Key
    generated: Generated
    overlap: timedelta = timedelta()


def replace(tx: Connection, keyring: Keyring, successors: Sequence[Successor]) -> None:
    """Make credentials the only valid ones at their addresses, or, for the time of an overlap, the first ones.

    Raises ReconcilerError when the key is not the one that those before were encrypted with.
    """
    if not successors:
        return
    known = any_ciphertext(tx)
    if known is not None:
        # Nodes whose stores were empty when they looked may each have made a key of their own.
        keyring.decrypt(known)
    now = datetime.now(UTC)
    stored = tables.credential.c
    here = stored.address == bindparam("at")
    at_once = [{"at": str(item.key)} for item in successors if not item.overlap]
    if at_once:
        tx.execute(delete(tables.credential).where(here), at_once)
    outlived = [{"at": str(item.key), "later": now + item.overlap} for item in successors if item.overlap]
    if outlived:
        later = bindparam("later", type_=stored.expires_at.type)
        tx.execute(delete(tables.credential).where(here, stored.expires_at <= now), outlived)
        outlasting = or_(stored.expires_at.is_(None), stored.expires_at > later)
        tx.execute(update(tables.credential).where(here, outlasting).values(expires_at=later), outlived)
    rows = [
        {
            "address": str(item.key),
            "fingerprint": item.generated.fingerprint,
            "verifier": item.generated.verifier,
            "public": item.generated.public,
            "secret": keyring.encrypt(item.generated.secret),
            "created_at": item.generated.created_at,
            "expires_at": item.generated.expires_at,
        }
        for item in successors
    ]
    tx.execute(insert(tables.credential), rows)


def drop(tx: Connection, key: Key) -> None:
    """Forget the credentials at an address."""
    tx.execute(delete(tables.credential).where(tables.credential.c.address == str(key)))


def find(connection: Connection, key: Key) -> StoredCredential | None:
    """Return the newest credential at an address, or None."""
    row = connection.execute(
        select(tables.credential)
        .where(tables.credential.c.address == str(key))
        .order_by(tables.credential.c.number.desc())
    ).first()
    return (
        None
        if row is None
        else StoredCredential(
            key, row.fingerprint, row.verifier, row.public, row.secret, row.created_at, row.expires_at
        )
    )


def any_ciphertext(connection: Connection) -> bytes | None:
    """Return some secret as it is stored, or None when there is none yet."""
    return connection.execute(select(tables.credential.c.secret).limit(1)).scalar()


def all_of(connection: Connection) -> Iterator[StoredCredential]:
    """Yield every credential, newest first."""
    for row in connection.execute(select(tables.credential).order_by(tables.credential.c.number.desc())):
        yield StoredCredential(
            Key.known(row.address),
            row.fingerprint,
            row.verifier,
            row.public,
            row.secret,
            row.created_at,
            row.expires_at,
        )


def ending_first(connection: Connection, limit: int) -> list[tuple[Key, datetime]]:
    """Return the addresses of credentials that end, with when, those first that end first."""
    stored = tables.credential.c
    query = select(stored.address, stored.expires_at).where(stored.expires_at.is_not(None))
    rows = connection.execute(query.order_by(stored.expires_at, stored.address).limit(limit))
    return [(Key.known(address), at) for address, at in rows]


def generated_at(connection: Connection) -> Mapping[Key, datetime]:
    """Return when the newest secret at each address was made."""
    stored = tables.credential.c
    rows = connection.execute(select(stored.address, func.max(stored.created_at)).group_by(stored.address))
    return {Key.known(address): at for address, at in rows}
