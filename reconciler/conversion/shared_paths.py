"""Paths from the root that several tests of a schema contain: each can be evaluated once for a document.

The rules of an invoice standard search the whole document again and again for the same nodes, such as
`//TaxCategory[TaxScheme/ID = 'VAT']/ID[. = 'S']` in each of the rules about one rate. Such a path means the same in
every test, since it depends on nothing but the document: it is replaced where that is certain, left alone elsewhere.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""'[^']*'|"[^"]*"|\(:|//|::|:=|!=|<=|>=|<<|>>|\|\||=>|\.\.|[^\W\d][\w.-]*(?::(?:[^\W\d][\w.-]*|\*))?|\d[\w.]*|\S"""
)
_NAME = re.compile(r"[^\W\d]")
_BEFORE_OPERAND = frozenset({"(", ",", "=", "!=", "<", ">", "<=", ">=", "|", "+"})
_OPERATORS = frozenset({"and", "or", "then", "else", "return", "satisfies", "in", "union", "eq", "ne", "div", "mod"})
_ENDS_OPERAND = re.compile(r"""[\w'")\].*]\Z""")
_CHANGES_FOCUS = frozenset({"/", "//", "!"})
_UNCERTAIN = frozenset({"$", "(:", "current", "current-group", "current-grouping-key", "regex-group"})


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    start: int
    end: int


def shared(tests: Iterable[str]) -> tuple[str, ...]:
    """Return the paths that are in these XPath expressions more than once, in the order in which they come first."""
    counted = Counter(test[start:end] for test in tests for start, end in _paths(test))
    return tuple(path for path, count in counted.items() if count > 1)


def replaced(test: str, by: Callable[[str], str | None]) -> str:
    """Return an expression with each path from the root replaced by what `by` gives for it; None leaves it alone."""
    for start, end in reversed(list(_paths(test))):
        test = test[:start] + (by(test[start:end]) or test[start:end]) + test[end:]
    return test


def _paths(test: str) -> Iterator[tuple[int, int]]:
    """Yield where paths begin and end that start at the root of the document that is validated."""
    tokens = [_Token(found.group(), found.start(), found.end()) for found in _TOKEN.finditer(test)]
    if any(token.text == "(:" for token in tokens):
        return
    # Within a predicate or a step, the root may be that of another document.
    elsewhere: list[bool] = []
    at = 0
    while at < len(tokens):
        text = tokens[at].text
        if text in {"[", "("}:
            elsewhere.append(text == "[" or _is_step(tokens, at))
        elif text in {"]", ")"} and elsewhere:
            elsewhere.pop()
        elif text == "//" and not any(elsewhere) and _begins_operand(tokens, at):
            end = _end_of_path(tokens, at)
            if end > at:
                yield tokens[at].start, tokens[end - 1].end
                at = end
                continue
        at += 1


def _is_step(tokens: list[_Token], at: int) -> bool:
    """Say whether a parenthesis is, or belongs to a function that is, a step behind another."""
    before = at - 1
    if before >= 0 and _NAME.match(tokens[before].text):
        before -= 1
    return before >= 0 and tokens[before].text in _CHANGES_FOCUS


def _begins_operand(tokens: list[_Token], at: int) -> bool:
    if at == 0 or tokens[at - 1].text in _BEFORE_OPERAND:
        return True
    # A word is an operator where an operand comes before it, and else the name of an element.
    return tokens[at - 1].text in _OPERATORS and at > 1 and _ENDS_OPERAND.search(tokens[at - 2].text) is not None


def _end_of_path(tokens: list[_Token], at: int) -> int:
    """Return the index behind a path's last step that is a plain name with predicates; `at` when it has none."""
    end = at
    while end < len(tokens) and tokens[end].text in {"/", "//"}:
        to = end + 1
        if to < len(tokens) and tokens[to].text == "@":
            to += 1
        if to >= len(tokens) or not (_NAME.match(tokens[to].text) or tokens[to].text == "*"):
            break
        to += 1
        if to < len(tokens) and tokens[to].text in {"(", "::", "{"}:
            break
        while to < len(tokens) and tokens[to].text == "[":
            after = _end_of_predicate(tokens, to)
            if after is None:
                return at
            to = after
        end = to
    return end


def _end_of_predicate(tokens: list[_Token], at: int) -> int | None:
    """Return the index behind a predicate; None when it depends on more than the document."""
    depth = 0
    for index in range(at, len(tokens)):
        text = tokens[index].text
        if text in _UNCERTAIN:
            return None
        depth += (text == "[") - (text == "]")
        if depth == 0:
            return index + 1
    return None
