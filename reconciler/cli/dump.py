"""`reconciler dump` and `import`: from what is live to YAML."""

from pathlib import Path

import click

from reconciler.cli import terminal
from reconciler.cli.workspace import opened
from reconciler.errors import NotFoundError
from reconciler.plan.selection import Selection


@click.command()
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--into",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Patch the files of this configuration: comments and order stay, and what does not differ.",
)
@click.option("--prune", is_flag=True, help="With --into: take out of the files what is not live.")
@click.option("--target", "targets", multiple=True, metavar="GLOB", help="Write these addresses and what is below.")
@click.option("--exclude", "excludes", multiple=True, metavar="GLOB", help="Leave these addresses out.")
@click.pass_context
def dump(
    ctx: click.Context,
    folder: Path | None,
    *,
    into: Path | None,
    prune: bool,
    targets: tuple[str, ...],
    excludes: tuple[str, ...],
) -> None:
    """Write what is live as a configuration into DIR.

    DIR must be new or empty; --into patches one that is there. Secrets are in neither.
    """
    if (folder is None) == (into is None):
        raise click.UsageError("Name either DIR, new or empty, or a configuration with --into DIR.", ctx)
    if prune and into is None:
        raise click.UsageError("--prune belongs to --into.", ctx)
    if folder is not None and folder.exists() and any(folder.iterdir()):
        raise click.ClickException(f"{folder} is not empty. To patch what is there: reconciler dump --into {folder}")
    place = folder or into or Path()
    _say(place, opened(ctx).dump(place, Selection(targets, excludes), prune=prune))


@click.command("import")
@click.argument("address")
@click.pass_context
def import_(ctx: click.Context, address: str) -> None:
    """Take what is live at ADDRESS into the configuration.

    It and what is below is written into the files. It is for what was made by hand. The next `apply --adopt` takes it
    over.
    """
    workspace = opened(ctx)
    by_hand = workspace.read().by_hand
    if not workspace.show(address):
        raise NotFoundError(f"Nothing is live at {address}.")
    _say(workspace.project.root, workspace.dump(workspace.project.root, Selection((address,)), prune=False))
    if any(f"{key}.".startswith(f"{address}.") for key in by_hand):
        terminal.say("It was made by hand. To take it over: reconciler apply --adopt")


def _say(folder: Path, files: list[str]) -> None:
    for file in files:
        terminal.write(f"Wrote {folder / file}")
    if not files:
        terminal.say("The files say what is live already.")


COMMANDS = {"dump": dump, "import": import_}
