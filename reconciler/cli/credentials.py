"""`reconciler credentials`: what a partner's administrator needs to connect."""

import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from ssl import PEM_cert_to_DER_cert
from typing import Literal, assert_never

import click

from reconciler.cli import terminal
from reconciler.cli.terms import LengthOfTime
from reconciler.cli.workspace import actor, opened
from reconciler.errors import NotFoundError
from reconciler.model.credential import Secret


@click.group()
def credentials() -> None:
    """Show connection details, hand them over, rotate secrets."""


@credentials.command()
@click.argument("address")
@click.option("--field", help="Print this one value alone, fit for a pipe to the clipboard.")
@terminal.printed_as("text", "json", "letter", "pem", "der")
@click.pass_context
def show(
    ctx: click.Context, address: str, field: str | None, form: Literal["text", "json", "letter", "pem", "der"]
) -> None:
    """Print the connection details of a mailbox, in clear text.

    `letter` is a text for the partner, without anything secret; `pem` and `der` are the certificate alone.
    """
    details = opened(ctx).credentials(address)
    values = {name: _revealed(value) for name, value in details.values.items()}
    if field is not None:
        if field not in values:
            raise NotFoundError(f"There is no field {field}; there are: {', '.join(values)}.")
        click.echo(values[field], nl=sys.stdout.isatty())
        return
    match form:
        case "json":
            terminal.write_json(values)
        case "text":
            terminal.write(terminal.listing(values.items()))
        case "letter":
            terminal.write(letter(address, details.values))
        case "pem" | "der":
            if "self_certificate" not in values:
                raise NotFoundError(f"{address} has no certificate.")
            certificate = values["self_certificate"]
            click.echo(certificate if form == "pem" else PEM_cert_to_DER_cert(certificate), nl=False)
        case _:
            assert_never(form)


@credentials.command()
@click.argument("addresses", metavar="ADDRESS...", nargs=-1, required=True)
@click.option(
    "--into", metavar="DIR", required=True, type=click.Path(file_okay=False, path_type=Path), help="Where to."
)
@click.option("--recipient", "named", metavar="KEY", multiple=True, help="Who can read it: age1… or an SSH public key.")
@click.option(
    "--recipients",
    "listed",
    metavar="FILE",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file of them, one a line.",
)
@click.option("--since", type=LengthOfTime(), metavar="TIME", help="Only what was generated in that time, such as 1h.")
@click.pass_context
def deliver(
    ctx: click.Context,
    addresses: tuple[str, ...],
    *,
    into: Path,
    named: tuple[str, ...],
    listed: tuple[Path, ...],
    since: timedelta | None,
) -> None:
    """Encrypt connection details for those whom they are for.

    ADDRESS is a mailbox, or an account for all its mailboxes. Each gets a file ADDRESS.json.age in DIR, encrypted with
    age; nothing secret is printed, so that CI can hand it over.

    For example: reconciler credentials deliver accounts.acme --recipients partner.age.pub --into delivered
    """
    from reconciler.service.sealing import EXTENSION, recipients, sealed  # noqa: PLC0415 - others need no age

    to = recipients([*named, *(line for file in listed for line in file.read_text(encoding="utf-8").splitlines())])
    if not to:
        raise click.UsageError("Name who can read it, with --recipient or --recipients.", ctx)
    workspace = opened(ctx)
    mailboxes = workspace.connected(addresses, since)
    if not mailboxes:
        terminal.say("Nothing was generated there in that time." if since else "There is no integration.")
    into.mkdir(parents=True, exist_ok=True)
    for mailbox in mailboxes:
        path = into / f"{mailbox}{EXTENSION}"
        path.write_bytes(sealed(workspace.credentials(str(mailbox)), to))
        terminal.write(f"Wrote {path}")


def letter(address: str, values: Mapping[str, str | Secret]) -> str:
    """Return what a partner is written: every value that is no secret, and what to do with them."""
    shown = [(name.replace("_", " "), value.strip()) for name, value in values.items() if isinstance(value, str)]
    secrets = [name.replace("_", " ") for name, value in values.items() if isinstance(value, Secret)]
    apart = f"\n\nYou get apart from this text: {', '.join(secrets)}." if secrets else ""
    # At the beginning of the line, so that what is copied out of a mail is a file as programs read it.
    blocks = "".join(f"\n\n{name.capitalize()}:\n\n{value}" for name, value in shown if "\n" in value)
    lines = terminal.listing((name, value) for name, value in shown if "\n" not in value)
    return (
        f"These are our connection details for {address}. Please set them up on your side, and check the fingerprints"
        f" over another channel, such as the telephone, before you trust a certificate or key.\n\n{lines.rstrip()}"
        f"{blocks}{apart}\n"
    )


def _revealed(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value


@credentials.command()
@click.argument("address")
@click.pass_context
def rotate(ctx: click.Context, address: str) -> None:
    """Generate a secret anew; the old one stops working at once.

    ADDRESS is one credential, as `reconciler show` lists them, or a mailbox or an account, for all that are below.
    """
    for key in opened(ctx).rotate(address, actor=actor()):
        terminal.write(f"Generated {key} anew.")


COMMANDS = {"credentials": credentials}
