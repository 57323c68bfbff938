"""The plain part of YAML in which most configurations are written, read line by line in a third of the time.

Whatever is not plain — anchors, tags, texts of several lines, escapes, quoted keys, mistakes — makes the answer None;
the composer, which knows all of YAML and every position, then reads the text. It also reads a plain text as soon as a
mistake asks where something stands.
"""

import re

from reconciler.desired.yaml_document import Scalar, Yaml
from reconciler.desired.yaml_scalar import scalar

_WORDS = r"(?:\.\.?/)*[A-Za-z_/][A-Za-z0-9_/.@+-]*(?: [A-Za-z0-9_/.@+-]+)*"
"""Text without any character that means something in YAML; a path, too, may begin with dots."""
_LINE = re.compile(rf"^( *)((?:- )*)(?:([A-Za-z0-9_][A-Za-z0-9_.-]*):(?: +|$))?(?:({_WORDS})|([^\n]*))$", re.MULTILINE)
"""The blanks, the dashes, the key, and the rest of a line, in one of two groups; empty where there is none."""
_TYPED = frozenset("~ntfNTF")
"""What a word begins with that can be null, true or false."""

_FIRST = r"(?:[^\s\-?:,\[\]{}#&*!|>'\"%@`=<]|-(?=[0-9.]))"
"""What a plain scalar begins with: no indicator of YAML, section 5.3."""
_PLAIN = re.compile(rf"({_FIRST}(?:[^:#]|:(?=\S)|(?<=\S)\#)*?) *(?: \#.*)?")
_DOUBLE = re.compile(r'"([^"\\]*)" *(?: #.*)?')
_SINGLE = re.compile(r"'((?:[^']|'')*)' *(?: #.*)?")
_FLOW_KEY = re.compile(r" *([A-Za-z0-9_][A-Za-z0-9_.-]*): +")
_FLOW_VALUE = re.compile(rf""" *(?:([{{\[])|"([^"\\]*)"|'((?:[^']|'')*)'|({_FIRST}[^:\#,\[\]{{}}]*))""")
_FLOW_NEXT = re.compile(r" *([,\]}])")
_FLOW_END = re.compile(r" *(?: #.*)?")

_DEEPEST = 32
"""Levels; the composer allows more, and says when there are too many."""

_Open = tuple[int, dict[str, Yaml] | list[Yaml]]


class _OtherError(Exception):
    """The text is not plain."""


def read_plain(text: str) -> dict[str, Yaml] | None:
    """Return the one mapping that a text is, as the composer would, or None when the text is not plain."""
    # The line feed is the only break of lines, and no other control character stands in a plain text.
    if "${" in text or not text.replace("\n", "").isprintable():
        return None
    try:
        return _read(text)
    except _OtherError:
        return None


def _read(text: str) -> dict[str, Yaml]:
    root: dict[str, Yaml] = {}
    stack: list[_Open] = [(0, root)]
    waiting: str | None = None  # the key whose value stands in the next lines
    column, container = stack[-1]
    for blanks, dashes, key, words, rest in _LINE.findall(text):
        if not key and not dashes:
            if words or (rest and rest[0] != "#"):
                raise _OtherError
            continue
        if dashes or waiting is not None or len(blanks) != column or type(container) is list:
            _open(stack, len(blanks), waiting, len(dashes) // 2, is_mapping=bool(key))
            column, container = stack[-1]
            waiting = None
        if words:
            _put(container, key, words if words[0] not in _TYPED else _known(scalar(words)))
        elif rest and rest[0] != "#":
            _put(container, key, _value(rest))
        else:
            _put(container, key, None)  # keeps the place of what follows
            waiting = key
    if waiting is not None or not root:
        raise _OtherError
    return root


def _put(container: dict[str, Yaml] | list[Yaml], key: str, value: Yaml) -> None:
    if type(container) is dict:
        if key in container:
            raise _OtherError
        container[key] = value
    elif value is not None and isinstance(container, list):
        container.append(value)
    else:
        raise _OtherError


def _open(stack: list[_Open], column: int, waiting: str | None, dashes: int, *, is_mapping: bool) -> None:
    """Have what a line belongs to at the top: opened before, or by the line for the value of a waiting key."""
    is_list = dashes > 0
    if waiting is not None:
        above, container = stack[-1]
        # A list may begin where its key does.
        if column < above or (column == above and not is_list) or len(stack) == _DEEPEST or isinstance(container, list):
            raise _OtherError
        opened: dict[str, Yaml] | list[Yaml] = [] if is_list else {}
        container[waiting] = opened
        stack.append((column, opened))
    else:
        while stack[-1][0] > column or (stack[-1][0] == column and not is_list and type(stack[-1][1]) is list):
            stack.pop()
            if not stack:
                raise _OtherError
        if stack[-1][0] != column or (type(stack[-1][1]) is list) is not is_list:
            raise _OtherError
    if is_list:
        _item(stack, stack[-1][1], column, dashes, is_mapping=is_mapping)


def _item(
    stack: list[_Open], container: dict[str, Yaml] | list[Yaml], column: int, dashes: int, *, is_mapping: bool
) -> None:
    """Open what begins behind the dashes of a line."""
    for number in range(dashes - (not is_mapping)):
        if not isinstance(container, list) or len(stack) == _DEEPEST:
            raise _OtherError
        column += 2
        opened: dict[str, Yaml] | list[Yaml] = {} if is_mapping and number == dashes - 1 else []
        container.append(opened)
        stack.append((column, opened))
        container = opened


def _value(text: str) -> Yaml:
    """Return what stands behind a key or a dash on the same line."""
    match text[:1]:
        case "{" | "[":
            value, end = _flow(text, 0, 0)
            if not _FLOW_END.fullmatch(text, end):
                raise _OtherError
            return value
        case '"':
            quoted = _DOUBLE.fullmatch(text)
            return _known(quoted and quoted[1])
        case "'":
            quoted = _SINGLE.fullmatch(text)
            return _known(quoted and quoted[1].replace("''", "'"))
        case _:
            plain = _PLAIN.fullmatch(text)
            return _known(plain and scalar(plain[1]))


def _flow(text: str, at: int, depth: int) -> tuple[Yaml, int]:
    """Return the list or mapping that begins at a bracket, and the place behind it."""
    is_mapping, end = text[at] == "{", "}" if text[at] == "{" else "]"
    at += 1
    mapping: dict[str, Yaml] = {}
    items: list[Yaml] = []
    following = _FLOW_NEXT.match(text, at)
    if following is not None and following[1] == end:
        return (mapping if is_mapping else items), following.end()
    if depth == _DEEPEST:
        raise _OtherError
    while True:
        key = None
        if is_mapping:
            key = _FLOW_KEY.match(text, at)
            if key is None or key[1] in mapping:
                raise _OtherError
            at = key.end()
        value, at = _flow_value(text, at, depth)
        if key is not None:
            mapping[key[1]] = value
        else:
            items.append(value)
        following = _FLOW_NEXT.match(text, at)
        if following is None:
            raise _OtherError
        at = following.end()
        if following[1] == end:
            return (mapping if is_mapping else items), at
        if following[1] != ",":
            raise _OtherError


def _flow_value(text: str, at: int, depth: int) -> tuple[Yaml, int]:
    found = _FLOW_VALUE.match(text, at)
    if found is None:
        raise _OtherError
    bracket, double, single, plain = found.groups()
    if bracket is not None:
        return _flow(text, found.start(1), depth + 1)
    if double is not None:
        return double, found.end()
    if single is not None:
        return single.replace("''", "'"), found.end()
    return _known(scalar(plain.rstrip())), found.end()


def _known(value: Scalar) -> Scalar:
    """Return a value that was understood and is not null."""
    if value is None:
        raise _OtherError
    return value
