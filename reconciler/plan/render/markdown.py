"""A plan for a pull request: the summary first, then what is destroyed, changed and added, each folded away."""

from collections.abc import Sequence

from reconciler.plan.change import Adopt, Change, Create, Delete, Move, Rotate, Update
from reconciler.plan.impact import Impact
from reconciler.plan.plan import Plan
from reconciler.plan.render import impact_form
from reconciler.plan.render.text import change_lines, notes, summary

MARK = "<!-- reconciler plan -->"
"""The first line, by which a comment that is kept up to date is found again."""

LIMIT = 60_000
"""Characters of the whole document; what hosts of pull requests accept is a little more."""

_SECTIONS: tuple[tuple[type[Change], str], ...] = (
    (Delete, "Destroyed"),
    (Move, "Renamed"),
    (Rotate, "Rotated"),
    (Update, "Changed"),
    (Adopt, "Taken over"),
    (Create, "Added"),
)
_ROOM_FOR_FRAME = 1_000
"""Characters kept free for the summary, the frames of the sections and the note about what was left out."""


def render(plan: Plan, impact: Impact | None = None) -> str:
    """Return the plan as markdown of at most `LIMIT` characters, ending with a line feed."""
    parts = [f"{MARK}\n### {summary(plan)}\n"]
    room = LIMIT - _ROOM_FOR_FRAME
    unmanaged, suspended, refused = notes(plan)
    # Why it must not be applied, and what is suspended, is no detail: it stands open, above everything else.
    for lines in (refused, suspended):
        block = _fitting_lines(lines, room // 4)
        room -= len(block)
        if block:
            parts.append(f"```\n{block}```\n")
    left_out = 0
    if impact is not None:
        lines = impact_form.as_text(impact).split("\n")
        parts.append(f"**{lines[0]}**\n")
        block = _fitting_lines(lines[1:], room // 2)
        room -= len(block)
        left_out += len(lines) - 1 - block.count("\n")
        if block:
            parts.append(_folded(f"Impact: {len(impact.shifts)}", block))
    for noun, title in _SECTIONS:
        changes = [change for change in plan.changes if isinstance(change, noun)]
        blocks = _fitting(changes, room)
        room -= sum(len(block) for block in blocks)
        left_out += len(changes) - len(blocks)
        if blocks:
            parts.append(_folded(f"{title}: {len(changes)}", "".join(blocks)))
    if unmanaged:
        shown = _fitting_lines(unmanaged[1:], room)
        parts.append(_folded(f"Unmanaged, live and not in the configuration: {len(plan.unmanaged)}", shown))
        if shown.count("\n") < len(plan.unmanaged):
            left_out += len(plan.unmanaged) - shown.count("\n")
    if left_out:
        parts.append(f"{left_out} more entries do not fit here; the saved plan (`plan.json`) has them all.\n")
    return "\n".join(parts)


def _folded(title: str, content: str) -> str:
    return f"<details><summary>{title}</summary>\n\n```diff\n{content}```\n\n</details>\n"


def _fitting_lines(lines: Sequence[str], room: int) -> str:
    """Return as many of the first lines as have room."""
    block = ""
    for line in lines:
        if len(block) + len(line) + 1 > room:
            break
        block += f"{line}\n"
    return block


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
