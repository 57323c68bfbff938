"""`reconciler job` and `reconciler fsck`: what is still to be done, what was given up, and whether all is whole."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Literal

import click

from reconciler.cli import terminal
from reconciler.cli.workspace import opened

if TYPE_CHECKING:
    from reconciler.store.finding import Finding

_STATES = ("ready", "running", "retrying", "done", "dead")


@click.group()
def job() -> None:
    """Look at the gateway's work; retry or drop what it gave up."""


@job.command("list")
@click.option("--state", "states", type=click.Choice(_STATES), multiple=True, help="Default: dead. May be repeated.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many, oldest first.")
@terminal.printed_as("text", "json")
@click.pass_context
def list_jobs(ctx: click.Context, states: tuple[str, ...], limit: int, form: Literal["text", "json"]) -> None:
    """List the jobs that were given up, or those in other states."""
    workspace = opened(ctx)
    rows = workspace.upkeep.jobs(states or ("dead",), limit)
    if form == "json":
        terminal.write_json([asdict(row) for row in rows])
    elif rows:
        header = ["JOB", "SINCE", "STATE", "KIND", "MAILBOX", "FAILURES", "DUE", "SUBJECT", "ERROR"]
        addresses = {str(item.uuid): str(item.key) for item in workspace.show(None)}
        cells = (
            (
                str(row.number),
                terminal.moment(row.created_at),
                str(row.state),
                row.kind,
                addresses.get((row.queue or row.subject).rpartition("/")[2], ""),
                str(row.failures),
                terminal.moment(row.run_at),
                row.subject,
                row.error,
            )
            for row in rows
        )
        terminal.write(terminal.table(header, cells))
    else:
        terminal.say("There is none.")


@job.command()
@click.argument("numbers", metavar="JOB...", type=int, nargs=-1, required=True)
@click.pass_context
def retry(ctx: click.Context, numbers: tuple[int, ...]) -> None:
    """Have dead jobs run again by the gateway.

    They begin with their first attempt. Messages keep their Message-ID, so that nobody takes them twice.
    """
    for row in opened(ctx).upkeep.retry(numbers):
        terminal.write(f"Job {row.number} runs again: {row.kind} {row.subject}")


@job.command()
@click.argument("numbers", metavar="JOB...", type=int, nargs=-1, required=True)
@click.pass_context
def drop(ctx: click.Context, numbers: tuple[int, ...]) -> None:
    """Let dead jobs be; what they were to do will not be done."""
    for row in opened(ctx).upkeep.drop(numbers):
        terminal.write(f"Job {row.number} is dropped: {row.kind} {row.subject}")


@click.command()
@click.option("--repair", is_flag=True, help="Mend what can be; put damaged payloads into quarantine.")
@terminal.printed_as("text", "json")
@click.pass_context
def fsck(ctx: click.Context, form: Literal["text", "json"], *, repair: bool) -> int:
    """Check that nothing in the store is missing or damaged.

    Found are payloads that are damaged, missing, or named by nothing; and inputs, AS2 messages, envelopes, posts and
    mails that nothing works on. Each is shown with what needs it, and with what was done about it or is to be done.

    The gateway may run meanwhile. Nothing is changed without --repair; with it, work is begun anew, what nothing needs
    is removed, and damaged bytes are put into the folder quarantine of the store.

    Exits with 0 when the store is whole, or all that was found was mended; with 1 when something was not.
    """
    from reconciler.store import checking  # noqa: PLC0415 - `--help` shall not wait for the store

    found = mended = 0
    shown = []
    for finding in checking.check(opened(ctx).store, repair=repair):
        found, mended = found + 1, mended + finding.mended
        if form == "json":
            shown.append(asdict(finding))
        else:
            terminal.write(_shown(finding))
    if form == "json":
        terminal.write_json(shown)
    elif found:
        terminal.say(f"{found} found, {mended} of them mended.")
    else:
        terminal.say("The store is whole.")
    return 0 if mended == found else 1


def _shown(finding: "Finding") -> str:
    """Return a finding as it comes, since a store can be large: what, where, what needs it, and what about it."""
    lines = [f"{finding.fault}: {terminal.printable(finding.subject)}"]
    if finding.used_by:
        lines.append(f"  needed by: {terminal.printable(finding.used_by)}")
    lines.append(f"  {'mended' if finding.mended else 'to mend'}: {terminal.printable(finding.remedy)}")
    return "\n".join(lines)


COMMANDS = {"job": job, "fsck": fsck}
