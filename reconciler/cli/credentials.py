"""`reconciler credentials`: what a partner's administrator needs to connect."""

import sys
from typing import Literal

import click

from reconciler.cli import terminal
from reconciler.cli.workspace import actor, opened
from reconciler.errors import NotFoundError
from reconciler.model.credential import Secret


@click.group()
def credentials() -> None:
    """Show connection details, rotate secrets."""


@credentials.command()
@click.argument("address")
@click.option("--field", help="Print this one value alone, fit for a pipe to the clipboard.")
@terminal.printed_as("text", "json")
@click.pass_context
def show(ctx: click.Context, address: str, field: str | None, form: Literal["text", "json"]) -> None:
    """Print the connection details of the mailbox at ADDRESS, in clear text."""
    details = opened(ctx).credentials(address)
    values = {name: _revealed(value) for name, value in details.values.items()}
    if field is not None:
        if field not in values:
            raise NotFoundError(f"There is no field {field}; there are: {', '.join(values)}.")
        click.echo(values[field], nl=sys.stdout.isatty())
    elif form == "json":
        terminal.write_json(values)
    else:
        terminal.write(terminal.listing(values.items()))


def _revealed(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value


@credentials.command()
@click.argument("address")
@click.pass_context
def rotate(ctx: click.Context, address: str) -> None:
    """Replace what was generated for ADDRESS, a mailbox or one credential, at once. The old stops working."""
    for key in opened(ctx).rotate(address, actor=actor()):
        terminal.write(f"Generated {key} anew.")


COMMANDS = {"credentials": credentials}
