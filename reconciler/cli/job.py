"""`reconciler job` and `reconciler fsck`: what is still to be done, what was given up, and whether all is whole."""

from dataclasses import asdict
from typing import Literal

import click

from reconciler.cli import terminal
from reconciler.cli.workspace import opened

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

    Every row is checked against every payload, and every input against the work to be done with it. The gateway may run
    meanwhile. Exits with 1 when something is wrong that was not mended.
    """
    from reconciler.store import checking  # noqa: PLC0415 - `--help` shall not wait for the store

    findings = list(checking.check(opened(ctx).store, repair=repair))
    if form == "json":
        terminal.write_json([asdict(finding) for finding in findings])
    elif findings:
        header = ["FOUND", "WHAT", "USED BY", ""]
        cells = ((f.fault, f.subject, f.used_by, "mended" if f.mended else "") for f in findings)
        terminal.write(terminal.table(header, cells))
    else:
        terminal.say("The store is whole.")
    return 0 if all(finding.mended for finding in findings) else 1


COMMANDS = {"job": job, "fsck": fsck}
