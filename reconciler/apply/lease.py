"""Being alone: a lease in the database, kept alive by a heartbeat for as long as a block runs."""

import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event, Thread
from uuid import uuid4

from reconciler.errors import LeaseLostError, ReconcilerError
from reconciler.store import leases
from reconciler.store.database import Store

APPLY = "apply"
WATCH = "watch"

LENGTH = timedelta(seconds=30)
"""How long a lease outlives its holder's last sign of life."""

BEAT = 5.0
"""Seconds between two signs of life."""

_POLL = 0.2

_log = logging.getLogger(__name__)


class HeldError(ReconcilerError):
    """Another has the lease."""


@dataclass(frozen=True, slots=True)
class Held:
    """A lease that is ours while the block runs; `lost` is set when it went to another nevertheless."""

    name: str
    token: str
    lost: Event = field(default_factory=Event)


@contextmanager
def holding(store: Store, name: str, *, actor: str, timeout: float, stop: Event | None = None) -> Iterator[Held]:
    """Hold a lease, waiting up to `timeout` seconds for it; it is given back however the block ends.

    Raises HeldError, which says who has it, when the time is up or `stop` is set first.
    """
    held = Held(name, uuid4().hex)
    owner = f"{actor} on {socket.gethostname()}, process {os.getpid()}"
    _acquire(store, held, owner, timeout, stop or Event())
    done = Event()
    beat = Thread(target=_beat, args=(store, held, done), name=f"lease-{name}", daemon=True)
    beat.start()
    try:
        yield held
    finally:
        done.set()
        beat.join()
        with store.write() as tx:
            leases.release(tx, name, token=held.token)


def _acquire(store: Store, held: Held, owner: str, timeout: float, stop: Event) -> None:
    deadline = time.monotonic() + timeout
    while True:
        with store.write() as tx:
            if leases.acquire(tx, held.name, owner=owner, token=held.token, length=LENGTH):
                return
            other = leases.find(tx, held.name)
        if other is not None and (time.monotonic() >= deadline or stop.wait(_POLL)):
            raise HeldError(
                f"{other.owner} has the lease on {held.name} since {other.acquired_at:%Y-%m-%d %H:%M:%S} UTC. Wait "
                "longer with --lock-timeout, or, when its holder is dead: reconciler lock release"
            )


def _beat(store: Store, held: Held, done: Event) -> None:
    while not done.wait(BEAT):
        try:
            with store.write() as tx:
                leases.renew(tx, held.name, token=held.token, length=LENGTH)
        except LeaseLostError:
            held.lost.set()
            return
        except Exception:  # noqa: BLE001 - a lease that ran out meanwhile is found to be another's, or is still ours
            _log.exception("the lease on %s could not be prolonged", held.name)
