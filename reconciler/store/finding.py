"""What a check of the store finds."""

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """What can be wrong."""

    MISSING = "missing payload"
    DAMAGED = "damaged payload"
    STRAY = "payload that no row names"
    FORGOTTEN = "accepted, and no work stands for it"
    LOST = "answered as received, and its receipt is gone"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong: with which payload or input, and whether it was mended.

    `used_by` says what needs it, `remedy` what was done about it and what is left for a person to do.
    """

    fault: Fault
    subject: str
    mended: bool
    used_by: str = ""
    remedy: str = ""
