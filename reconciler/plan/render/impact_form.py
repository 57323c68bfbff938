"""What a plan does to replayed inputs, as text and as JSON."""

from reconciler.model.noun import Json
from reconciler.plan.impact import Impact, Shift

NAMES_SHOWN = 5
"""Inputs that one line names; JSON has them all."""

_DIFF_LINES = 200


def as_text(impact: Impact) -> str:
    """Return the impact as lines: the sum first, then each mailbox with what would go another way."""
    lines = [summary(impact)]
    mailbox = None
    for shift in impact.shifts:
        if shift.mailbox != mailbox:
            mailbox = shift.mailbox
            lines.append(str(mailbox))
        lines.append(f"    {sentence(shift)}")
        lines.append(f"        {_names(shift)}")
        for diff in shift.diffs:
            lines += [f"        {line}" for line in _shown(diff)]
    return "\n".join(lines)


def summary(impact: Impact) -> str:
    """Return the impact in one line."""
    inputs = f"{impact.replayed:,} input{'' if impact.replayed == 1 else 's'}"
    if not impact.shifts:
        return f"Impact: none of {inputs} of {impact.source} would go another way."
    failing = f" {impact.failing:,} would fail that did not." if impact.failing else ""
    return f"Impact: {impact.moved:,} of {inputs} of {impact.source} would go another way.{failing}"


def sentence(shift: Shift) -> str:
    """Return one shift, such as `37 of 1,284 envelopes would be auto-rejected (were: copied to sftp)`."""
    counted = f"{len(shift.names):,} of {shift.of:,} {shift.noun}{'' if shift.of == 1 else 's'}"
    if shift.before == shift.after:
        return f"{counted} would become something else ({shift.after})"
    would = f"fail: {shift.after.detail}" if shift.after.verb == "failed" else f"be {shift.after}"
    return f"{counted} would {would} (were: {shift.before})"


def _names(shift: Shift) -> str:
    names = [name if name.isprintable() else ascii(name) for name in shift.names[:NAMES_SHOWN]]
    more = len(shift.names) - len(names)
    return ", ".join(names) + (f" and {more:,} more" if more else "")


def _shown(diff: str) -> list[str]:
    lines = [line if line.isprintable() else ascii(line)[1:-1] for line in diff.split("\n")]
    left_out = len(lines) - _DIFF_LINES
    return lines if left_out <= 0 else [*lines[:_DIFF_LINES], f"… {left_out} more lines"]


def as_json(impact: Impact) -> Json:
    """Return the impact as data, with every input by its name."""
    return {
        "source": impact.source,
        "replayed": impact.replayed,
        "moved": impact.moved,
        "failing": impact.failing,
        "shifts": [
            {
                "mailbox": str(shift.mailbox),
                "kind": shift.noun,
                "count": len(shift.names),
                "of": shift.of,
                "before": str(shift.before),
                "after": str(shift.after),
                "inputs": list(shift.names),
                "diffs": list(shift.diffs),
            }
            for shift in impact.shifts
        ],
    }
