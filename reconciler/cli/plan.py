"""`reconciler plan` and `apply`: from YAML to what is live."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, assert_never

import click

from reconciler.cli import terminal
from reconciler.cli.terms import ended_by_signal, lock_timeout_given, progress_shown, terms_given, terms_of
from reconciler.cli.workspace import actor, opened, opened_for_planning
from reconciler.errors import PlanRefusedError
from reconciler.plan.impact import Impact
from reconciler.plan.plan import Applied, Plan
from reconciler.plan.render import impact_form, json_form, markdown, text
from reconciler.plan.saved import SavedPlan

if TYPE_CHECKING:
    from reconciler.service.workspace import Workspace

_SHOWN = 10
"""Generated credentials that are named after an apply."""

CHANGES = 2
"""Exit code of `plan --detailed-exitcode` when there is something to do."""

Form = Literal["text", "json", "markdown"]


@click.command()
@terminal.printed_as("text", "json", "markdown")
@terms_given
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Save the plan, to apply it as it is.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 when there are changes.")
@click.option(
    "--replay",
    metavar="TIME|DIR",
    help="Run the inputs of that time (7d), or samples, through the rules: what changes?",
)
@click.option("--replay-convert", is_flag=True, help="With --replay, convert too and show what comes out otherwise.")
@click.pass_context
def plan(
    ctx: click.Context,
    /,
    form: Form,
    *,
    out: Path | None,
    detailed_exitcode: bool,
    replay: str | None,
    replay_convert: bool,
    **terms: Any,  # noqa: ANN401 - the options of terms_given
) -> None:
    """Show what applying would change.

    Nothing live is changed. Nothing is destroyed without --prune.

    For example: reconciler plan --target 'accounts.acme.mailboxes.*' --out plan.json
    """
    if replay_convert and replay is None:
        raise click.UsageError("--replay-convert needs --replay.", ctx)
    planning = opened_for_planning(ctx)
    desired = planning.load()
    made = planning.plan(desired, terms_of(**terms))
    impact = None if replay is None else opened(ctx).impact(made, desired, replay, convert=replay_convert)
    show_plan(made, form, impact)
    if out is not None:
        out.write_text(planning.save(made, desired, actor=actor()).written(), encoding="utf-8")
        terminal.say(f"Saved the plan. Apply it with: reconciler apply {out}")
    elif made.refusals:
        raise PlanRefusedError("This plan must not be applied as it is.")
    if detailed_exitcode and not made.is_empty:
        ctx.exit(CHANGES)


def show_plan(made: Plan, form: Form, impact: Impact | None = None) -> None:
    """Write a plan, and what it does to the inputs that were replayed, to stdout."""
    match form:
        case "text":
            colour = terminal.wants_colour(sys.stdout)
            terminal.write(text.render(made, colour=colour), colour=colour)
            if impact is not None:
                terminal.write("\n" + impact_form.as_text(impact))
        case "json":
            terminal.write(json_form.render(made, impact))
        case "markdown":
            terminal.write(markdown.render(made, impact).rstrip("\n"))
        case _:
            assert_never(form)


@click.command()
@click.argument("saved", metavar="[PLAN]", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--auto-approve", is_flag=True, help="Apply without asking.")
@terms_given
@lock_timeout_given
@click.pass_context
def apply(
    ctx: click.Context,
    /,
    saved: Path | None,
    *,
    auto_approve: bool,
    lock_timeout: float,
    **terms: Any,  # noqa: ANN401 - the options of terms_given
) -> None:
    """Show the plan, ask, and make it true.

    It happens in one transaction, all or nothing. PLAN, a file that `plan --out` wrote, is applied as it is and without
    asking, or refused when the configuration or the live side moved since.
    """
    workspace = opened(ctx)
    if saved is not None:
        if any(terms.values()):
            raise click.UsageError("A saved plan has its terms already; plan again with others.", ctx)
        _apply_saved(workspace, SavedPlan.read(saved.read_bytes()), lock_timeout)
        return
    desired = workspace.load()
    with ended_by_signal(), workspace.alone(actor=actor(), timeout=lock_timeout) as lease:
        made = workspace.plan(desired, terms_of(**terms))
        show_plan(made, "text")
        if confirmed(made, auto_approve=auto_approve):
            with progress_shown() as progress:
                done = workspace.apply(made, desired, actor=actor(), lease=lease, progress=progress)
            say_applied(done)


def _apply_saved(workspace: "Workspace", saved: SavedPlan, lock_timeout: float) -> None:
    desired = workspace.load()
    workspace.check_saved(saved, desired)
    with ended_by_signal(), workspace.alone(actor=actor(), timeout=lock_timeout) as lease:
        show_plan(saved.plan, "text")
        with progress_shown() as progress:
            done = workspace.apply(saved.plan, desired, actor=actor(), lease=lease, progress=progress)
    if not saved.plan.is_empty:
        say_applied(done)


def confirmed(made: Plan, *, auto_approve: bool) -> bool:
    """Say whether a plan that was shown is to be applied. Raises PlanRefusedError when it must not be."""
    if made.refusals:
        raise PlanRefusedError("Nothing was applied: the plan is refused.")
    if made.is_empty:
        return False
    if not auto_approve:
        _ask()
    return True


def say_applied(applied: Applied) -> None:
    """Say what applying did, and where to see what was generated."""
    terminal.write(f"\nApplied. The live side is now at revision {applied.revision}.")
    generated = [(key, key.owner.owner) for key in applied.generated if key.owner is not None]
    for key, mailbox in generated[:_SHOWN]:
        terminal.say(f"Generated {key.name}; see: reconciler credentials show {mailbox}")
    if len(generated) > _SHOWN:
        terminal.say(f"and {len(generated) - _SHOWN:,} more; see: reconciler credentials deliver --help")


def _ask() -> None:
    """Raise click.ClickException unless a person at a terminal says yes."""
    if not has_terminal():
        raise click.ClickException("There is no terminal to ask on, so nothing was applied. Add --auto-approve.")
    if not click.confirm("\nApply this plan?", default=False, err=True):
        raise click.ClickException("Nothing was applied.")


def has_terminal() -> bool:
    """Say whether there is somebody to ask."""
    return terminal.is_watched(sys.stdin)


COMMANDS = {"plan": plan, "apply": apply}
