"""The states of a job and the one table of how it moves between them. Pure.

`ready` waits for a worker, `running` is held under a lease, `retrying` waits for its time (after a failure, after it
was put off, or because it was added with a delay), `done` has had its effects, `dead` is a dead letter: kept until
somebody retries or drops it.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class JobState(StrEnum):
    """Where a job is."""

    READY = "ready"
    RUNNING = "running"
    RETRYING = "retrying"
    DONE = "done"
    DEAD = "dead"


class JobEvent(StrEnum):
    """What happens to a job."""

    CLAIM = "claim"
    FINISH = "finish"
    FAIL = "fail"
    PUT_OFF = "put off"
    GIVE_UP = "give up"
    RELEASE = "release"  # its holder stopped, or died
    SUSPECT = "suspect"  # its holder died, for the second time or while it was tried
    COME_DUE = "come due"
    REVIVE = "revive"
    DROP = "drop"


TRANSITIONS: Mapping[JobEvent, tuple[JobState, JobState]] = MappingProxyType(
    {
        JobEvent.CLAIM: (JobState.READY, JobState.RUNNING),
        JobEvent.FINISH: (JobState.RUNNING, JobState.DONE),
        JobEvent.FAIL: (JobState.RUNNING, JobState.RETRYING),
        JobEvent.PUT_OFF: (JobState.RUNNING, JobState.RETRYING),
        JobEvent.GIVE_UP: (JobState.RUNNING, JobState.DEAD),
        JobEvent.RELEASE: (JobState.RUNNING, JobState.READY),
        JobEvent.SUSPECT: (JobState.RUNNING, JobState.RETRYING),
        JobEvent.COME_DUE: (JobState.RETRYING, JobState.READY),
        JobEvent.REVIVE: (JobState.DEAD, JobState.READY),
        JobEvent.DROP: (JobState.DEAD, JobState.DONE),
    }
)
"""What each event needs and makes; every statement that changes a job's state takes both from here."""

PENDING = (JobState.READY, JobState.RUNNING, JobState.RETRYING)
"""The states of a job that is still to be done."""
