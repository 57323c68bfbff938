"""Running the gateway in the foreground until it is told to stop."""

import logging
import resource
import signal
from collections.abc import Callable
from threading import Event, Thread

from reconciler.desired.render import render_problems
from reconciler.errors import ConfigurationError, ReconcilerError
from reconciler.plan.render import text
from reconciler.service.gateway import Gateway, Role, require_applied
from reconciler.service.workspace import Workspace
from reconciler.store.election import Election
from reconciler.watch.folder import changes

GRACE = 8.0
"""Seconds that what runs has for its end after SIGTERM; all of stopping stays below ten."""

_log = logging.getLogger(__name__)


MOST_FILES = 65536
"""Files and sockets that may be open at a time, if the system lets it be."""

TAKEOVER = 2.0
"""Seconds between two tries of a watcher to be the one that watches."""


def serve(
    workspace: Workspace,
    *,
    follow: bool,
    ready: Callable[[str], None],
    role: Role = "all",
    node: str | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; with `follow`, apply the configuration whenever its files change.

    `role` names what this process does of it all, `node` what it is called. `ready` is called with what is listened on,
    once connections are accepted. Raises ReconcilerError when the gateway cannot be started.
    """
    require_applied(workspace)
    _allow_many_sockets()
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    gateway = Gateway(workspace, role=role, node=node)
    try:
        gateway.start()
        if follow or role == "watcher":
            Thread(target=_watch, args=(workspace, stop), name="watch", daemon=True).start()
        sftp = f"SFTP on {_written(gateway.sftp.address)}"
        http = f"AS2 on {workspace.project.gateway.http.scheme}://{_written(gateway.http.address)}/as2"
        ready({"all": f"{sftp}, {http}", "sftp": sftp, "http": http}.get(role, f"nothing, as {role}"))
        stop.wait()
    finally:
        gateway.stop(GRACE)


def _allow_many_sockets() -> None:
    """Raise the soft limit of open files, which is low for old programs' sake: idle sockets must not use it up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _written(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _watch(workspace: Workspace, stop: Event) -> None:
    """Follow the files as long as this process is the one of all that does."""
    election = Election(workspace.store.engine, "watcher")
    while not stop.is_set():
        if not election.is_won():
            stop.wait(TAKEOVER)
            continue
        for changed in changes(workspace.project.root, stop):  # the first time, whatever changed while nobody watched
            if changed:
                _log.info("changed: %s", ", ".join(sorted(changed)))
            if not election.is_won():
                break
            _apply(workspace)
    election.resign()


def _apply(workspace: Workspace) -> None:
    try:
        desired = workspace.load()
        plan = workspace.plan(desired)
        if not plan.is_empty:
            applied = workspace.apply(plan, desired, actor="up")
            _log.info("applied revision %d:\n%s", applied.revision, text.render(plan, colour=False))
    except ConfigurationError as error:
        _log.error("nothing was applied:\n%s", render_problems(error.problems))
    except ReconcilerError as error:
        _log.error("nothing was applied: %s", error)
    except Exception:  # noqa: BLE001 - the next change of a file is another chance
        _log.exception("nothing was applied")
