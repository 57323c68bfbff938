"""A plan for people: what is destroyed, added and changed, field by field, in the order in which it is done."""

import json
from typing import assert_never

from reconciler.model.duration import shown_duration
from reconciler.model.key import Kind
from reconciler.model.noun import Json
from reconciler.plan.change import Adopt, Change, Create, Delete, FieldChange, Move, Rotate, Update, shown_file
from reconciler.plan.plan import Held, Plan, generated_by

NO_CHANGES = "No changes. Live state matches the configuration."
_JSON_BEGINS = frozenset('"{[-0123456789tfnNI')
"""What a JSON value can begin with, in Python's reading of it."""

HELD_BACK = "No changes but those that are held back."

_RED, _GREEN, _YELLOW, _CYAN = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[36m"
_BOLD, _RESET = "\x1b[1m", "\x1b[0m"


def render(plan: Plan, *, colour: bool = False) -> str:
    """Return the plan as text that ends with its summary, without a line feed after it."""
    last = f"{_BOLD}{summary(plan)}{_RESET}" if colour else summary(plan)
    blocks = [[line for change in plan.changes for line in change_lines(change, colour=colour)], *notes(plan)]
    return "\n".join([*(f"{line}" for block in blocks if block for line in (*block, "")), last])


def notes(plan: Plan) -> tuple[list[str], list[str], list[str]]:
    """Return what is to be known beside the changes: what is unmanaged, what is suspended, what stands against it."""
    unmanaged = [f"    {key}" for key in plan.unmanaged]
    if unmanaged:
        unmanaged.insert(0, "Unmanaged, live and not in the configuration (--prune destroys what it once had):")
    return unmanaged, [suspended(held) for held in plan.held], [f"Refused: {_line(text)}" for text in plan.refusals]


def suspended(held: Held) -> str:
    """Return a suspension in one line."""
    until = "until it is resumed" if held.until is None else f"until {held.until:%Y-%m-%d %H:%M}Z"
    waiting = f"{held.changes} change{'' if held.changes == 1 else 's'} held back"
    return f"Suspended: {held.key} {until}, by {_line(held.actor)}: {_line(held.reason)} ({waiting})"


def _line(text: str) -> str:
    """Return a text that stands in a sentence, without what could upset a terminal."""
    return text if text.isprintable() else _quoted(text)


def summary(plan: Plan) -> str:
    """Return the plan in one line."""
    if plan.is_empty:
        return NO_CHANGES if not any(held.changes for held in plan.held) else HELD_BACK
    add, change, destroy = plan.counts
    further = [f", {len(items)} to {act}" for items, act in ((plan.moves, "rename"), (plan.adopts, "adopt")) if items]
    sentences = [f"Plan: {add} to add, {change} to change, {destroy} to destroy{''.join(further)}."]
    rotated = len(plan.rotates)
    for number, fate in (
        (len(plan.generates) - rotated, "generated"),
        (rotated, "rotated"),
        (len(plan.revokes), "revoked"),
    ):
        if number:
            sentences.append(f"{number} credential{'' if number == 1 else 's'} will be {fate}.")
    return " ".join(sentences)


def change_lines(change: Change, *, colour: bool = False) -> tuple[str, ...]:
    """Return the lines of one change: the address with its sign, then the fields, indented and aligned."""
    fields: tuple[FieldChange, ...] = ()
    fate = ""
    match change:
        case Create():
            sign, paint, fields = "+", _GREEN, change.fields
        case Update():
            sign, paint, fields = "~", _YELLOW, change.fields
        case Delete():
            sign, paint = "-", _RED
        case Move():
            sign, paint, fate = ">", _CYAN, f"  renamed from {change.old_key}"
        case Adopt():
            sign, paint, fate = "@", _CYAN, "  made by hand, will be taken over"
        case Rotate():
            sign, paint, fate = "!", _YELLOW, f"  will be rotated{_overlap(change)}"
        case _:
            assert_never(change)
    head = f"{sign} {change.key}{fate}"
    if change.kind is Kind.CREDENTIAL:
        fate, fields = _fate(change, fields)
        head += fate
    width = max((len(_plain(field.name)) for field in fields), default=0)
    return (
        f"{paint}{head}{_RESET}" if colour else head,
        *(f"    {_plain(field.name) + ':':<{width + 1}}  {_values(change, field)}" for field in fields),
    )


def _overlap(change: Rotate) -> str:
    rotation = change.credential.rotation
    return f"; the old one stays valid for {shown_duration(rotation.overlap)}" if rotation else ""


def _fate(change: Change, fields: tuple[FieldChange, ...]) -> tuple[str, tuple[FieldChange, ...]]:
    """Say what becomes of a credential, and which of its fields are worth showing."""
    match change:
        case Create():
            return "  will be generated", ()
        case Delete():
            return "  will be revoked", ()
        case Update() if generated_by(change) is not None:
            return "  will be generated anew", fields
        case _:
            return "", fields


def _values(change: Change, field: FieldChange) -> str:
    new = shown(field.new)
    return new if isinstance(change, Create) else f"{shown(field.old)} → {new}"


def shown(value: Json) -> str:
    """Return a value as a person reads it: a text bare where that is unmistakable, a file by name and hash."""
    match value:
        case None:
            return "(none)"
        case str():
            return _plain(value)
        case list():
            items = (_quoted(item) if isinstance(item, str) and ", " in item else shown(item) for item in value)
            return f"[{', '.join(items)}]"
        case dict():
            file = shown_file(value)
            if file is not None:
                return _plain(file)
            parts = (f"{_plain(name)}: {shown(part)}" for name, part in value.items() if part is not None)
            return f"{{{', '.join(parts)}}}"
        case _:
            return json.dumps(value)


def _plain(text: str) -> str:
    """Return a text bare, or quoted where it could pass for another value or upset a terminal."""
    mistakable = not text or text != text.strip() or text == "(none)" or (text[0] in _JSON_BEGINS and _is_json(text))
    return _quoted(text) if mistakable or not text.isprintable() else text


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
