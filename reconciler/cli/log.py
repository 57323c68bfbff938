"""`reconciler log`: the conversion log."""

from dataclasses import asdict
from typing import Literal, get_args
from uuid import UUID

import click

from reconciler.cli import terminal
from reconciler.cli.workspace import opened
from reconciler.live.views import ExchangeView, LogPart


@click.group()
def log() -> None:
    """Read the conversion log, reprocess failures."""


@log.command("list")
@click.option("--mailbox", metavar="ADDRESS", help="Only this mailbox's records.")
@click.option(
    "--status",
    type=click.Choice(["PROCESSED", "REPROCESSED", "FAILED"], case_sensitive=False),
    help="Only records that ended so.",
)
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many, newest first.")
@terminal.printed_as("text", "json")
@click.pass_context
def list_records(
    ctx: click.Context, mailbox: str | None, status: str | None, limit: int, form: Literal["text", "json"]
) -> None:
    """List the newest records."""
    records = opened(ctx).log(mailbox=mailbox, status=status, limit=limit)
    if form == "json":
        terminal.write_json([asdict(record) for record in records])
    elif records:
        header = ["ID", "TIME", "STATUS", "", "MAILBOX", "FILE", "RULE", "ERROR"]
        rows = (
            (
                str(record.uuid),
                terminal.moment(record.created_at),
                record.status,
                record.direction,
                record.mailbox,
                record.file_name,
                (record.rule or "").rpartition(".")[2],
                record.error,
            )
            for record in records
        )
        terminal.write(terminal.table(header, rows))
    else:
        terminal.say("Nothing was converted yet.")


@log.command()
@click.argument("record_id", metavar="ID", type=click.UUID)
@terminal.printed_as("text", "json")
@click.pass_context
def show(ctx: click.Context, record_id: UUID, form: Literal["text", "json"]) -> None:
    """Show one record with everything that is known of it."""
    record = opened(ctx).log_record(record_id)
    if form == "json":
        terminal.write_json(asdict(record))
        return
    pairs = [
        ("id", str(record.uuid)),
        ("status", record.status),
        ("direction", record.direction),
        ("mailbox", record.mailbox),
        ("rule", record.rule or "(no rule matched)"),
        ("file", record.file_name),
        ("converted", terminal.moment(record.created_at)),
        ("changed", terminal.moment(record.changed_at)),
        ("envelopes", "\n".join(map(str, record.envelopes))),
        ("error", f"{record.error} ({record.error_code})" if record.error else ""),
        ("delivery", record.delivery),
        ("messages", "\n".join(record.messages)),
        *((f"attribute {name}", value) for name, value in record.attributes.items()),
        *((f"{'sent' if each.direction == 'out' else 'received'}", _exchange(each)) for each in record.exchanges),
    ]
    terminal.write(terminal.listing((name, value) for name, value in pairs if value))


def _exchange(each: ExchangeView) -> str:
    """Return a post over AS2 in some lines: what became of it, then the headers of both sides, then the MDN."""
    lines = [
        f"{terminal.moment(each.at)}  {each.outcome}  HTTP {each.status or '—'}  {each.wire_size} bytes"
        f"  {each.seconds:.3f} s" + (f"\n{each.reason}" if each.reason else ""),
        f"MIC {each.mic}" if each.mic else "",
        "\n".join(f"  > {name}: {value}" for name, value in each.headers.items()),
        "\n".join(f"  < {name}: {value}" for name, value in each.answer_headers.items()),
        "\n".join(f"    {line}" for line in each.answer.splitlines()[:60]),
    ]
    return "\n".join(filter(None, lines))


@log.command()
@click.argument("record_id", metavar="ID", type=click.UUID)
@click.option(
    "--part", type=click.Choice(get_args(LogPart)), default="input", show_default=True, help="Which part of it."
)
@click.pass_context
def download(ctx: click.Context, record_id: UUID, part: LogPart) -> None:
    """Write a part of a record to stdout, byte for byte.

    The source is the XML that the map saw, where that is not the input itself. A FAILED record has what was made
    until it failed.
    """
    click.echo(opened(ctx).log_payload(record_id, part), nl=False)


@log.command()
@click.argument("record_id", metavar="ID", type=click.UUID)
@click.pass_context
def reprocess(ctx: click.Context, record_id: UUID) -> None:
    """Have a FAILED conversion run again by the gateway.

    The rules are used as they are now. What was committed before is not made again.
    """
    opened(ctx).reprocess(record_id)
    terminal.write(f"The gateway runs it again; see: reconciler log show {record_id}")


COMMANDS = {"log": log}
