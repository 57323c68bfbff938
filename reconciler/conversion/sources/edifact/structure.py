"""How the segments of a message type are written, kept from one file to the next."""

from collections.abc import Callable
from dataclasses import dataclass, field

from reconciler.conversion.sources.message import Message
from reconciler.conversion.sources.segment_template import segment_template

_MOST_KEPT = 1000
_LONGEST_KEPT = 200


@dataclass(frozen=True, slots=True)
class Structure:
    """A message type in a directory; `elements` says of a tag which of its elements are composite.

    `steps` are place, tag and shape of a segment → its own place, and the format of its pieces with the start and end
    tags of groups before it.
    """

    message: Message
    elements: Callable[[str], str]
    steps: dict[tuple[int, str, str], tuple[int, str]] = field(default_factory=dict)

    def step(self, at: int, tag: str, shape: str) -> tuple[int, str] | None:
        """Return and keep what `steps` lacks; None if the segment has no place. Raises ValueError."""
        step = self.message.step(at, tag)
        if step is None:
            return None
        between = "".join(f"</GROUP_{number}>" for number in step.ended)
        between += "".join(f"<GROUP_{number}>" for number in step.begun)
        found = step.place, between + segment_template(tag, self.elements(tag), shape)
        if len(shape) <= _LONGEST_KEPT and len(self.steps) < _MOST_KEPT:
            self.steps[at, tag, shape] = found
        return found
