"""`reconciler backup` and `restore`: everything that the store remembers, in one file."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli import terminal
from reconciler.cli.workspace import opened

if TYPE_CHECKING:
    from reconciler.store.backup import Extent


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.pass_context
def backup(ctx: click.Context, file: Path) -> None:
    """Write everything that the store remembers into FILE.

    It is as of one moment; the gateway may run meanwhile. The key to the secrets is not in it: keep that apart, where
    only those are who may read both.
    """
    from reconciler.store.backup import back_up  # noqa: PLC0415 - `--help` shall not wait for the store

    if file.exists():
        raise click.UsageError(f"{file} is there already; a backup replaces none.", ctx)
    store = opened(ctx).store
    terminal.write(f"Wrote {_shown(back_up(store, file))} to {file}.")
    terminal.say(f"Keep the key to the secrets apart from it: {store.folder / 'key'}, or RECONCILER_KEY.")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_context
def restore(ctx: click.Context, file: Path) -> None:
    """Fill an empty store from FILE, all or nothing.

    The gateway must not run. Put the key to the secrets into its place first: the file `key` in the state's folder, or
    RECONCILER_KEY.
    """
    from reconciler.store.backup import restore as fill  # noqa: PLC0415 - `--help` shall not wait for the store

    store = opened(ctx).store
    with store.locked("gateway", wait=False):
        extent = fill(store, file)
        terminal.write(f"Restored {_shown(extent)}.")
        # Whoever restores wants to know now, not when the first secret is needed.
        _ = store.keyring


def _shown(extent: "Extent") -> str:
    size = f"{extent.size / 2**20:.1f} MiB"
    return f"revision {extent.revision}, {extent.rows} rows and {extent.payloads} large payloads ({size})"


COMMANDS = {"backup": backup, "restore": restore}
