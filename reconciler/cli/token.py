"""`reconciler token`: who may use the admin API and the pages."""

from dataclasses import asdict
from datetime import UTC, datetime
from secrets import token_hex
from typing import Literal

import click

from reconciler.cli import terminal
from reconciler.cli.workspace import actor, opened

ROLES = ("viewer", "operator", "admin")


@click.group()
def token() -> None:
    """Make, list and revoke tokens for the admin API."""


@token.command()
@click.option("--role", type=click.Choice(ROLES), required=True, help="What it may do.")
@click.option("--account", metavar="NAME", help="The only account that it reaches. Default: all.")
@click.option("--expires", metavar="DURATION", default="90d", show_default=True, help="Such as 12h or 90d.")
@click.option("--name", help="What it is called in lists and in the history. Default: made up.")
@click.pass_context
def create(ctx: click.Context, role: str, account: str | None, expires: str, name: str | None) -> None:
    """Make a token and print it.

    It is kept as a digest only: nobody can show it again.

    For example: reconciler token create --role operator --account acme --expires 12h
    """
    from reconciler.model.duration import parse_duration  # noqa: PLC0415 - `--help` shall not wait for the model
    from reconciler.store.tokens import Role  # noqa: PLC0415 - nor for the store

    try:
        lifetime = parse_duration(expires)
        expires_at = datetime.now(UTC) + lifetime
    except (ValueError, OverflowError) as error:
        raise click.UsageError(f"--expires: {error}") from None
    name = name or f"{role}-{token_hex(3)}"
    secret = opened(ctx).upkeep.create_token(name, Role(role), account=account, lifetime=lifetime, actor=actor())
    reach = f"the account {account}" if account else "all accounts"
    terminal.say(f"{name}: {role} of {reach} until {terminal.moment(expires_at)}. It is shown this once.")
    terminal.write(secret.reveal())


@token.command("list")
@terminal.printed_as("text", "json")
@click.pass_context
def list_tokens(ctx: click.Context, form: Literal["text", "json"]) -> None:
    """List the tokens, without their secrets."""
    found = opened(ctx).upkeep.tokens()
    if form == "json":
        terminal.write_json([asdict(item) for item in found])
    elif found:
        header = ["NAME", "ROLE", "ACCOUNT", "EXPIRES", "LAST USED", "REVOKED", "MADE BY"]
        rows = (
            (
                item.name,
                item.role,
                item.account or "(all)",
                _moment(item.expires_at),
                _moment(item.used_at),
                _moment(item.revoked_at),
                item.created_by,
            )
            for item in found
        )
        terminal.write(terminal.table(header, rows))
    else:
        terminal.say("There is no token yet. See: reconciler token create --help")


def _moment(time: datetime | None) -> str:
    return terminal.moment(time) if time else ""


@token.command()
@click.argument("name")
@click.pass_context
def revoke(ctx: click.Context, name: str) -> None:
    """End a token at once, and whoever is signed in with it."""
    opened(ctx).upkeep.revoke_token(name)
    terminal.write(f"Revoked {name}.")


@token.command()
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many, newest first.")
@terminal.printed_as("text", "json")
@click.pass_context
def audit(ctx: click.Context, limit: int, form: Literal["text", "json"]) -> None:
    """Show what was done through the admin API and the pages."""
    calls = opened(ctx).upkeep.audit(limit)
    if form == "json":
        terminal.write_json([asdict(call) for call in calls])
        return
    header = ["TIME", "WHO", "FROM", "WHAT", "STATUS"]
    rows = ((terminal.moment(call.at), call.actor or "-", call.peer, call.what, str(call.status)) for call in calls)
    terminal.write(terminal.table(header, rows))


COMMANDS = {"token": token}
