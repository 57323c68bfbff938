"""Running the gateway in the foreground until it is told to stop."""

import logging
import signal
from collections.abc import Callable
from threading import Event, Thread

from reconciler.desired.render import render_problems
from reconciler.errors import ConfigurationError, ReconcilerError
from reconciler.plan.render import text
from reconciler.service.gateway import Gateway, require_applied
from reconciler.service.workspace import Workspace
from reconciler.watch.folder import changes

GRACE = 8.0
"""Seconds that what runs has for its end after SIGTERM; all of stopping stays below ten."""

_log = logging.getLogger(__name__)


def serve(workspace: Workspace, *, follow: bool, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; with `follow`, apply the configuration whenever its files change.

    `ready` is called with what is listened on, once connections are accepted. Raises ReconcilerError when the gateway
    cannot be started.
    """
    require_applied(workspace)
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    gateway = Gateway(workspace)
    try:
        gateway.start()
        if follow:
            Thread(target=_follow, args=(workspace, stop), name="watch", daemon=True).start()
        ready(f"SFTP on {_written(gateway.sftp.address)}, AS2 on http://{_written(gateway.http.address)}/as2")
        stop.wait()
    finally:
        gateway.stop(GRACE)


def _written(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _follow(workspace: Workspace, stop: Event) -> None:
    for changed in changes(workspace.project.root, stop):
        _log.info("changed: %s", ", ".join(sorted(changed)))
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
