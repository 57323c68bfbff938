"""The port to the live side: planning is given a reader and nothing else."""

from typing import Protocol

from reconciler.plan.live_side import LiveSide


class Live(Protocol):
    """Whatever knows what is live."""

    def read(self) -> LiveSide:
        """Return everything that is live, as of one moment."""
        ...
