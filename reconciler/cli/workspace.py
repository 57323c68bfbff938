"""The one door from the command line to the service."""

import getpass
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.service.planning import Planning
    from reconciler.service.workspace import Workspace


@dataclass(slots=True)
class Chosen:
    """Which configuration a command is about: its folder, or None for the nearest one, and its environment.

    `state` is where its live side is kept, when that is not where its files say.
    """

    config: "Path | None" = None
    environment: str | None = None
    state: str | None = None


def opened(ctx: click.Context) -> "Workspace":
    """Return the workspace of the configuration that `--config` or the working directory names, for one command.

    Raises NotFoundError when there is none, and ConfigurationError when its `reconciler.yaml` is wrong.
    """
    # The service brings every adapter with it; `--version` and `--help` shall not wait for them.
    from reconciler.service.opening import open_workspace  # noqa: PLC0415

    chosen: Chosen = ctx.find_root().obj
    workspace = open_workspace(chosen.config, chosen.environment, chosen.state)
    ctx.call_on_close(workspace.close)
    return workspace


def opened_for_planning(ctx: click.Context) -> "Planning":
    """Return as much of it as validating and planning need, which is there much sooner. Raises what `opened` does."""
    from reconciler.service.opening import open_planning  # noqa: PLC0415

    chosen: Chosen = ctx.find_root().obj
    planning = open_planning(chosen.config, chosen.environment, chosen.state)
    ctx.call_on_close(planning.close)
    return planning


def actor() -> str:
    """Return the name of the person or account at work, for the history."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user often has a number and no name
        return f"uid {os.getuid()}"
