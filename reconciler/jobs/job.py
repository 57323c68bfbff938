"""When a failed job is tried again. Pure."""

from datetime import timedelta

from reconciler.errors import ReconcilerError
from reconciler.store.claims import SUSPICIOUS, TRIALS
from reconciler.store.jobs import Job, JobKind

LEASE = timedelta(seconds=10)
"""How long a worker holds a job without a sign of life; then another takes it over."""

FIRST_DELAY = timedelta(seconds=5)
LONGEST_DELAY = timedelta(minutes=30)

ATTEMPTS: dict[JobKind, int] = {"receipt": 3, "arrival": 3, "post": 12, "mdn": 12, "mail": 12, "digest": 3, "expiry": 3}
"""Tries until a job is dead. What a partner or a mail server must answer is tried for some hours."""


def retry_in(job: Job, *, jitter: float) -> timedelta | None:
    """Return after what time a job that failed just now is due again, or None when that was its last attempt.

    The delay doubles from five seconds to half an hour; `jitter`, from 0 to 1, takes off up to a quarter of it, so
    that what failed together does not return together.
    """
    if job.failures + 1 >= ATTEMPTS[job.kind]:
        return None
    delay: timedelta = min(FIRST_DELAY * 2**job.failures, LONGEST_DELAY)
    return delay * (1 - jitter / 4)


def is_suspected(job: Job) -> bool:
    """Say whether a job that was claimed just now may only be tried: two earlier holders of it died, of whatever."""
    return SUSPICIOUS <= job.claims - job.failures - 1 < SUSPICIOUS + 2 * TRIALS


def is_poisoned(job: Job) -> bool:
    """Say whether this job killed its holders, and would kill the next one too."""
    return job.claims - job.failures - 1 >= SUSPICIOUS + 2 * TRIALS


class FinalError(ReconcilerError):
    """A job failed in a way that another attempt cannot mend; its destination has answered."""


class LaterError(ReconcilerError):
    """A job failed for now, and is due again after `delay`, whatever the usual one."""

    def __init__(self, message: str, *, delay: timedelta) -> None:
        self.delay = delay
        super().__init__(message)
