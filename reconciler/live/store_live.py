"""The live side as the gateway's own store has it."""

from reconciler.plan.live_side import LiveSide
from reconciler.store import configuration, credentials, suspensions
from reconciler.store.database import Store


def live_side(store: Store) -> LiveSide:
    """Return everything that is live, as of one moment."""
    with store.read() as connection:
        return LiveSide(
            state=configuration.read_state(connection),
            revision=configuration.current_revision(connection),
            by_hand=configuration.made_by_hand(connection),
            generated_at=credentials.generated_at(connection),
            suspensions=suspensions.all_of(connection),
        )
