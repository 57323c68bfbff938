"""A configuration and its plan: what `validate` and `plan` do, without the libraries that only other work needs."""

import os
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from reconciler.desired.findings import NOTHING_KNOWN, Known
from reconciler.desired.load import Desired, Loaded, Project, find_root, load_project, load_traced
from reconciler.desired.load_cache import LoadCache
from reconciler.errors import ConfigurationError, PlanRefusedError
from reconciler.model.cycles import without_cycles
from reconciler.model.key import Key
from reconciler.model.state import State
from reconciler.plan.live_side import LiveSide
from reconciler.plan.making import CAREFUL, Terms, Wish, make
from reconciler.plan.plan import Plan
from reconciler.plan.safety import Limits
from reconciler.plan.saved import SavedPlan, config_hash
from reconciler.service.wiring import PROTOCOLS
from reconciler.store.sqlite_reading import read_live
from reconciler.watch.repository import commit_of

if TYPE_CHECKING:
    from reconciler.service.workspace import Workspace


def wish_of(desired: Desired) -> Wish:
    """Return what a configuration asks for, as planning takes it."""
    return Wish(state=desired.state, renames=desired.renames, sections=desired.sections)


def _load_all(root: Path, environment: str | None, known: Known = NOTHING_KNOWN) -> Loaded:
    """Return what all files below `root` ask for. Raises ConfigurationError with every mistake."""
    # Not needed for what did not change.
    from reconciler.conversion.compiler import ContentCompiler  # noqa: PLC0415

    with ContentCompiler() as compiler:
        return load_traced(root, PROTOCOLS, compiler, environment=environment, environ=os.environ, known=known)


class Planning:
    """One configuration, and a reader of its live side."""

    def __init__(self, project: Project) -> None:
        self.project = project

    @classmethod
    def open(cls, config: Path | None, environment: str | None = None) -> Self:
        """Return the configuration at `config`, or at the nearest `reconciler.yaml` upward from the working directory.

        `environment` is the name of the one that the configuration is read for. Raises NotFoundError when there is
        none and ConfigurationError when it is wrong.
        """
        root = find_root(config or Path.cwd())
        try:
            return cls(load_project(root, environment=environment, environ=os.environ))
        except ConfigurationError:
            _load_all(root, environment)  # says what is wrong in every other file, too
            raise

    @cached_property
    def _workspace(self) -> "Workspace":
        """The same configuration with everything that can be done with it."""
        from reconciler.service.workspace import Workspace  # noqa: PLC0415 - most plans need no more than is here

        return Workspace(self.project)

    def close(self) -> None:
        """Close what was opened."""
        if "_workspace" in self.__dict__:
            self._workspace.close()

    def load(self) -> Desired:
        """Return what the files ask for. Raises ConfigurationError with every mistake."""
        cache = LoadCache.of(self.project.root, self.project.environment, os.environ)
        return cache.desired(lambda known: self._loaded(known=known))

    def _loaded(self, root: Path | None = None, *, known: Known = NOTHING_KNOWN) -> Loaded:
        return _load_all(root or self.project.root, self.project.environment, known)

    def plan(self, desired: Desired, terms: Terms = CAREFUL) -> Plan:
        """Return the plan that makes the live side what is desired, on these terms."""
        return self.plan_wish(wish_of(desired), terms)

    def plan_wish(self, wish: Wish, terms: Terms = CAREFUL) -> Plan:
        """Return the plan that makes the live side what a wish asks for, on these terms."""
        terms = replace(terms, limits=Limits(self.project.caps))
        with without_cycles():
            return make(self._read_beside(wish.state), wish, terms, now=datetime.now(UTC), undelivered=self.undelivered)

    def read(self) -> LiveSide:
        """Return everything that is live, as of one moment."""
        return LiveSide() if self._is_untouched() else self._workspace.read()

    def _read_beside(self, desired: State) -> LiveSide:
        """Return what `read` does, sharing memory with what is desired."""
        folder = self.project.root / self.project.state
        found = None if "://" in self.project.state else read_live(folder, desired.resources)
        return self.read() if found is None else found

    def undelivered(self, mailbox: Key) -> int:
        """Return how many envelopes of a mailbox are on their way."""
        return self._workspace.undelivered(mailbox)

    def _is_untouched(self) -> bool:
        """Say whether there is no live side yet; planning then writes nothing, not even an empty database."""
        return "://" not in self.project.state and not (self.project.root / self.project.state / "state.db").exists()

    def save(self, plan: Plan, desired: Desired, *, actor: str) -> SavedPlan:
        """Return a plan as it is kept in a file. Raises PlanRefusedError when it must not be applied anyway."""
        if plan.refusals:
            raise PlanRefusedError("\n".join(plan.refusals))
        return SavedPlan(plan, config_hash(wish_of(desired)), self._commit(), actor, datetime.now(UTC))

    def check_saved(self, saved: SavedPlan, desired: Desired) -> None:
        """Raise PlanRefusedError when the configuration is not the one that a saved plan was made of."""
        if config_hash(wish_of(desired)) == saved.config_hash:
            return
        made = f"by {saved.made_by} at {saved.made_at:%Y-%m-%d %H:%M:%S} UTC"
        now = commit_of(self.project.root)
        here = f"; it is now at commit {now.sha[:12]} by {now.author} of {now.at}" if now else ""
        there = f" at commit {saved.commit[:12]}" if saved.commit else ""
        raise PlanRefusedError(f"The configuration changed since the plan was made {made}{there}{here}. Plan again.")

    def _commit(self) -> str:
        found = commit_of(self.project.root)
        return found.sha if found else ""
