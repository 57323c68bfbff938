"""Whether the gateway can do its work: each thing that it needs, tried out."""

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as LateError
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from uuid import uuid4

from reconciler.store import leases
from reconciler.store.blobs import INLINE
from reconciler.store.database import Store

PATIENCE = 3.0
"""Seconds that one check may take; what takes longer does not work."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that the gateway needs; `fault` is empty while it works."""

    name: str
    fault: str = ""


class Health:
    """Tries out what the gateway needs. `checks` raise an exception that says what is wrong."""

    def __init__(self, checks: Mapping[str, Callable[[], None]]) -> None:
        self._checks = checks
        self._threads = ThreadPoolExecutor(max_workers=max(4, len(checks)), thread_name_prefix="health")

    def look(self) -> Sequence[Check]:
        """Try everything at once; returns within the time that one check may take."""
        running = {name: self._threads.submit(check) for name, check in self._checks.items()}
        deadline = monotonic() + PATIENCE
        found = []
        for name, future in running.items():
            try:
                future.result(max(0.0, deadline - monotonic()))
            except LateError:
                found.append(Check(name, f"no answer within {PATIENCE:.0f} seconds"))
            except Exception as error:  # noqa: BLE001 - whatever is wrong is what is asked for
                found.append(Check(name, str(error) or type(error).__name__))
            else:
                found.append(Check(name))
        return found

    def is_ready(self) -> bool:
        """Say whether everything works."""
        return not any(check.fault for check in self.look())

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def database_writable(store: Store) -> Callable[[], None]:
    """Return the check that a transaction that writes can be committed."""

    def check() -> None:
        name = f"readiness {uuid4().hex}"
        with store.write() as tx:
            leases.acquire(tx, name, owner="readiness", token=name, length=timedelta(seconds=PATIENCE))
            leases.release(tx, name)

    return check


def payloads_writable(store: Store) -> Callable[[], None]:
    """Return the check that a payload can be received, and laid where large ones lie."""

    def check() -> None:
        content = os.urandom(32)
        with store.blobs.spool() as spool:
            spool.write(INLINE, content)
            sealed = spool.seal()
        store.blobs.shelf.drop(sealed.sha256)

    return check


def accepting(address: Callable[[], tuple[str, int]]) -> Callable[[], None]:
    """Return the check that a listener accepts connections."""

    def check() -> None:
        host, port = address()
        reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - translated, not bound
        socket.create_connection((reached, port), timeout=PATIENCE).close()

    return check
