"""Looking after what is live: its history, its drift, what is suspended, who is at work."""

from datetime import UTC, datetime

from reconciler.live import history, status
from reconciler.live.history import Drift
from reconciler.live.status import Status
from reconciler.model.key import Key
from reconciler.plan.change import Change
from reconciler.plan.making import Wish
from reconciler.store import conditions, configuration, leases, suspensions
from reconciler.store.configuration import Revision
from reconciler.store.database import Store
from reconciler.store.leases import Lease


class Oversight:
    """The live side over time, in the words of the commands."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def history(self, *, limit: int) -> list[Revision]:
        """Return the newest revisions, without their plans."""
        with self._store.read() as connection:
            return configuration.headers(connection, limit=limit)

    def revision(self, number: int) -> tuple[Revision, tuple[Change, ...]]:
        """Return a revision and what it changed. Raises NotFoundError."""
        with self._store.read() as connection:
            found = configuration.revision(connection, number)
        return found, history.changes_of(found)

    def wish_of(self, number: int) -> Wish:
        """Return what was live at a revision as what is desired now. Raises NotFoundError."""
        with self._store.read() as connection:
            return Wish(state=history.state_at(connection, number))

    def configured(self) -> Wish:
        """Return what was last applied as what is desired now."""
        with self._store.read() as connection:
            return Wish(state=history.configured(connection))

    def drift(self) -> list[Drift]:
        """Return where the live side is not what was last applied."""
        with self._store.read() as connection:
            return history.drift(connection)

    # --- suspensions ---------------------------------------------------------------------------------------------

    def suspend(self, address: str, *, until: datetime | None, reason: str, actor: str) -> Key:
        """Hold an address out of reconciling. Raises NotFoundError, and ReconcilerError for an end that is past."""
        with self._store.write() as tx:
            return suspensions.suspend(tx, address, until=until, reason=reason, actor=actor)

    def resume(self, address: str) -> Key:
        """Take an address back into reconciling. Raises NotFoundError when it is not suspended."""
        with self._store.write() as tx:
            return suspensions.resume(tx, address)

    # --- who is at work ------------------------------------------------------------------------------------------

    def leases(self) -> list[Lease]:
        """Return the leases that are held now."""
        with self._store.read() as connection:
            return leases.all_held(connection)

    def release(self, name: str) -> bool:
        """Take a lease from its holder, who can then commit nothing more; say whether there was one."""
        with self._store.write() as tx:
            return leases.release(tx, name)

    def status(self) -> Status:
        """Return what the store says: what is applied, what waits, what the watcher says, who is at work."""
        now = datetime.now(UTC)
        with self._store.read() as connection:
            newest = configuration.headers(connection, limit=1)
            in_force = (item for item in suspensions.all_of(connection) if item.until is None or item.until > now)
            return Status(
                revision=newest[0] if newest else None,
                conditions=tuple(conditions.all_of(connection)),
                suspensions=tuple(in_force),
                leases=tuple(leases.all_held(connection)),
                queue=status.queue(connection),
            )
