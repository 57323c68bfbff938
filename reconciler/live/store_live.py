"""The live side as the store has it."""

from reconciler.live.port import LiveState
from reconciler.store import configuration
from reconciler.store.database import Store


class StoreLive:
    """Reads the live side from the gateway's own store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def read(self) -> LiveState:
        """Return everything that is live, as of one moment."""
        with self._store.read() as connection:
            return LiveState(configuration.read_state(connection), configuration.current_revision(connection))
