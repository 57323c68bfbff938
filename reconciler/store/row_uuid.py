"""UUIDs of rows that are made one after the other, such as inputs, envelopes and log records."""

import os
import time
from uuid import UUID

_VERSION = 0x7 << 76
_VARIANT = 0b10 << 62


def new_row_uuid() -> UUID:
    """Return a UUID that sorts by the millisecond it was made in, with 74 random bits (RFC 9562 section 5.7).

    Rows that are made together so lie together in every index. It says when it was made: nothing that is secret may
    rest on it, and nothing that must be in order may rest on the clock.
    """
    moment = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10))
    return UUID(int=moment << 80 | _VERSION | (random >> 68) << 64 | _VARIANT | random & (1 << 62) - 1)
