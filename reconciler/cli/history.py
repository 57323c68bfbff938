"""`reconciler history`, `rollback` and `drift`: what was applied, going back, and what changed since."""

from typing import Any, Literal

import click

from reconciler.cli import terminal
from reconciler.cli.plan import confirmed, say_applied, show_plan
from reconciler.cli.terms import ended_by_signal, lock_timeout_given, progress_shown, terms_given, terms_of
from reconciler.cli.workspace import actor, opened
from reconciler.live.history import Drift
from reconciler.plan.change import change_to_json
from reconciler.plan.render.text import change_lines, shown
from reconciler.store.configuration import Revision

DRIFTED = 2
"""Exit code of `drift` when the live side is not what was applied."""


@click.command()
@click.argument("number", metavar="[ID]", required=False, type=click.IntRange(min=1))
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many, newest first.")
@terminal.printed_as("text", "json")
@click.pass_context
def history(ctx: click.Context, number: int | None, limit: int, form: Literal["text", "json"]) -> None:
    """List what was applied: when, by whom, at which commit.

    With ID, a revision's number, show what it changed.
    """
    oversight = opened(ctx).oversight
    if number is not None:
        revision, changes = oversight.revision(number)
        if form == "json":
            terminal.write_json({**_document(revision), "changes": [change_to_json(change) for change in changes]})
            return
        lines = [line for change in changes for line in change_lines(change)]
        terminal.write("\n".join([terminal.listing(_pairs(revision)), "", *lines]).rstrip())
        return
    found = oversight.history(limit=limit)
    if form == "json":
        terminal.write_json([_document(revision) for revision in found])
    elif found:
        rows = (
            (
                str(revision.number),
                terminal.moment(revision.applied_at),
                revision.actor,
                revision.commit[:12],
                _counts(revision),
                revision.by_hand and f"by hand: {revision.by_hand}",
            )
            for revision in found
        )
        terminal.write(terminal.table(["ID", "TIME", "BY", "COMMIT", "CHANGES", "WHY"], rows))
    else:
        terminal.say("Nothing was applied yet. See: reconciler apply")


def _document(revision: Revision) -> dict[str, object]:
    return {
        "id": revision.number,
        "applied_at": revision.applied_at,
        "actor": revision.actor,
        "commit": revision.commit,
        "config_hash": revision.config_hash,
        "plan_digest": revision.digest,
        "by_hand": revision.by_hand,
        "summary": dict(revision.summary),
    }


def _pairs(revision: Revision) -> list[tuple[str, str]]:
    pairs = [
        ("id", str(revision.number)),
        ("applied", terminal.moment(revision.applied_at)),
        ("by", revision.actor),
        ("commit", revision.commit),
        ("plan", revision.digest),
        ("by hand", revision.by_hand),
        ("changes", _counts(revision)),
    ]
    return [(name, value) for name, value in pairs if value]


def _counts(revision: Revision) -> str:
    """Return what a revision counted, such as `+3 ~1 -0`."""
    summary = revision.summary
    if not summary:
        return "credentials rotated"
    return " ".join(f"{sign}{summary.get(name, 0)}" for sign, name in (("+", "add"), ("~", "change"), ("-", "destroy")))


@click.command()
@click.argument("number", metavar="ID", type=click.IntRange(min=1))
@click.option("--auto-approve", is_flag=True, help="Apply without asking.")
@terms_given
@lock_timeout_given
@click.pass_context
def rollback(
    ctx: click.Context,
    /,
    number: int,
    *,
    auto_approve: bool,
    lock_timeout: float,
    **terms: Any,  # noqa: ANN401 - the options of terms_given
) -> None:
    """Plan what was live at the revision ID, ask, and make it true.

    What was made since is destroyed with --prune only. The files keep saying what they say: the next apply of them
    goes forward again.
    """
    workspace = opened(ctx)
    with ended_by_signal(), workspace.alone(actor=actor(), timeout=lock_timeout) as lease:
        made = workspace.plan_wish(workspace.oversight.wish_of(number), terms_of(**terms))
        show_plan(made, "text")
        if confirmed(made, auto_approve=auto_approve):
            with progress_shown() as progress:
                done = workspace.apply_plan(made, {}, actor=actor(), lease=lease, progress=progress)
            say_applied(done)


@click.command()
@terminal.printed_as("text", "json")
@click.pass_context
def drift(ctx: click.Context, form: Literal["text", "json"]) -> None:
    """Show where the live side is not what was last applied.

    Exits with 2 when it is not.
    """
    found = opened(ctx).oversight.drift()
    if form == "json":
        terminal.write_json([_drift_document(item) for item in found])
    elif found:
        terminal.write("\n".join(line for item in found for line in _drift_lines(item)))
        resources = f"{len(found)} resource{'' if len(found) == 1 else 's'}"
        terminal.write(f"\nDrift: {resources} changed since the last apply. To heal: reconciler apply")
    else:
        terminal.write("No drift. The live side is what was last applied.")
    if found:
        ctx.exit(DRIFTED)


def _drift_document(item: Drift) -> dict[str, object]:
    return {
        "address": item.key,
        "what": item.what,
        "fields": [{"name": field.name, "old": field.old, "new": field.new} for field in item.fields],
        "actor": item.actor,
        "at": item.at,
        "reason": item.reason,
    }


def _drift_lines(item: Drift) -> list[str]:
    who = (
        "by somebody unknown, past the gateway"
        if item.actor is None or item.at is None
        else (f"by {item.actor} at {terminal.moment(item.at)}" + (f": {item.reason}" if item.reason else ""))
    )
    head = f"≠ {item.key}  {item.what} {terminal.printable(who)}"
    fields = [f"    {field.name}:  {shown(field.old)} → {shown(field.new)}" for field in item.fields]
    return [head, *(terminal.printable(line) for line in fields)]


COMMANDS = {"history": history, "rollback": rollback, "drift": drift}
