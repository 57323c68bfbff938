"""Mistakes as a person reads them: the place, the line, a caret under what is wrong, and the mend."""

from collections.abc import Sequence
from unicodedata import category, east_asian_width

from reconciler.errors import Problem

_RED, _BLUE, _BOLD, _PLAIN = "\x1b[1;31m", "\x1b[1;34m", "\x1b[1m", "\x1b[0m"
_WIDTH = 160


def render_problems(problems: Sequence[Problem], *, colour: bool = False, severity: str = "error") -> str:
    """Return the mistakes as text that ends with their number; empty for none. `severity` is error or warning."""
    if not problems:
        return ""
    parts = [_rendered(problem, severity, colour=colour) for problem in problems]
    plural = "" if len(problems) == 1 else "s"
    return "\n\n".join([*parts, f"{len(problems)} {severity}{plural}."]) + "\n"


def _rendered(problem: Problem, severity: str, *, colour: bool) -> str:
    red, blue, bold, plain = (_RED, _BLUE, _BOLD, _PLAIN) if colour else ("", "", "", "")
    number = str(problem.position.line)
    bar = f"{blue}{' ' * len(number)} |{plain}"
    message = _visible(problem.message)
    lines = [f"{bold}{_visible(str(problem.position))}:{plain} {red}{severity}{plain}{bold}: {message}{plain}"]
    if problem.source:
        start = max(0, problem.position.column - _WIDTH // 2) if len(problem.source) > _WIDTH else 0
        shown = _visible(problem.source[start : start + _WIDTH])
        indent = _indent(shown, problem.position.column - 1 - start)
        lines += [bar, f"{blue}{number} |{plain} {shown}", f"{bar} {indent}{red}^{plain}"]
    if problem.suggestion:
        lines.append(f"{bar} {mended(_visible(problem.suggestion))}")
    if problem.also is not None:
        lines.append(f"{bar} see also {_visible(str(problem.also))}")
    return "\n".join(lines)


def _visible(text: str) -> str:
    """Return a text in which nothing speaks to the terminal: control characters other than tabs are pictures."""
    return "".join("\ufffd" if category(character) == "Cc" and character != "\t" else character for character in text)


def _indent(shown: str, width: int) -> str:
    """Return the space before the caret: tabs stay tabs, and what is two cells wide counts twice."""
    return "".join(
        "\t" if character == "\t" else "  " if east_asian_width(character) in "FW" else " "
        for character in shown[:width].ljust(width)
    )


def mended(suggestion: str) -> str:
    """Return a word as the question whether it was meant, and a sentence as help."""
    return f"help: {suggestion}" if " " in suggestion else f"did you mean '{suggestion}'?"
