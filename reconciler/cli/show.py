"""`reconciler show`: what is live."""

from typing import Literal, assert_never

import click

from reconciler.cli import terminal
from reconciler.cli.workspace import opened
from reconciler.model.account import Account
from reconciler.model.credential import Credential
from reconciler.model.dictionary import Dictionary
from reconciler.model.integration import Integration
from reconciler.model.mailbox import Mailbox
from reconciler.model.rule import Rule
from reconciler.model.state import Resource, to_json
from reconciler.model.template import Template


@click.command()
@click.argument("address", required=False)
@terminal.printed_as("text", "json")
@click.pass_context
def show(ctx: click.Context, address: str | None, form: Literal["text", "json"]) -> None:
    """Show what is live.

    ADDRESS, such as accounts.acme.mailboxes.orders, limits it to what is there and below.
    """
    found = opened(ctx).show(address)
    if form == "json":
        terminal.write_json(
            [
                {"address": item.key, "kind": item.key.kind, "uuid": item.uuid, "resource": to_json(item.resource)}
                for item in found
            ]
        )
    elif found:
        rows = ((str(item.key), summary(item.resource), str(item.uuid or "")) for item in found)
        terminal.write(terminal.table(["ADDRESS", "IS", "UUID"], rows))
    else:
        terminal.say("Nothing is live yet. See: reconciler apply")


def summary(resource: Resource) -> str:
    """Return what matters most about a resource, in a few words."""
    match resource:
        case Account() | Mailbox():
            return resource.name
        case Integration():
            return f"{resource.protocol}, {'on' if resource.enabled else 'off'}"
        case Rule():
            return f"{resource.direction}, {'active' if resource.active else 'inactive'}"
        case Template() | Dictionary():
            return resource.file.name
        case Credential():
            return f"{resource.kind}, generation {resource.generation}"
        case _:
            assert_never(resource)


COMMANDS = {"show": show}
