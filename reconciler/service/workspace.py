"""A configuration with its live side: everything that a command does, in the words of the domain."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from reconciler.apply.lease import APPLY, Held, holding
from reconciler.apply.run import UNKNOWN, Origin, Progress, no_progress, places, run
from reconciler.desired.load import Desired
from reconciler.desired.yaml_files import ROOT_FILE
from reconciler.errors import NotFoundError
from reconciler.jobs.directory import Snapshot
from reconciler.live.status import Listening, Status
from reconciler.live.store_live import live_side
from reconciler.live.views import RuleTestRun
from reconciler.model.duration import parse_duration
from reconciler.model.key import Key, Kind
from reconciler.model.mailbox import Mailbox
from reconciler.model.rule import Rule
from reconciler.model.source_file import ContentReader
from reconciler.model.state import State
from reconciler.plan.diff import applied
from reconciler.plan.impact import Impact, impact
from reconciler.plan.live_side import LiveSide
from reconciler.plan.plan import Applied, Plan
from reconciler.plan.saved import config_hash
from reconciler.plan.selection import Selection
from reconciler.service.dumping import Dumping
from reconciler.service.listening import accepts
from reconciler.service.offline import Offline
from reconciler.service.operating import Operating
from reconciler.service.oversight import Oversight
from reconciler.service.planning import Planning, wish_of
from reconciler.service.replay_inputs import samples, stored
from reconciler.service.rule_testing import WrittenTestRun, run_tests, run_written_tests
from reconciler.service.upkeep import Upkeep
from reconciler.store import undelivered
from reconciler.store.database import Store

FAILURES = 5
"""How many of the newest failures a status shows."""

FOLDER_VARIABLE = "RECONCILER_FOLDER"
"""Names the folder for what stays on this machine when the state is a database elsewhere. Default: beside the files."""

LOCK_TIMEOUT = 10.0
"""Seconds that applying waits for another to end, unless told otherwise."""


class Workspace(Planning, Operating):
    """One configuration. The store is opened when something first needs it."""

    @cached_property
    def store(self) -> Store:
        """The store that `state` names; a folder is made when it is not there."""
        state, root = self.project.state, self.project.root
        if "://" in state:
            folder = os.environ.get(FOLDER_VARIABLE)
            return Store(Path(folder) if folder else root / ".reconciler", state, self.project.payloads)
        return Store(root / state, payloads=self.project.payloads)

    def close(self) -> None:
        """Close the store, if it was opened."""
        if "store" in self.__dict__:
            self.store.close()

    # --- configuration -------------------------------------------------------------------------------------------

    def dump(self, folder: Path, selection: Selection, *, prune: bool) -> list[str]:
        """Write what is live into the files of a folder, and return those that were written.

        A folder without a configuration gets one. With `prune`, what is not live is taken out of the files.
        """
        loaded = self._loaded(folder) if (folder / ROOT_FILE).is_file() else None
        live = self.read().state
        dumping = Dumping(live, self._content_of(live), self._loaded)
        return dumping.into(folder, loaded, selection.has, prune=prune)

    def _content_of(self, _live: State) -> ContentReader:
        return self._directory.content

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

    def undelivered(self, mailbox: Key) -> int:
        """Return how many envelopes of a mailbox are on their way."""
        uuid = self._snapshot().uuid(mailbox)
        with self.store.read() as connection:
            return undelivered.count(connection, uuid) if uuid else 0

    def read(self) -> LiveSide:
        """Return everything that is live, as of one moment."""
        return LiveSide() if self._is_untouched() else live_side(self.store)

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
