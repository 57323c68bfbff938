"""A configuration with its live side: everything that a command does, in the words of the domain."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Self
from uuid import NAMESPACE_URL, uuid5

from reconciler.apply.lease import APPLY, Held, holding
from reconciler.apply.run import UNKNOWN, Origin, Progress, no_progress, places, run
from reconciler.conversion.compiler import ContentCompiler
from reconciler.desired.load import Desired, Loaded, Project, find_root, load_project, load_traced
from reconciler.desired.load_cache import LoadCache
from reconciler.desired.yaml_files import ROOT_FILE
from reconciler.errors import NotFoundError, PlanRefusedError
from reconciler.jobs.directory import Snapshot
from reconciler.live.status import Listening, Status
from reconciler.live.store_live import StoreLive
from reconciler.live.views import RuleTestRun
from reconciler.model.cycles import without_cycles
from reconciler.model.duration import parse_duration
from reconciler.model.key import Key, Kind
from reconciler.model.mailbox import Mailbox
from reconciler.model.rule import Rule
from reconciler.plan.diff import applied
from reconciler.plan.impact import Impact, impact
from reconciler.plan.live_side import LiveSide
from reconciler.plan.making import CAREFUL, Terms, Wish, make
from reconciler.plan.plan import Applied, Plan
from reconciler.plan.safety import Limits
from reconciler.plan.saved import SavedPlan, config_hash
from reconciler.plan.selection import Selection
from reconciler.service.dumping import Dumping
from reconciler.service.listening import accepts
from reconciler.service.offline import Offline
from reconciler.service.operating import Operating
from reconciler.service.oversight import Oversight
from reconciler.service.replay_inputs import samples, stored
from reconciler.service.rule_testing import WrittenTestRun, run_tests, run_written_tests
from reconciler.service.upkeep import Upkeep
from reconciler.service.wiring import PROTOCOLS
from reconciler.store import undelivered
from reconciler.store.database import Store
from reconciler.watch.repository import commit_of

FAILURES = 5
"""How many of the newest failures a status shows."""

LOCK_TIMEOUT = 10.0
"""Seconds that applying waits for another to end, unless told otherwise."""


def wish_of(desired: Desired) -> Wish:
    """Return what a configuration asks for, as planning takes it."""
    return Wish(state=desired.state, renames=desired.renames, sections=desired.sections)


class Workspace(Operating):
    """One configuration. The store is opened when something first needs it."""

    def __init__(self, project: Project) -> None:
        self.project = project

    @classmethod
    def open(cls, config: Path | None, environment: str | None = None) -> Self:
        """Return the workspace at `config`, or at the nearest `reconciler.yaml` upward from the working directory.

        `environment` is the name of the one that the configuration is read for. Raises NotFoundError when there is
        none and ConfigurationError when it is wrong.
        """
        return cls(load_project(find_root(config or Path.cwd()), environment=environment, environ=os.environ))

    @cached_property
    def store(self) -> Store:
        """The store that `state` names; a folder is made when it is not there."""
        state, root = self.project.state, self.project.root
        if "://" in state:
            return Store(root / ".reconciler", state, self.project.payloads)
        return Store(root / state, payloads=self.project.payloads)

    def close(self) -> None:
        """Close the store, if it was opened."""
        if "store" in self.__dict__:
            self.store.close()

    # --- configuration -------------------------------------------------------------------------------------------

    def load(self) -> Desired:
        """Return what the files ask for. Raises ConfigurationError with every mistake."""
        return LoadCache.of(self.project.root, self.project.environment, os.environ).desired(self._loaded)

    def _loaded(self, root: Path | None = None) -> Loaded:
        with ContentCompiler() as compiler:
            return load_traced(
                root or self.project.root,
                PROTOCOLS,
                compiler,
                environment=self.project.environment,
                environ=os.environ,
            )

    def dump(self, folder: Path, selection: Selection, *, prune: bool) -> list[str]:
        """Write what is live into the files of a folder, and return those that were written.

        A folder without a configuration gets one. With `prune`, what is not live is taken out of the files.
        """
        loaded = self._loaded(folder) if (folder / ROOT_FILE).is_file() else None
        dumping = Dumping(self.read().state, self._directory.content, self._loaded)
        return dumping.into(folder, loaded, selection.has, prune=prune)

    def test(self, address: str, *, update: bool) -> Iterator[WrittenTestRun]:
        """Yield the results of the tests beside the rules at and below an address; all tests for an empty one."""
        return run_written_tests(self._loaded().desired, only=address, update=update)

    def test_live(self, address: str) -> Iterator[RuleTestRun]:
        """Yield the results of the tests of the live rules at and below an address; all tests for an empty one."""
        found = self.show(address or None)
        content = self._directory.content
        offline = Offline(self._snapshot().state, content)
        with offline.converter() as converter:
            for item in found:
                if isinstance(item.resource, Rule):
                    yield from run_tests(item.key, item.resource, content, offline, converter)

    def offline(self) -> Offline:
        """Return the rules of the configuration to be tried out. Raises ConfigurationError with every mistake."""
        desired = self._loaded().desired
        return Offline(desired.state, desired.files.__getitem__)

    def plan(self, desired: Desired, terms: Terms = CAREFUL) -> Plan:
        """Return the plan that makes the live side what is desired, on these terms."""
        return self.plan_wish(wish_of(desired), terms)

    def plan_wish(self, wish: Wish, terms: Terms = CAREFUL) -> Plan:
        """Return the plan that makes the live side what a wish asks for, on these terms."""
        terms = replace(terms, limits=Limits(self.project.caps))
        with without_cycles():
            return make(self.read(), wish, terms, now=datetime.now(UTC), undelivered=self._undelivered)

    def connected(self, addresses: Sequence[str], since: timedelta | None) -> list[Key]:
        """Return the mailboxes with an integration at and below addresses; raises NotFoundError for an empty one.

        With `since`, only those for which something was generated in that time.
        """
        live = self.read()
        found: list[Key] = []
        for address in addresses:
            below = [key for key in live.state.resources if f"{key}.".startswith(f"{address}.")]
            if not below:
                raise NotFoundError(f"Nothing is live at {address}. See: reconciler show")
            found += (key for item in below if item.kind is Kind.INTEGRATION and (key := item.owner) is not None)
        if since is not None:
            begin = datetime.now(UTC) - since
            fresh = {key.mailbox_key for key, at in live.generated_at.items() if at >= begin}
            found = [key for key in found if key in fresh]
        return list(dict.fromkeys(found))

    def _undelivered(self, mailbox: Key) -> int:
        uuid = self._snapshot().uuid(mailbox)
        with self.store.read() as connection:
            return undelivered.count(connection, uuid) if uuid else 0

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

    def read(self) -> LiveSide:
        """Return everything that is live, as of one moment."""
        return LiveSide() if self._is_untouched() else StoreLive(self.store).read()

    def _is_untouched(self) -> bool:
        """Say whether there is no live side yet; planning then writes nothing, not even an empty database."""
        return "://" not in self.project.state and not (self.project.root / self.project.state / "state.db").exists()

    def impact(self, plan: Plan, desired: Desired, replay: str, *, convert: bool) -> Impact:
        """Return what a plan would do to inputs: those of a time such as `7d`, or the samples of a folder.

        Raises NotFoundError when `replay` is neither.
        """
        from reconciler.service.replay import Replay  # noqa: PLC0415 - it brings the workers, and most plans replay nothing

        before, after = self._snapshot(), self._planned(plan, desired)

        def content(sha256: str) -> bytes:
            return desired.files[sha256] if sha256 in desired.files else self._directory.content(sha256)

        folder = Path(replay)
        if folder.is_dir():
            inputs, source = samples(folder, (before, after)), replay
        else:
            try:
                inputs, source = stored(self.store, parse_duration(replay)), f"the last {replay}"
            except ValueError:
                raise NotFoundError(f"'{replay}' is neither a time such as 7d nor a folder.") from None
        broad = any(change.kind in {Kind.DICTIONARY, Kind.TEMPLATE, Kind.MAILBOX} for change in plan.changes)
        return impact(source, Replay(self.store, before, after, content, broad=broad).run(inputs, convert=convert))

    def _planned(self, plan: Plan, desired: Desired) -> Snapshot:
        """Return what would be live after a plan; mailboxes that are new have UUIDs that stand for theirs."""
        before = self._snapshot()
        state = applied(plan.changes, before.state)
        uuids = dict(before.uuids)
        for move in plan.moves:
            uuids = {key.moved(move.old_key, move.key): uuid for key, uuid in uuids.items()}
        return Snapshot(
            revision=before.revision,
            state=state,
            uuids={key: uuids.get(key) or uuid5(NAMESPACE_URL, str(key)) for key, _ in state.of(Mailbox)},
            live_credentials={},
            content=lambda sha256: (
                desired.files[sha256] if sha256 in desired.files else self._directory.content(sha256)
            ),
        )

    @contextmanager
    def alone(self, *, actor: str, timeout: float) -> Iterator[Held]:
        """Hold the lease on applying. Raises HeldError when another has it for longer than `timeout` seconds."""
        with holding(self.store, APPLY, actor=actor, timeout=timeout) as lease:
            yield lease

    def apply(
        self,
        plan: Plan,
        desired: Desired,
        *,
        actor: str,
        lease: Held | None = None,
        progress: Progress = no_progress,
    ) -> Applied:
        """Make a plan true. Raises PlanRefusedError when the live side moved since it was made."""
        written = places(plan, desired.positions)
        origin = Origin(config_hash(wish_of(desired)), self._commit(), places=written)
        return self.apply_plan(plan, desired.files, actor=actor, origin=origin, lease=lease, progress=progress)

    def apply_plan(
        self,
        plan: Plan,
        files: Mapping[str, bytes],
        *,
        actor: str,
        origin: Origin = UNKNOWN,
        lease: Held | None = None,
        progress: Progress = no_progress,
    ) -> Applied:
        """Make a plan true, given the content of every file that it names, by SHA-256.

        Without a lease of the caller's, one is held meanwhile. Raises HeldError when another applies for too long.
        """
        if plan.is_empty or lease is not None:
            return run(self.store, plan, files, actor=actor, origin=origin, lease=lease, progress=progress)
        with self.alone(actor=actor, timeout=LOCK_TIMEOUT) as held:
            return run(self.store, plan, files, actor=actor, origin=origin, lease=held, progress=progress)

    @cached_property
    def oversight(self) -> Oversight:
        """The live side over time."""
        return Oversight(self.store)

    def status(self) -> Status:
        """Return how the gateway is: what its store says, what listens, what failed last."""
        gateway = self.project.gateway
        listeners = {"SFTP": gateway.sftp.listen, "HTTP": gateway.http.listen}
        if gateway.metrics is not None:
            listeners["metrics"] = gateway.metrics.listen
        return replace(
            self.oversight.status(),
            listeners=[Listening(name, str(listen), accepts(listen)) for name, listen in listeners.items()],
            failures=self.log(status="FAILED", limit=FAILURES),
        )

    @cached_property
    def upkeep(self) -> Upkeep:
        """The gateway's work, its doors and its audit trail."""
        return Upkeep(self.store)
