"""`reconciler envelope`: the envelopes that were sent."""

from dataclasses import asdict
from pathlib import Path
from typing import Literal
from uuid import UUID

import click

from reconciler.cli import terminal
from reconciler.cli.workspace import opened


@click.group()
def envelope() -> None:
    """List, show, send and close envelopes."""


@envelope.command("list")
@click.option("--mailbox", metavar="ADDRESS", help="Only those that this mailbox sent or received.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many, newest first.")
@terminal.printed_as("text", "json")
@click.pass_context
def list_envelopes(ctx: click.Context, mailbox: str | None, limit: int, form: Literal["text", "json"]) -> None:
    """List the newest envelopes."""
    envelopes = opened(ctx).envelopes(mailbox=mailbox, limit=limit)
    if form == "json":
        terminal.write_json([asdict(item) for item in envelopes])
    elif envelopes:
        header = ["ID", "TIME", "STATUS", "FROM", "TO", "SUBJECT"]
        rows = (
            (
                str(item.uuid),
                terminal.moment(item.created_at),
                item.status,
                item.sender,
                ", ".join(item.recipients),
                item.subject,
            )
            for item in envelopes
        )
        terminal.write(terminal.table(header, rows))
    else:
        terminal.say("No envelope was sent yet.")


@envelope.command()
@click.argument("envelope_id", metavar="ID", type=click.UUID)
@terminal.printed_as("text", "json", "xml")
@click.pass_context
def show(ctx: click.Context, envelope_id: UUID, form: Literal["text", "json", "xml"]) -> None:
    """Show one envelope and what happened to it.

    `-o xml` prints the envelope itself.
    """
    workspace = opened(ctx)
    if form == "xml":
        click.echo(workspace.envelope_xml(envelope_id), nl=False)
        return
    found = workspace.envelope(envelope_id)
    if form == "json":
        terminal.write_json(asdict(found))
        return
    pairs = [
        ("id", str(found.uuid)),
        ("template", found.template),
        ("status", f"{found.status}: {found.reason}" if found.reason else found.status),
        ("subject", found.subject),
        ("from", found.sender),
        ("to", "\n".join(found.recipients)),
        ("created", terminal.moment(found.created_at)),
        (
            "history",
            "\n".join(
                f"{terminal.moment(event.at)}  {event.what}  {event.mailbox} {event.message}".rstrip()
                for event in found.events
            ),
        ),
    ]
    terminal.write(terminal.listing((name, value) for name, value in pairs if value))


@envelope.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--mailbox", metavar="ADDRESS", required=True, help="The mailbox that sends it.")
@click.pass_context
def send(ctx: click.Context, file: Path, mailbox: str) -> None:
    """Send an envelope, as if its XML were uploaded to outbox/."""
    receipt = opened(ctx).send(mailbox, file.name, file.read_bytes())
    terminal.write(f"Received as {receipt}. The running gateway sends it; see: reconciler envelope list")


@envelope.command()
@click.argument("envelope_id", metavar="ID", type=click.UUID)
@click.option("--mailbox", metavar="ADDRESS", required=True, help="The recipient that completes it.")
@click.pass_context
def complete(ctx: click.Context, envelope_id: UUID, mailbox: str) -> None:
    """Complete an envelope as one of its recipients."""
    opened(ctx).complete(envelope_id, mailbox)
    terminal.write(f"Completed {envelope_id}.")


@envelope.command()
@click.argument("envelope_id", metavar="ID", type=click.UUID)
@click.option("--mailbox", metavar="ADDRESS", required=True, help="The recipient that rejects it.")
@click.option("--reason", required=True, help="Why; the sender sees it. 5 to 5000 characters.")
@click.pass_context
def reject(ctx: click.Context, envelope_id: UUID, mailbox: str, reason: str) -> None:
    """Reject an envelope as one of its recipients."""
    opened(ctx).reject(envelope_id, mailbox, reason)
    terminal.write(f"Rejected {envelope_id}.")


COMMANDS = {"envelope": envelope}
