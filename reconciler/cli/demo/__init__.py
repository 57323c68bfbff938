"""`reconciler demo`: the main job, for real, in front of the reader."""

from pathlib import Path
from tempfile import mkdtemp

import click

from reconciler.errors import ReconcilerError


@click.command()
@click.option(
    "--into",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to copy the example; an empty or new folder. Default: a temporary one, removed at the end.",
)
@click.option("--keep", is_flag=True, help="Leave the gateway running at the end, and say how to connect.")
def demo(into: Path | None, *, keep: bool) -> None:
    """Run the main job for real, on loopback, in under 20 seconds.

    Orders go from one company to another over SFTP and AS2, are converted, mailed, rejected, fail and are reprocessed.
    Exits with 1, and says which, when a step does not hold.
    """
    from reconciler.cli.demo.program import run  # noqa: PLC0415 - `--help` shall not wait for it

    if into is not None and into.exists() and any(into.iterdir()):
        raise ReconcilerError(f"{into} is not empty; name a new folder.")
    folder = into or Path(mkdtemp(prefix="reconciler-demo-"))
    if not run(folder, keep=keep, remove=into is None):
        raise click.exceptions.Exit(1)


COMMANDS = {"demo": demo}
