"""`reconciler fmt`: the configuration's files in one form."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli import terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.cli.workspace import Chosen


@click.command()
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 when a file would change.")
@click.pass_context
def fmt(ctx: click.Context, paths: tuple[Path, ...], *, check: bool) -> None:
    """Write the YAML files in one form.

    Blocks are indented by two, blanks at line ends and double empty lines go. Comments, quotes and order stay.
    Without a PATH, all files of the configuration.
    """
    from reconciler.desired.formatting import UnformattableError, formatted  # noqa: PLC0415 - not for `--help`

    changed = failed = total = 0
    for path in _files(paths, ctx.find_root().obj):
        total += 1
        content = path.read_bytes()
        try:
            made = formatted(content.decode()).encode()
        except (UnformattableError, UnicodeDecodeError) as error:
            failed += 1
            terminal.say(f"{path}: {error}")
            continue
        if made != content:
            changed += 1
            terminal.write(f"{'Would format' if check else 'Formatted'} {path}")
            if not check:
                path.write_bytes(made)
    terminal.say(f"{total} file{'' if total == 1 else 's'}, {changed} {'to be formatted' if check else 'formatted'}.")
    if failed or (check and changed):
        ctx.exit(1)


def _files(paths: tuple[Path, ...], chosen: "Chosen") -> "Iterator[Path]":
    from reconciler.desired.yaml_files import ENVIRONMENTS, find_files, find_root  # noqa: PLC0415 - not for `--help`

    if not paths:
        root = find_root(chosen.config or Path.cwd())
        yield from (root / name for name in find_files(root))
        yield from sorted((root / ENVIRONMENTS).glob("*.yaml"))
    for path in paths:
        yield from sorted([*path.rglob("*.yaml"), *path.rglob("*.yml")]) if path.is_dir() else [path]


COMMANDS = {"fmt": fmt}
