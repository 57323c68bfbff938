"""What reaches the terminal: colours where they are wanted, tables, and no text that could play tricks on it."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from shutil import get_terminal_size
from textwrap import fill, indent
from typing import Any, Literal, TextIO, TypeVar
from uuid import UUID

import click

from reconciler.errors import Problem
from reconciler.model.key import Key

_NO = frozenset({"", "0", "false"})
"""What a variable says that is there and means no."""

_INDENT = "  "

Command = TypeVar("Command", bound=Callable[..., Any])


def is_watched(stream: TextIO) -> bool:
    """Say whether somebody sits at a stream's terminal; in CI nobody does, whatever it calls a terminal."""
    return stream.isatty() and os.environ.get("CI", "") in _NO


def wants_colour(stream: TextIO) -> bool:
    """Say whether a stream is written in colour: NO_COLOR and FORCE_COLOR decide, else whether somebody watches."""
    if os.environ.get("NO_COLOR"):
        return False
    forced = os.environ.get("FORCE_COLOR", "")
    return forced not in _NO or (not forced and is_watched(stream))


def write(text: str, *, colour: bool = False) -> None:
    """Write a result to stdout."""
    click.echo(text, color=colour)


def write_json(document: object) -> None:
    """Write a result to stdout as an indented JSON document; addresses, UUIDs and times are texts in it."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False, default=_as_text))


def _as_text(value: object) -> str:
    match value:
        case datetime():
            return value.isoformat()
        case UUID() | Key():
            return str(value)
        case _:
            raise TypeError(f"{type(value).__name__} has no place in a result")


def say(text: str) -> None:
    """Write to stderr what is no result: progress, questions, advice."""
    click.echo(text, err=True)


def complain_of(problems: Sequence[Problem], *, severity: Literal["error", "warning"] = "error") -> None:
    """Write what is wrong with a configuration to stderr, or what is doubtful about it; nothing for nothing."""
    from reconciler.desired.render import render_problems  # noqa: PLC0415 - `--version` shall not wait for it

    if problems:
        colour = wants_colour(sys.stderr)
        text = render_problems(problems, colour=colour, severity=severity)
        codes = " ".join(sorted({problem.code for problem in problems}))
        click.echo(f"{text.rstrip()} More: reconciler explain {codes}", err=True, color=colour)


def printable(text: str) -> str:
    """Return a text with control characters escaped; line feeds stay."""
    return "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in text)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return rows in aligned columns under their header, each cell on one line.

    For somebody at a terminal that is narrower, each row goes on below itself, indented.
    """
    lines = [list(header), *([printable(cell).replace("\n", " ") for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    room = get_terminal_size().columns if is_watched(sys.stdout) else sys.maxsize
    return "\n".join(text for line in lines for text in _folded(line, widths, room) if text.strip())


def _folded(cells: Sequence[str], widths: Sequence[int], room: int) -> Iterator[str]:
    """Yield the lines that a row takes where there is room for so many characters."""
    folded = ""
    for cell, width in zip(cells, widths, strict=True):
        if folded and len(folded) + width > room:
            yield folded.rstrip()
            folded = _INDENT
        if len(_INDENT) + width > room:
            yield fill(cell, room, initial_indent=folded, subsequent_indent=_INDENT, break_long_words=False)
            folded = _INDENT
        else:
            folded += f"{cell:<{width}}  "
    yield folded.rstrip()


def listing(pairs: Iterable[tuple[str, str]]) -> str:
    """Return names and values, one a line, aligned; a value of several lines is indented below its name."""
    shown = [(f"{name}:", printable(value)) for name, value in pairs]
    width = max((len(name) for name, _ in shown), default=0)
    return "\n".join(
        f"{name:<{width}}  {value}" if "\n" not in value else f"{name}\n{indent(value.strip(), '  ')}"
        for name, value in shown
    )


def printed_as(*forms: str) -> Callable[[Command], Command]:
    """Return the option `-o`, the form of a result."""
    choice = click.Choice(forms)
    return click.option(
        "-o", "--output", "form", type=choice, default=forms[0], show_default=True, help="The form of the result."
    )


log_format_given = click.option(
    "--log-format",
    type=click.Choice(["console", "json"]),
    default="console",
    show_default=True,
    envvar="RECONCILER_LOG_FORMAT",
    help="Lines for people, or a JSON document each; to stderr.",
)
"""Gives a command that runs for long its `log_format`."""


def moment(time: datetime) -> str:
    """Return a time in UTC, to the second."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
