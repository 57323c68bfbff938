"""How often, or how long, a fault is made to happen: as often as CI affords, or in full."""

import os


def scaled(usually: int, in_full: int) -> int:
    """Return the smaller number, or the other when RECONCILER_FULL_FAULTS is set."""
    return in_full if os.environ.get("RECONCILER_FULL_FAULTS") else usually
