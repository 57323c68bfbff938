"""The one door from the command line to the service."""

import getpass
import os
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.service.workspace import Workspace


def opened(ctx: click.Context) -> "Workspace":
    """Return the workspace of the configuration that `--config` or the working directory names, for one command.

    Raises NotFoundError when there is none, and ConfigurationError when its `reconciler.yaml` is wrong.
    """
    # The service brings every adapter with it; `--version` and `--help` shall not wait for them.
    from reconciler.service.workspace import Workspace  # noqa: PLC0415

    config: Path | None = ctx.find_root().obj
    workspace = Workspace.open(config)
    ctx.call_on_close(workspace.close)
    return workspace


def actor() -> str:
    """Return the name of the person or account at work, for the history."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user often has a number and no name
        return f"uid {os.getuid()}"
