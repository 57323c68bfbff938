"""Trying a rule out: what it would make of a file, nothing being created."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from reconciler.live.views import RuleTestRun
from reconciler.model.key import Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a rule makes of a file: what the map saw, what it made, what it and the validation said; or the error."""

    file_name: str
    source: str = ""
    results: Sequence[str] = ()
    messages: Sequence[str] = ()
    error: str = ""


class TryOut(Protocol):
    """Tries rules out."""

    def tests(self, rule: Key) -> Sequence[RuleTestRun]:
        """Run the rule's tests, offline: with the configuration alone, and each mailbox's UUID made of its address."""
        ...

    def __call__(self, rule: Key, mailbox: Key, file_name: str, content: bytes) -> Trial:
        """Return what the rule makes of the file when the mailbox is its sender (OUT) or its recipient (IN)."""
        ...
