"""Spans of a trace: steps on the way from an upload to its deliveries, each under its own name."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from reconciler.store import trace


class Tracer(Protocol):
    """Begins a step of a trace; the store's current trace is the step's meanwhile."""

    def __call__(self, name: str, /, *, parent: str = "", **attributes: str) -> AbstractContextManager[None]:
        """Begin a step of the trace that `parent` (a `traceparent`) belongs to, or of a new one."""
        ...


@contextmanager
def untold(_name: str, /, *, parent: str = "", **_attributes: str) -> Iterator[None]:
    """Be a step that is told to nobody: the trace has its id all the same, for the log."""
    with trace.within(parent or trace.new()):
        yield
