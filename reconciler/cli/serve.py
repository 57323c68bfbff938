"""`reconciler serve` and `up`: the gateway, in the foreground."""

import logging
from typing import TYPE_CHECKING

import click

from reconciler.cli import terminal
from reconciler.cli.plan import apply
from reconciler.cli.workspace import opened

if TYPE_CHECKING:
    from reconciler.service.gateway import Role
    from reconciler.service.logs import LogFormat


@click.command()
@click.option(
    "--role",
    type=click.Choice(["all", "sftp", "http", "worker", "watcher"]),
    default="all",
    show_default=True,
    help="What this process does, where several share a PostgreSQL store; any number of each.",
)
@click.option(
    "--node", metavar="NAME", help="What this process is called, the same after a restart. Default: its host."
)
@terminal.log_format_given
@click.pass_context
def serve(ctx: click.Context, role: "Role", node: str | None, log_format: "LogFormat") -> None:
    """Run the gateway until it is told to stop.

    SIGTERM and Ctrl-C stop it. What is applied meanwhile takes effect without a restart.
    """
    _run(ctx, log_format, follow=False, role=role, node=node)


@click.command()
@terminal.log_format_given
@click.pass_context
def up(ctx: click.Context, log_format: "LogFormat") -> None:
    """Apply, run the gateway, follow the files.

    Whenever a file of the configuration changes, it is applied again.
    """
    ctx.invoke(apply, auto_approve=True)
    _run(ctx, log_format, follow=True)


def _run(
    ctx: click.Context, log_format: "LogFormat", *, follow: bool, role: "Role" = "all", node: str | None = None
) -> None:
    from reconciler.service import logs  # noqa: PLC0415 - `--help` shall not wait for the service
    from reconciler.service.serve import serve as run  # noqa: PLC0415

    logs.configure(log_format)
    run(
        opened(ctx),
        follow=follow,
        ready=_said if log_format == "console" else _logged,
        role=role,
        node=node,
    )


def _said(listening: str) -> None:
    terminal.say(f"Listening: {listening}. Stop with Ctrl-C.")


def _logged(listening: str) -> None:
    """Have a program that reads the log find nothing but JSON in it."""
    logging.getLogger(__name__).info("listening: %s", listening)


COMMANDS = {"serve": serve, "up": up}
