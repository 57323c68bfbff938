"""`reconciler watch`: keep what is live as a folder or a git branch says."""

import os
import signal
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

import click

from reconciler.cli import terminal
from reconciler.cli.terms import LengthOfTime
from reconciler.model.credential import Secret

if TYPE_CHECKING:
    from reconciler.cli.workspace import Chosen
    from reconciler.service.logs import LogFormat
    from reconciler.service.watching import Source

TOKEN_VARIABLE = "RECONCILER_GIT_TOKEN"  # noqa: S105 - the name of a variable
SECRET_VARIABLE = "RECONCILER_WEBHOOK_SECRET"  # noqa: S105 - the name of a variable


@click.command()
@click.argument(
    "folder", metavar="[PATH]", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option("--git", "url", metavar="URL", help="Follow a branch of this repository instead of a folder.")
@click.option("--ref", default="main", show_default=True, help="With --git: the branch or tag.")
@click.option(
    "--path", default=".", show_default=True, help="With --git: the configuration's folder in the repository."
)
@click.option("--interval", type=LengthOfTime(), default="60s", show_default=True, help="How often to look.")
@click.option("--once", is_flag=True, help="Reconcile once and exit: 0 when all is as configured, else 1.")
@click.option("--heal/--no-heal", default=True, show_default=True, help="Put right what was changed by hand.")
@click.option("--prune", is_flag=True, help="Destroy what is no longer in the configuration.")
@click.option("--webhook", metavar="HOST:PORT", help=f"Listen for the git host's calls, signed by ${SECRET_VARIABLE}.")
@click.option(
    "--status-api", metavar="URL", help=f"Where commit statuses go with ${TOKEN_VARIABLE}. Default: by --git."
)
@terminal.log_format_given
@click.pass_context
def watch(
    ctx: click.Context,
    folder: Path | None,
    *,
    url: str | None,
    ref: str,
    path: str,
    interval: timedelta,
    once: bool,
    heal: bool,
    prune: bool,
    webhook: str | None,
    status_api: str | None,
    log_format: "LogFormat",
) -> None:
    """Keep what is live as PATH says, a folder, or a git branch.

    A configuration that is wrong changes nothing: the last good one stays, and is kept. One watcher acts at a time;
    a second one stands by.

    For example: reconciler watch --git https://git.example.com/edi/config.git --ref main
    """
    from reconciler.service import logs, watching  # noqa: PLC0415 - `--help` shall not wait for the service
    from reconciler.watch.commit_status import CommitStatus  # noqa: PLC0415
    from reconciler.watch.round import Policy  # noqa: PLC0415

    if (url is not None) and folder is not None:
        raise click.UsageError("Watch either PATH or --git URL.", ctx)
    logs.configure(log_format)
    chosen: Chosen = ctx.find_root().obj
    home: Path = folder or chosen.config or Path.cwd()
    # A path is meant from here; git would read it from its clone.
    place = str(Path(url).resolve()) if url is not None and Path(url).exists() else url
    source = watching.branch(place, ref, path, home) if place is not None else _folder(home)
    stop, wake = Event(), Event()
    _end_on_signals(stop, wake)
    token = os.environ.get(TOKEN_VARIABLE)
    status = CommitStatus.of(url, Secret(token), api=status_api) if url and token else None
    workspace = watching.opened(source, home, chosen.environment, chosen.state)
    ctx.call_on_close(workspace.close)
    how = watching.Watching(policy=Policy(heal=heal, prune=prune), interval=interval, once=once, status=status)
    with ExitStack() as stack:
        if webhook is not None:
            _listen(stack, webhook, wake, ctx)
        if isinstance(source, watching.Folder) and not once:
            Thread(target=_follow, args=(source.root, stop, wake), name="folder", daemon=True).start()
        if not watching.watch(source, workspace, how, stop=stop, wake=wake) and once:
            ctx.exit(1)


def _folder(home: Path) -> "Source":
    from reconciler.desired.load import find_root  # noqa: PLC0415
    from reconciler.service.watching import Folder  # noqa: PLC0415

    return Folder(find_root(home))


def _end_on_signals(stop: Event, wake: Event) -> None:
    def end(*_: object) -> None:
        stop.set()
        wake.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)


def _follow(root: Path, stop: Event, wake: Event) -> None:
    from reconciler.watch.folder import changes  # noqa: PLC0415

    for _ in changes(root, stop):
        wake.set()


def _listen(stack: ExitStack, address: str, wake: Event, ctx: click.Context) -> None:
    from reconciler.watch.webhook import Webhook  # noqa: PLC0415

    secret = os.environ.get(SECRET_VARIABLE)
    if not secret:
        raise click.UsageError(f"--webhook needs the secret of its calls in ${SECRET_VARIABLE}.", ctx)
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise click.UsageError(f"--webhook takes HOST:PORT, such as 127.0.0.1:9000, not '{address}'.", ctx)
    listening = stack.enter_context(Webhook((host.strip("[]"), int(port)), Secret(secret), wake.set))
    terminal.say(f"Listening for calls on {host}:{listening.port}")


COMMANDS = {"watch": watch}
