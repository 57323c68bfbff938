"""`reconciler init`: a small configuration to begin with."""

import shutil
from pathlib import Path

import click

from reconciler.cli import terminal
from reconciler.cli.examples import example
from reconciler.cli.schema import write_schemas


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
def init(folder: Path) -> None:
    """Write a configuration to begin with.

    It is small and commented, and goes into DIR, which must be new or empty.
    """
    if folder.exists() and any(folder.iterdir()):
        raise click.ClickException(f"{folder} is not empty. Name a folder that is new or empty.")
    # Only the bytes are copied: what is installed read-only shall be writable in a user's folder.
    shutil.copytree(
        example("starter"),
        folder,
        ignore=shutil.ignore_patterns(".reconciler", "__pycache__"),
        copy_function=shutil.copyfile,
        dirs_exist_ok=True,
    )
    write_schemas(folder / "schemas")  # the files name them in their first line, for editors
    terminal.write(f"Wrote a configuration into {folder}. Next:\n\n  cd {folder}\n  reconciler plan\n  reconciler up")


COMMANDS = {"init": init}
