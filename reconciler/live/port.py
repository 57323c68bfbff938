"""The port to the live side: planning is given a reader and nothing else."""

from dataclasses import dataclass
from typing import Protocol

from reconciler.model.state import State


@dataclass(frozen=True, slots=True)
class LiveState:
    """What is live at a revision; revision 0 is the empty beginning."""

    state: State
    revision: int


class Live(Protocol):
    """Whatever knows what is live."""

    def read(self) -> LiveState:
        """Return everything that is live, as of one moment."""
        ...
