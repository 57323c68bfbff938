"""Values as YAML text, in the form in which people write them."""

import re
from collections.abc import Mapping, Sequence

from reconciler.desired.yaml_document import Scalar
from reconciler.desired.yaml_scalar import scalar

INDENT = 2
WIDTH = 100
"""Characters of a line up to which a mapping or list of scalars stands on it."""

Written = Mapping[str, "Written"] | Sequence["Written"] | Scalar

_PLAIN = re.compile(r"[A-Za-z0-9_/.][A-Za-z0-9_/.@+-]*(?: [A-Za-z0-9_/.@+-]+)*")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def scalar_text(value: Scalar) -> str:
    """Return a scalar so that it is read as itself: bare where that is unmistakable, else quoted."""
    match value:
        case None:
            raise ValueError("a configuration has no null")
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case str():
            return _text(value.replace("${", "$${"))


def key_text(key: str) -> str:
    """Return a key so that it is read as itself; no variable stands in one."""
    return _text(key)


def _text(text: str) -> str:
    if _PLAIN.fullmatch(text) and isinstance(scalar(text), str):
        return text
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    return char if char.isprintable() else f"\\U{ord(char):08X}"


def flow(value: Written) -> str:
    """Return a value on one line."""
    match value:
        case Mapping():
            return "{" + ", ".join(f"{key_text(key)}: {flow(item)}" for key, item in value.items()) + "}"
        case str() | bool() | int() | float() | None:
            return scalar_text(value)
        case _:
            return "[" + ", ".join(map(flow, value)) + "]"


def is_block(value: Written, column: int) -> bool:
    """Say whether a value at a column is written on lines of its own: a mapping of mappings, and whatever is long."""
    if isinstance(value, str | bool | int | float | None) or not value:
        return False
    items = list(value.values()) if isinstance(value, Mapping) else list(value)
    return any(isinstance(item, Mapping) for item in items) or column + len(flow(value)) > WIDTH


def entry(key: str, value: Written, column: int) -> list[str]:
    """Return the lines of a key with its value; the key begins at `column`."""
    head = f"{' ' * column}{key_text(key)}:"
    if not is_block(value, len(head) + 1):
        return [f"{head} {flow(value)}"]
    return [head, *block(value, column + INDENT)]


def block(value: Written, column: int) -> list[str]:
    """Return the lines of a mapping or list, each entry beginning at `column`."""
    if isinstance(value, Mapping):
        return [line for key, item in value.items() for line in entry(key, item, column)]
    if isinstance(value, str | bool | int | float | None):
        raise TypeError("a scalar is no block")
    lines: list[str] = []
    for item in value:
        below = block(item, column + INDENT) if isinstance(item, Mapping) and is_block(item, column) else [flow(item)]
        lines.append(f"{' ' * column}- {below[0].lstrip()}")
        lines += below[1:]
    return lines
