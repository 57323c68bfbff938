"""A plan for people: what is destroyed, added and changed, field by field, in the order in which it is done."""

import json
from typing import assert_never

from reconciler.model.key import Kind
from reconciler.model.noun import Json
from reconciler.plan.change import Change, Create, Delete, FieldChange, Update, shown_file
from reconciler.plan.plan import Plan, generated_by

NO_CHANGES = "No changes. Live state matches the configuration."

_RED, _GREEN, _YELLOW, _BOLD, _RESET = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[1m", "\x1b[0m"


def render(plan: Plan, *, colour: bool = False) -> str:
    """Return the plan as text that ends with its summary, without a line feed after it."""
    last = f"{_BOLD}{summary(plan)}{_RESET}" if colour else summary(plan)
    if plan.is_empty:
        return last
    blocks = (change_lines(change, colour=colour) for change in plan.changes)
    return "\n".join([*(line for block in blocks for line in block), "", last])


def summary(plan: Plan) -> str:
    """Return the plan in one line."""
    if plan.is_empty:
        return NO_CHANGES
    add, change, destroy = plan.counts
    sentences = [f"Plan: {add} to add, {change} to change, {destroy} to destroy."]
    for number, fate in ((len(plan.generates), "generated"), (len(plan.revokes), "revoked")):
        if number:
            sentences.append(f"{number} credential{'' if number == 1 else 's'} will be {fate}.")
    return " ".join(sentences)


def change_lines(change: Change, *, colour: bool = False) -> tuple[str, ...]:
    """Return the lines of one change: the address with its sign, then the fields, indented and aligned."""
    match change:
        case Create():
            sign, paint, fields = "+", _GREEN, change.fields
        case Update():
            sign, paint, fields = "~", _YELLOW, change.fields
        case Delete():
            sign, paint, fields = "-", _RED, ()
        case _:
            assert_never(change)
    head = f"{sign} {change.key}"
    if change.kind is Kind.CREDENTIAL:
        fate, fields = _fate(change, fields)
        head += fate
    width = max((len(_plain(field.name)) for field in fields), default=0)
    return (
        f"{paint}{head}{_RESET}" if colour else head,
        *(f"    {_plain(field.name) + ':':<{width + 1}}  {_values(change, field)}" for field in fields),
    )


def _fate(change: Change, fields: tuple[FieldChange, ...]) -> tuple[str, tuple[FieldChange, ...]]:
    """Say what becomes of a credential, and which of its fields are worth showing."""
    if isinstance(change, Create):
        return "  will be generated", ()
    if isinstance(change, Delete):
        return "  will be revoked", ()
    return ("  will be generated anew" if generated_by(change) is not None else ""), fields


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
        case _:
            file = shown_file(value)
            return json.dumps(value) if file is None else _plain(file)


def _plain(text: str) -> str:
    """Return a text bare, or quoted where it could pass for another value or upset a terminal."""
    mistakable = not text or text != text.strip() or text.startswith('"') or text == "(none)" or _is_json(text)
    return _quoted(text) if mistakable or not text.isprintable() else text


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
