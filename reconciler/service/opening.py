"""Opening a configuration with its live side, which is a store at hand or at a gateway elsewhere."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.desired.gateway import check_state, is_gateway
from reconciler.desired.load import Project
from reconciler.errors import ReconcilerError
from reconciler.service.planning import Planning

if TYPE_CHECKING:
    from reconciler.service.workspace import Workspace


def open_workspace(config: Path | None, environment: str | None, state: str | None) -> "Workspace":
    """Return the workspace of a configuration, whose live side is where `state` says, or where its files say.

    Raises NotFoundError when there is none, ConfigurationError when it is wrong, ReconcilerError for a state that is
    none.
    """
    # Whoever has a store needs no HTTP client, and whoever plans neither.
    from reconciler.service.workspace import Workspace  # noqa: PLC0415

    planning = open_planning(config, environment, state)
    return planning if isinstance(planning, Workspace) else Workspace(planning.project)


def open_planning(config: Path | None, environment: str | None, state: str | None) -> Planning:
    """Return as much of a workspace as planning needs. Raises what `open_workspace` does."""
    opened = Planning.open(config, environment)
    if state is not None:
        opened.project = with_state(opened.project, state)
    if not is_gateway(opened.project.state):
        return opened
    from reconciler.service.remote import RemoteWorkspace  # noqa: PLC0415 - whoever has a store needs no HTTP client

    return RemoteWorkspace(opened.project)


def with_state(project: Project, state: str) -> Project:
    """Return a project whose live side is at `state`. Raises ReconcilerError when that is no such place."""
    try:
        return replace(project, state=check_state(state))
    except ValueError as error:
        raise ReconcilerError(f"--state: {error}") from None
