"""A plan for a pull request: the summary first, then what is destroyed, changed and added, each folded away."""

from collections.abc import Sequence

from reconciler.plan.change import Change, Create, Delete, Update
from reconciler.plan.plan import Plan
from reconciler.plan.render.text import change_lines, summary

LIMIT = 60_000
"""Characters of the whole document; what hosts of pull requests accept is a little more."""

_SECTIONS: tuple[tuple[type[Change], str], ...] = (
    (Delete, "Destroyed"),
    (Update, "Changed"),
    (Create, "Added"),
)
_ROOM_FOR_FRAME = 1_000
"""Characters kept free for the summary, the frames of the sections and the note about what was left out."""


def render(plan: Plan) -> str:
    """Return the plan as markdown of at most `LIMIT` characters, ending with a line feed."""
    parts = [f"### {summary(plan)}\n"]
    room = LIMIT - _ROOM_FOR_FRAME
    left_out = 0
    for noun, title in _SECTIONS:
        changes = [change for change in plan.changes if isinstance(change, noun)]
        blocks = _fitting(changes, room)
        room -= sum(len(block) for block in blocks)
        left_out += len(changes) - len(blocks)
        if blocks:
            frame = f"<details><summary>{title}</summary>\n\n```diff\n"
            parts.append(f"{frame}{''.join(blocks)}```\n\n</details>\n")
    if left_out:
        parts.append(f"{left_out} more changes do not fit here; the text and JSON forms of the plan show them all.\n")
    return "\n".join(parts)


def _fitting(changes: Sequence[Change], room: int) -> list[str]:
    """Return the text of as many of the first changes as have room."""
    blocks: list[str] = []
    for change in changes:
        block = "".join(f"{line}\n" for line in change_lines(change))
        room -= len(block)
        if room < 0:
            break
        blocks.append(block)
    return blocks
