"""`reconciler ban`: who is kept out of the SFTP server."""

from typing import Literal

import click

from reconciler.cli import terminal
from reconciler.cli.workspace import opened
from reconciler.errors import NotFoundError


@click.group()
def ban() -> None:
    """Show who is kept out for failed logins; let them in again."""


@ban.command("list")
@terminal.printed_as("text", "json")
@click.pass_context
def list_bans(ctx: click.Context, form: Literal["text", "json"]) -> None:
    """List the addresses and logins that are banned now."""
    found = opened(ctx).upkeep.bans()
    if form == "json":
        terminal.write_json([{"subject": one.subject, "until": one.until, "count": one.count} for one in found])
    elif found:
        rows = [(one.subject, terminal.moment(one.until), str(one.count)) for one in found]
        terminal.write(terminal.table(("SUBJECT", "UNTIL", "BANS"), rows))
    else:
        terminal.say("Nobody is banned.")


@ban.command()
@click.argument("subject", nargs=-1, required=True)
@click.pass_context
def remove(ctx: click.Context, subject: tuple[str, ...]) -> None:
    """Lift bans.

    SUBJECT is what `ban list` prints, or an address alone. A running gateway follows in 2 s.
    """
    named = " ".join(subject)
    upkeep = opened(ctx).upkeep
    candidates = (named, f"address {named}", f"login {named}")
    removed = [name for name in candidates if upkeep.lift_ban(name)]
    if not removed:
        raise NotFoundError(f"Nothing is known of '{named}'. See: reconciler ban list")
    terminal.write(f"Lifted the ban of {removed[0]}.")


COMMANDS = {"ban": ban}
