"""`reconciler lock`: who is applying or watching, and taking a lease from a holder that is dead."""

from dataclasses import asdict
from typing import Literal

import click

from reconciler.cli import terminal
from reconciler.cli.workspace import opened
from reconciler.errors import NotFoundError


@click.group()
def lock() -> None:
    """Show and release the leases on applying and watching."""


@lock.command()
@terminal.printed_as("text", "json")
@click.pass_context
def status(ctx: click.Context, form: Literal["text", "json"]) -> None:
    """List the leases that are held now."""
    held = opened(ctx).oversight.leases()
    if form == "json":
        terminal.write_json([{name: value for name, value in asdict(item).items() if name != "token"} for item in held])
    elif held:
        rows = (
            (item.name, item.owner, terminal.moment(item.acquired_at), terminal.moment(item.expires_at))
            for item in held
        )
        terminal.write(terminal.table(["LEASE", "HELD BY", "SINCE", "RUNS OUT"], rows))
    else:
        terminal.say("No lease is held.")


@lock.command()
@click.argument("name", type=click.Choice(["apply", "watch"]), default="apply")
@click.pass_context
def release(ctx: click.Context, name: str) -> None:
    """Take a lease (default: apply) from its holder.

    The holder can then commit nothing more. It is for one that died; whoever lives shall be let finish.
    """
    if not opened(ctx).oversight.release(name):
        raise NotFoundError(f"Nobody holds the lease on {name}.")
    terminal.write(f"Released the lease on {name}.")


COMMANDS = {"lock": lock}
