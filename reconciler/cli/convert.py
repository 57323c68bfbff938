"""`reconciler convert`: a partner's file as a map sees it, and what a map makes of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import click

from reconciler.cli import terminal
from reconciler.cli.workspace import Chosen, opened
from reconciler.model.rule import SourceFormat


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--to", type=click.Choice(["xml", "result"]), help="Default: result with --rule, xml without.")
@click.option("--rule", "address", metavar="ADDRESS", help="The rule, such as accounts.acme.rules.orders.")
@click.option(
    "--mailbox", metavar="NAME", help="The mailbox in which a rule of an account converts. Default: its first by name."
)
@click.option("--source", type=click.Choice(get_args(SourceFormat)), help="The file's format. Default: told from it.")
@click.pass_context
def convert(
    ctx: click.Context,
    /,
    *,
    file: Path,
    to: Literal["xml", "result"] | None,
    address: str | None,
    mailbox: str | None,
    source: SourceFormat | None,
) -> None:
    """Show FILE as a map sees it, and what a map makes of it.

    Without --rule: FILE as XML, which works without a configuration too. With it: the envelope that the rule makes of
    a partner's file, or the file that it makes of an envelope's XML. The real conversion runs, offline, with the
    dictionaries and aliases of the configuration; nothing is sent. The result goes to stdout, all else to stderr.

    For example: reconciler convert ORDERS_1.edi --rule accounts.acme.mailboxes.orders.rules.orders-from-edifact
    """
    # The service brings every adapter with it; `--help` shall not wait for them.
    from reconciler.conversion.converter import UnfinishedError  # noqa: PLC0415
    from reconciler.conversion.results import together  # noqa: PLC0415
    from reconciler.errors import ConversionError  # noqa: PLC0415
    from reconciler.service.offline import source_xml  # noqa: PLC0415

    payload = file.read_bytes()
    if address is None:
        if to == "result" or mailbox is not None:
            raise click.UsageError("A result is made by a rule: --rule ADDRESS")
        click.echo(source_xml(payload, file_name=file.name, source=source, root=_root(ctx)), nl=False)
        return
    if source is not None:
        raise click.UsageError("The rule says the format of its files: leave --source out.")
    workspace = opened(ctx)
    offline = workspace.offline()
    key, rule = offline.rule(address)
    if to == "xml":
        click.echo(source_xml(payload, file_name=file.name, source=rule.source, root=workspace.project.root), nl=False)
        return
    with offline.converter() as converter:
        try:
            outcome = offline.convert(key, file.name, payload, converter, mailbox=mailbox)
        except UnfinishedError as error:
            _say_messages(error.made.messages)
            raise
    made = outcome.converted
    click.echo(together(made.results), nl=False)
    _say_messages(made.messages)
    for name, value in made.attributes.items():
        terminal.say(f"attribute {name}: {terminal.printable(value)}")
    if made.attachments:
        terminal.say(f"attached: {len(made.attachments)} x {file.name}")
    if made.chain_envelope is not None:
        terminal.say(f"chained to: {made.chain_envelope}")
    if outcome.faults:
        faults = "\n".join(f"  {fault} ({fault.code})" for fault in outcome.faults)
        raise ConversionError(outcome.faults[0].code, f"the gateway would not send this:\n{faults}")


def _say_messages(messages: Sequence[str]) -> None:
    for message in messages:
        terminal.say(f"message: {terminal.printable(message)}")


def _root(ctx: click.Context) -> Path | None:
    """Return the folder of the configuration, or None when there is none."""
    from reconciler.desired.load import find_root  # noqa: PLC0415 - `--help` shall not wait for it
    from reconciler.errors import NotFoundError  # noqa: PLC0415

    chosen: Chosen = ctx.find_root().obj
    try:
        return find_root(chosen.config or Path.cwd())
    except NotFoundError:
        return None


COMMANDS = {"convert": convert}
