"""The live side as the store has it."""

from reconciler.plan.live_side import LiveSide
from reconciler.store import configuration, credentials, suspensions
from reconciler.store.database import Store


class StoreLive:
    """Reads the live side from the gateway's own store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def read(self) -> LiveSide:
        """Return everything that is live, as of one moment."""
        with self._store.read() as connection:
            return LiveSide(
                state=configuration.read_state(connection),
                revision=configuration.current_revision(connection),
                by_hand=configuration.made_by_hand(connection),
                generated_at=credentials.generated_at(connection),
                suspensions=suspensions.all_of(connection),
            )
