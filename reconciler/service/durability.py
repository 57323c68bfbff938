"""What operators ask of a store directly: its jobs, and whether all of it is whole."""

from collections.abc import Iterator, Sequence

from reconciler.jobs import dead_letters
from reconciler.service.workspace import Workspace
from reconciler.store import checking, jobs
from reconciler.store.checking import Finding
from reconciler.store.job_states import JobState
from reconciler.store.jobs import JobRow


def list_jobs(workspace: Workspace, states: Sequence[str], limit: int) -> list[JobRow]:
    """Return up to `limit` jobs in these states, oldest first."""
    with workspace.store.read() as connection:
        return jobs.listed(connection, [JobState(state) for state in states], limit=limit)


def retry_jobs(workspace: Workspace, numbers: Sequence[int]) -> list[JobRow]:
    """Have dead jobs run again, all or none. Raises NotFoundError, or ReconcilerError when one is not dead."""
    with workspace.store.write() as tx:
        return [dead_letters.retry(tx, number) for number in numbers]


def drop_jobs(workspace: Workspace, numbers: Sequence[int]) -> list[JobRow]:
    """Let dead jobs be, all or none. Raises NotFoundError, or ReconcilerError when one is not dead."""
    with workspace.store.write() as tx:
        return [dead_letters.drop(tx, number) for number in numbers]


def check_store(workspace: Workspace, *, repair: bool) -> Iterator[Finding]:
    """Yield everything that is wrong with the store, mended where that can be and is asked for."""
    return checking.check(workspace.store, repair=repair)
