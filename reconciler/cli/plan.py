"""`reconciler validate`, `plan` and `apply`: from YAML to what is live."""

import sys
from collections import Counter
from typing import Literal, assert_never

import click

from reconciler.cli import terminal
from reconciler.cli.workspace import actor, opened
from reconciler.errors import ConfigurationError, Problem
from reconciler.model.key import Kind
from reconciler.model.noun import Json
from reconciler.plan.plan import Plan
from reconciler.plan.render import json_form, markdown, text

CHANGES = 2
"""Exit code of `plan --detailed-exitcode` when there is something to do."""

_NOUNS: tuple[tuple[Kind, str, str], ...] = (
    (Kind.ACCOUNT, "account", "accounts"),
    (Kind.MAILBOX, "mailbox", "mailboxes"),
    (Kind.RULE, "rule", "rules"),
    (Kind.TEMPLATE, "template", "templates"),
    (Kind.DICTIONARY, "dictionary", "dictionaries"),
)

Form = Literal["text", "json", "markdown"]


@click.command()
@terminal.printed_as("text", "json")
@click.pass_context
def validate(ctx: click.Context, form: Literal["text", "json"]) -> None:
    """Check the whole configuration.

    The files that it names are checked too. Nothing live is read, nothing is written.
    """
    workspace = opened(ctx)
    try:
        desired = workspace.load()
    except ConfigurationError as error:
        if form == "text":
            raise
        terminal.write_json({"valid": False, "problems": _documents(error.problems), "warnings": []})
        ctx.exit(1)
    if form == "json":
        terminal.write_json({"valid": True, "problems": [], "warnings": _documents(desired.warnings)})
        return
    if desired.warnings:
        terminal.complain_of(desired.warnings)
    counts = Counter(key.kind for key in desired.state.resources)
    found = [f"{counts[kind]} {one if counts[kind] == 1 else many}" for kind, one, many in _NOUNS if counts[kind]]
    terminal.write(f"The configuration is valid: {', '.join(found) or 'nothing in it yet'}.")


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


@click.command()
@terminal.printed_as("text", "json", "markdown")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 when there are changes.")
@click.pass_context
def plan(ctx: click.Context, form: Form, *, detailed_exitcode: bool) -> None:
    """Show what applying would change.

    Nothing is written.
    """
    workspace = opened(ctx)
    made = workspace.plan(workspace.load())
    _show(made, form)
    if detailed_exitcode and not made.is_empty:
        ctx.exit(CHANGES)


def _show(made: Plan, form: Form) -> None:
    match form:
        case "text":
            colour = terminal.wants_colour(sys.stdout)
            terminal.write(text.render(made, colour=colour), colour=colour)
        case "json":
            terminal.write(json_form.render(made))
        case "markdown":
            terminal.write(markdown.render(made).rstrip("\n"))
        case _:
            assert_never(form)


@click.command()
@click.option("--auto-approve", is_flag=True, help="Apply without asking.")
@click.pass_context
def apply(ctx: click.Context, *, auto_approve: bool) -> None:
    """Show the plan, ask, and make it true.

    It happens in one transaction, all or nothing.
    """
    workspace = opened(ctx)
    desired = workspace.load()
    made = workspace.plan(desired)
    _show(made, "text")
    if made.is_empty:
        return
    if not auto_approve:
        _ask()
    applied = workspace.apply(made, desired, actor=actor())
    terminal.write(f"\nApplied. The live side is now at revision {applied.revision}.")
    for key in applied.generated:
        integration = key.owner
        if integration is not None:
            terminal.say(f"Generated {key.name}; see: reconciler credentials show {integration.owner}")


def _ask() -> None:
    """Raise click.ClickException unless a person at a terminal says yes."""
    if not has_terminal():
        raise click.ClickException("There is no terminal to ask on, so nothing was applied. Add --auto-approve.")
    if not click.confirm("\nApply this plan?", default=False, err=True):
        raise click.ClickException("Nothing was applied.")


def has_terminal() -> bool:
    """Say whether there is somebody to ask."""
    return sys.stdin.isatty()


COMMANDS = {"validate": validate, "plan": plan, "apply": apply}
