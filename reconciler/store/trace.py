"""Which trace what is done now belongs to: one from an upload to its deliveries (W3C Trace Context, `traceparent`)."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from secrets import token_hex

_CURRENT: ContextVar[str] = ContextVar("trace", default="")


def new() -> str:
    """Return the beginning of a new trace."""
    return f"00-{token_hex(16)}-{token_hex(8)}-01"


def current() -> str:
    """Return the `traceparent` of what is done now, or an empty text."""
    return _CURRENT.get()


def current_id() -> str:
    """Return the trace's id: 32 digits that every log line and every job of one upload share; or an empty text."""
    return current().partition("-")[2].partition("-")[0]


@contextmanager
def within(parent: str) -> Iterator[None]:
    """Have what is done meanwhile belong to a trace."""
    token = _CURRENT.set(parent)
    try:
        yield
    finally:
        _CURRENT.reset(token)
