"""`reconciler serve` and `up`: the gateway, in the foreground."""

import logging
import sys
from typing import TYPE_CHECKING

import click

from reconciler.cli import terminal
from reconciler.cli.plan import apply
from reconciler.cli.workspace import opened

if TYPE_CHECKING:
    from reconciler.service.gateway import Role


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
@click.pass_context
def serve(ctx: click.Context, role: "Role", node: str | None) -> None:
    """Run the gateway until it is told to stop.

    SIGTERM and Ctrl-C stop it. What is applied meanwhile takes effect without a restart.
    """
    _run(ctx, follow=False, role=role, node=node)


@click.command()
@click.pass_context
def up(ctx: click.Context) -> None:
    """Apply, run the gateway, follow the files.

    Whenever a file of the configuration changes, it is applied again.
    """
    ctx.invoke(apply, auto_approve=True)
    _run(ctx, follow=True)


def _run(ctx: click.Context, *, follow: bool, role: "Role" = "all", node: str | None = None) -> None:
    from reconciler.service.serve import serve as run  # noqa: PLC0415 - `--help` shall not wait for the service

    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("reconciler").setLevel(logging.INFO)
    run(
        opened(ctx),
        follow=follow,
        ready=lambda listening: terminal.say(f"Listening: {listening}. Stop with Ctrl-C."),
        role=role,
        node=node,
    )


COMMANDS = {"serve": serve, "up": up}
