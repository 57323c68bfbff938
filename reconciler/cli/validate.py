"""`reconciler validate`: whether the configuration is right."""

import os
from collections import Counter
from pathlib import Path
from typing import Literal, assert_never

import click

from reconciler.cli import terminal
from reconciler.cli.workspace import opened_for_planning
from reconciler.errors import ConfigurationError, Problem
from reconciler.model.key import Kind
from reconciler.model.noun import Json

Form = Literal["text", "json", "github"]
Severity = Literal["error", "warning"]

_NOUNS: tuple[tuple[Kind, str, str], ...] = (
    (Kind.ACCOUNT, "account", "accounts"),
    (Kind.MAILBOX, "mailbox", "mailboxes"),
    (Kind.RULE, "rule", "rules"),
    (Kind.TEMPLATE, "template", "templates"),
    (Kind.DICTIONARY, "dictionary", "dictionaries"),
)


@click.command()
@terminal.printed_as("text", "json", "github")
@click.option("--strict", is_flag=True, help="Fail on warnings too.")
@click.pass_context
def validate(ctx: click.Context, form: Form, *, strict: bool) -> None:
    """Check the whole configuration.

    The files that it names are checked too. Nothing live is read, nothing is written. `-o github` annotates the lines
    of a pull request.
    """
    from reconciler.desired.yaml_files import find_root  # noqa: PLC0415 - `--help` shall not wait for it

    folder = find_root(ctx.find_root().obj.config or Path.cwd())
    try:
        desired = opened_for_planning(ctx).load()
    except ConfigurationError as error:
        if form == "text":
            raise
        _show(form, error.problems, (), folder)
        ctx.exit(1)
    warnings = desired.warnings
    _show(form, (), warnings, folder)
    if form == "text":
        counts = Counter(key.kind for key in desired.state.resources)
        found = [f"{counts[kind]} {one if counts[kind] == 1 else many}" for kind, one, many in _NOUNS if counts[kind]]
        terminal.write(f"The configuration is valid: {', '.join(found) or 'nothing in it yet'}.")
    if strict and warnings:
        ctx.exit(1)


def _show(form: Form, problems: tuple[Problem, ...], warnings: tuple[Problem, ...], root: Path) -> None:
    match form:
        case "text":
            terminal.complain_of(warnings, severity="warning")
        case "json":
            terminal.write_json(
                {"valid": not problems, "problems": _documents(problems), "warnings": _documents(warnings)}
            )
        case "github":
            # Annotations name files from the checkout's root on.
            checkout = Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd())
            for severity, found in (("error", problems), ("warning", warnings)):
                for problem in found:
                    terminal.write(_annotation(problem, severity, os.path.relpath(root, checkout)))
        case _:
            assert_never(form)


def _documents(problems: tuple[Problem, ...]) -> list[Json]:
    return [
        {
            "path": problem.path,
            "file": problem.position.file,
            "line": problem.position.line,
            "column": problem.position.column,
            "code": problem.code,
            "message": problem.message,
            "suggestion": problem.suggestion,
        }
        for problem in problems
    ]


def _annotation(problem: Problem, severity: str, folder: str) -> str:
    """Return a problem as a workflow command of GitHub Actions."""
    from reconciler.desired.render import mended  # noqa: PLC0415 - `--help` shall not wait for it

    position = problem.position
    properties = {
        "file": os.path.normpath(f"{folder}/{position.file}"),
        "line": str(position.line),
        "col": str(position.column),
        "title": problem.code,
    }
    written = ",".join(f"{name}={_escaped(value, ':,')}" for name, value in properties.items())
    mend = f" ({mended(problem.suggestion)})" if problem.suggestion else ""
    return f"::{severity} {written}::{_escaped(problem.message + mend)}"


def _escaped(text: str, also: str = "") -> str:
    return "".join(f"%{ord(char):02X}" if char in f"%\r\n{also}" else char for char in text)


COMMANDS = {"validate": validate}
