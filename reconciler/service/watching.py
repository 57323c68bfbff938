"""Watching: the newest configuration of a folder or a branch is kept applied, by one watcher at a time."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from threading import Event

from reconciler.apply.lease import WATCH, HeldError, holding
from reconciler.apply.run import Origin, places
from reconciler.desired.gateway import is_gateway
from reconciler.errors import ConfigurationError, LeaseLostError, ReconcilerError
from reconciler.model.account import Account
from reconciler.plan.making import Terms
from reconciler.plan.plan import Plan
from reconciler.plan.saved import config_hash
from reconciler.service.opening import with_state
from reconciler.service.planning import wish_of
from reconciler.service.workspace import Workspace
from reconciler.store import conditions, configuration
from reconciler.store.conditions import Condition
from reconciler.watch.commit_status import CommitStatus
from reconciler.watch.repository import Clone, commit_of
from reconciler.watch.round import Good, Policy, Rounds

ACTOR = "watch"
"""By whom what a watcher applies is applied, in the history."""

_FOREVER = float("inf")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Folder:
    """A configuration in a folder that somebody else keeps up to date."""

    root: Path

    @contextmanager
    def newest(self) -> Iterator[str]:
        """Yield the commit that it is at, if it is in git."""
        found = commit_of(self.root)
        yield found.sha if found else ""


@dataclass(frozen=True, slots=True)
class Branch:
    """A configuration on a branch, in a clone; `path` is its folder in the repository."""

    clone: Clone
    path: str

    @property
    def root(self) -> Path:
        """The folder of the configuration."""
        return self.clone.folder / self.path

    @contextmanager
    def newest(self) -> Iterator[str]:
        """Fetch the newest commit and yield it; the folder stays at it while it is read. Raises GitError."""
        with self.clone.newest() as commit:
            yield commit.sha


Source = Folder | Branch


def branch(url: str, ref: str, path: str, home: Path) -> Branch:
    """Return a branch whose clone lies below `home`, where the state is as well."""
    name = sha256(f"{url}\0{ref}".encode()).hexdigest()[:12]
    return Branch(Clone(home / ".reconciler" / f"watch-{name}", url, ref), path)


class Watched:
    """A source and the live side that it is kept together with: what a round needs."""

    def __init__(self, source: Source, workspace: Workspace, held_lost: Callable[[], bool]) -> None:
        self._source = source
        self._workspace = workspace
        self._lost = held_lost
        self._commit = ""
        self._loaded: tuple[str, Good | ConfigurationError] | None = None

    def newest(self) -> Good:
        """Load the newest configuration; one commit is loaded once."""
        with self._source.newest() as self._commit:
            return self._load()

    def _load(self) -> Good:
        if isinstance(self._source, Branch) and self._loaded is not None and self._loaded[0] == self._commit:
            known = self._loaded[1]
            if isinstance(known, ConfigurationError):
                raise known
            return known
        try:
            desired = Workspace(replace(self._workspace.project, root=self._source.root)).load()
        except ConfigurationError as error:
            self._loaded = (self._commit, error)
            raise
        self._workspace.project = replace(self._workspace.project, caps=desired.project.caps)
        wish = wish_of(desired)
        good = Good(wish, desired.files, config_hash(wish), self._commit, desired.positions)
        self._loaded = (self._commit, good)
        return good

    def commit(self) -> str:
        """Return the commit that was loaded last, right or wrong."""
        return self._commit

    def applied(self) -> Good | None:
        """Return the configuration that was applied last; its files are in the store."""
        with self._workspace.store.read() as connection:
            last = configuration.last_configured(connection)
        if last is None:
            return None
        return Good(self._workspace.oversight.configured(), {}, last.config_hash, last.commit)

    def applied_hash(self) -> str:
        """Return the hash of the configuration that was applied last."""
        with self._workspace.store.read() as connection:
            last = configuration.last_configured(connection)
        return last.config_hash if last else ""

    def plan(self, good: Good, terms: Terms) -> Plan:
        """Plan it."""
        return self._workspace.plan_wish(good.wish, terms)

    def apply(self, plan: Plan, good: Good) -> int:
        """Apply the plan, unless another watches now."""
        if self._lost():
            raise LeaseLostError("Another watcher has taken over.")
        origin = Origin(good.config_hash, good.commit, places=places(plan, good.positions))
        return self._workspace.apply_plan(plan, good.files, actor=ACTOR, origin=origin).revision

    def accounts(self) -> frozenset[str]:
        """Return the accounts that are live."""
        with self._workspace.store.read() as connection:
            state = configuration.read_state(connection)
        return frozenset(key.name for key, _ in state.of(Account))

    def record(self, said: list[Condition]) -> None:
        """Keep what is said of each account."""
        with self._workspace.store.write() as tx:
            conditions.record(tx, said)


def opened(source: Source, home: Path, environment: str | None = None, state: str | None = None) -> Workspace:
    """Return the workspace of a source; a state that is a folder lies in `home` when the source is a branch.

    `state` is where the live side is, when that is not where the files say. Raises ConfigurationError when the newest
    `reconciler.yaml` is wrong, and ReconcilerError for a state that is none, or at a gateway elsewhere.
    """
    with source.newest():
        workspace = Workspace.open(source.root, environment)
    if state is not None:
        workspace.project = with_state(workspace.project, state)
    if is_gateway(workspace.project.state):
        raise ReconcilerError(
            f"A watcher needs the gateway's own store, not {workspace.project.state}. Run it where the gateway runs, "
            "with its --state."
        )
    if isinstance(source, Branch) and "://" not in workspace.project.state:
        workspace.project = replace(workspace.project, state=str(home.resolve() / workspace.project.state))
    return workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """How to watch: what the policy allows, how often, whether once only, and whom to tell."""

    policy: Policy
    interval: timedelta
    once: bool = False
    status: CommitStatus | None = None


def watch(source: Source, workspace: Workspace, how: Watching, *, stop: Event, wake: Event) -> bool:
    """Reconcile until `stop` is set, at every interval and whenever `wake` is; say whether the last round was good.

    Whoever comes second stands by until the first is gone. Raises HeldError when watching once and another watches.
    """
    good = False
    patience = 0.0
    while not stop.is_set():
        try:
            with holding(workspace.store, WATCH, actor=ACTOR, timeout=patience, stop=stop) as held:
                _log.info("watching %s", source.root)
                good = _rounds(Watched(source, workspace, held.lost.is_set), how, held.lost, stop, wake)
        except HeldError as error:
            if how.once:
                raise
            if patience == 0:
                _log.info("standing by: %s", str(error).partition(". ")[0])
            patience = _FOREVER
        except Exception:
            if how.once:
                raise
            _log.exception("the store is out of reach; watching begins anew")
            stop.wait(how.interval.total_seconds())
        if how.once:
            break
    return good


def _rounds(watched: Watched, how: Watching, lost: Event, stop: Event, wake: Event) -> bool:
    rounds = Rounds(watched, how.policy, how.interval)
    told: tuple[str, bool, str] | None = None
    good = False
    while not stop.is_set() and not lost.is_set():
        wake.clear()
        try:
            outcome = rounds.run()
            good = outcome.ok
            news = (outcome.commit, outcome.ok, outcome.message)
            if how.status is not None and outcome.commit and news != told:
                how.status.post(outcome.commit, ok=outcome.ok, message=outcome.message or "applied")
                told = news
            if not outcome.ok:
                _log.warning("not synced: %s", outcome.message)
        except LeaseLostError as error:
            _log.warning("%s", error)
            break
        except Exception:
            if how.once:
                raise
            _log.exception("the round ended early; the next one begins anew")
        if how.once:
            break
        wake.wait(how.interval.total_seconds())
    return good
