"""How a gateway is, at a glance: what listens, what waits, what is applied, what failed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from reconciler.live.views import LogRecord
from reconciler.plan.live_side import Suspension
from reconciler.store import jobs
from reconciler.store.conditions import Condition
from reconciler.store.configuration import Revision
from reconciler.store.job_states import JobState
from reconciler.store.leases import Lease


@dataclass(frozen=True, slots=True)
class Listening:
    """A listener of the configuration, and whether somebody accepts connections there now."""

    name: str
    address: str
    accepts: bool


@dataclass(frozen=True, slots=True)
class CertificateEnd:
    """When a certificate ends (UTC): at which address it is used, and whose it is."""

    address: str
    whose: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Waiting:
    """Jobs of a kind that are not done, by state, and since when the oldest one could be worked on."""

    kind: str
    ready: int
    running: int
    retrying: int
    dead: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Status:
    """What `reconciler status` says; `failures` are the newest ones."""

    revision: Revision | None
    conditions: tuple[Condition, ...] = ()
    suspensions: tuple[Suspension, ...] = ()
    leases: tuple[Lease, ...] = ()
    queue: tuple[Waiting, ...] = ()
    listeners: Sequence[Listening] = ()
    failures: Sequence[LogRecord] = ()


def queue(connection: Connection) -> tuple[Waiting, ...]:
    """Return what is still to be done, by kind."""
    counts, oldest = jobs.counts(connection), jobs.oldest_ready(connection)

    def of(kind: str) -> Waiting:
        return Waiting(
            kind,
            ready=counts.get((kind, JobState.READY), 0),
            running=counts.get((kind, JobState.RUNNING), 0),
            retrying=counts.get((kind, JobState.RETRYING), 0),
            dead=counts.get((kind, JobState.DEAD), 0),
            since=oldest.get(kind),
        )

    return tuple(of(kind) for kind in sorted({kind for kind, _ in counts}))
