"""A configuration whose live side is at a gateway that is reached over HTTPS: the same commands, by its admin API."""

import os
import socket
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from threading import Event, Thread
from typing import Any
from uuid import UUID, uuid4

from pydantic import TypeAdapter

from reconciler.apply.lease import BEAT, Held, HeldError
from reconciler.apply.run import UNKNOWN, Origin, Progress, no_progress
from reconciler.apply.steps import PutFile, steps
from reconciler.desired.load import Project
from reconciler.errors import LeaseLostError, NotFoundError, ReconcilerError
from reconciler.live.history import Drift, changes_of
from reconciler.live.https_gateway import GatewayClient, HeldElsewhereError
from reconciler.live.status import Status
from reconciler.live.views import ConnectionDetails, EnvelopeView, LiveResource, LogPart, LogRecord, RuleTestRun
from reconciler.live.wire import DriftDocument, RevisionDocument, StateDocument, StatusDocument
from reconciler.model.credential import Secret
from reconciler.model.key import Key, Kind
from reconciler.model.rule import Rule
from reconciler.model.source_file import ContentReader
from reconciler.model.state import State, from_json
from reconciler.plan.change import Change
from reconciler.plan.live_side import LiveSide
from reconciler.plan.making import Wish
from reconciler.plan.plan import Applied, Plan
from reconciler.service.oversight import Oversight
from reconciler.service.remote_upkeep import RemoteUpkeep
from reconciler.service.upkeep import Upkeep
from reconciler.service.workspace import LOCK_TIMEOUT, Workspace
from reconciler.store.configuration import Revision
from reconciler.store.database import Store
from reconciler.store.leases import Lease

TOKEN_VARIABLE = "RECONCILER_TOKEN"  # noqa: S105 - the name of a variable
SECRETS = frozenset({"password"})
"""Connection details that are secret."""

_POLL = 0.5
_RECORD = TypeAdapter(LogRecord)
_ENVELOPE = TypeAdapter(EnvelopeView)
_RUNS = TypeAdapter(list[RuleTestRun])


class RemoteWorkspace(Workspace):
    """One configuration, reconciled with a gateway elsewhere. What needs the gateway's own store is refused."""

    def __init__(self, project: Project) -> None:
        super().__init__(project)
        token = os.environ.get(TOKEN_VARIABLE)
        if not token:
            raise ReconcilerError(
                f"{project.state} needs a token in {TOKEN_VARIABLE}. Make one at the gateway: reconciler token create"
            )
        self._client = GatewayClient(project.state, Secret(token))

    @cached_property
    def store(self) -> Store:
        """Raise ReconcilerError: the store is at the gateway."""
        raise ReconcilerError(f"This works at the gateway's own store only, not over {self.project.state}.")

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    # --- configuration -------------------------------------------------------------------------------------------

    def read(self) -> LiveSide:
        """Return everything that is live, as of one moment."""
        return StateDocument.model_validate(self._client.json("GET", "/state")).value()

    def undelivered(self, mailbox: Key) -> int:
        """Return how many envelopes of a mailbox are on their way."""
        return int(self._client.json("GET", f"/undelivered/{mailbox}")["count"])

    @contextmanager
    def alone(self, *, actor: str, timeout: float) -> Iterator[Held]:
        """Hold the lease on applying. Raises HeldError when another has it for longer than `timeout` seconds."""
        held, done = Held("apply", uuid4().hex), Event()
        owner = f"{actor} on {socket.gethostname()}, process {os.getpid()}"
        claim = {"owner": owner, "token": held.token}
        deadline = time.monotonic() + timeout
        while True:
            try:
                self._client.json("POST", "/leases/apply", body=claim)
                break
            except HeldElsewhereError as error:
                if time.monotonic() >= deadline:
                    raise HeldError(str(error)) from None
                time.sleep(_POLL)
        beat = Thread(target=self._beat, args=(claim, held, done), name="lease-apply", daemon=True)
        beat.start()
        try:
            yield held
        finally:
            done.set()
            beat.join()
            self._client.json("DELETE", "/leases/apply", token=held.token)

    def _beat(self, claim: Mapping[str, str], held: Held, done: Event) -> None:
        while not done.wait(BEAT):
            try:
                self._client.json("PUT", "/leases/apply", body=claim)
            except LeaseLostError:
                held.lost.set()
                return
            except ReconcilerError:
                continue  # not to be reached for a moment; the lease lasts longer than a few beats

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
        """Make a plan true; the gateway knows who asks by the token."""
        if lease is None and not plan.is_empty:
            with self.alone(actor=actor, timeout=LOCK_TIMEOUT) as held:
                return self.apply_plan(plan, files, actor=actor, origin=origin, lease=held, progress=progress)
        named = {step.sha256 for step in steps(plan, files_known=frozenset()) if isinstance(step, PutFile)}
        body = {
            "plan": plan.to_json(),
            "files": {sha256: b64encode(content).decode() for sha256, content in files.items() if sha256 in named},
            "config_hash": origin.config_hash,
            "commit": origin.commit,
            "places": dict(origin.places),
            "lease": lease.token if lease else None,
        }
        done = self._client.json("POST", "/apply", body=body)
        return Applied(int(done["revision"]), tuple(map(Key.parse, done["generated"])))

    @cached_property
    def oversight(self) -> Oversight:
        """The live side over time."""
        return RemoteOversight(self._client)

    def status(self) -> Status:
        """Return how the gateway is: what its store says, what listens, what failed last."""
        return self.oversight.status()

    @cached_property
    def upkeep(self) -> Upkeep:
        """The gateway's work, its doors and its audit trail."""
        return RemoteUpkeep(self._client)

    def show(self, address: str | None) -> list[LiveResource]:
        """Return what is live at and below an address, or everything. Raises NotFoundError."""
        return [
            LiveResource(
                Key.parse(item["address"]),
                from_json(Kind(item["kind"]), item["resource"]),
                UUID(item["uuid"]) if item["uuid"] else None,
            )
            for item in self._client.json("GET", "/resources", address=address)
        ]

    def file(self, address: str, sha256: str) -> bytes:
        """Return the content of a file that the live resource at an address names. Raises NotFoundError."""
        return self._client.content(f"/files/{address}/{sha256}")

    def _content_of(self, live: State) -> ContentReader:
        # The gateway gives a file to whoever may read what names it.
        named: dict[str, Key] = {}

        def content(sha256: str) -> bytes:
            if not named:
                named.update((one, key) for key in live.resources for one in State({key: live.resources[key]}).hashes())
            return self.file(str(named[sha256]), sha256)

        return content

    def test_live(self, address: str) -> Iterator[RuleTestRun]:
        """Yield the results of the tests of the live rules at and below an address; all tests for an empty one."""
        for item in self.show(address or None):
            if isinstance(item.resource, Rule) and item.resource.tests:
                yield from _RUNS.validate_python(self._client.json("POST", f"/rules/{item.key}/tests/run"))

    # --- credentials ---------------------------------------------------------------------------------------------

    def credentials(self, address: str) -> ConnectionDetails:
        """Return a mailbox's connection details, secrets included. Raises NotFoundError."""
        found = self._client.json("GET", f"/credentials/{address}")
        values = {name: Secret(value) if name in SECRETS else value for name, value in found["values"].items()}
        return ConnectionDetails(Key.parse(found["mailbox"]), values)

    def rotate(self, address: str, *, actor: str) -> list[Key]:
        """Replace the credentials at and below an address by new ones, at once; return which."""
        del actor  # the gateway knows who asks by the token
        return [Key.parse(key) for key in self._client.json("POST", f"/credentials/{address}/rotate")["generated"]]

    # --- conversion log ------------------------------------------------------------------------------------------

    def log(self, *, offset: int = 0, limit: int = 50, **filters: Any) -> list[LogRecord]:  # noqa: ANN401 - the filters of Workspace.log
        """Return the newest records of the conversion log, those left out that the filters do not want."""
        return [
            _RECORD.validate_python(item) for item in self._client.items("/log", offset=offset, limit=limit, **filters)
        ]

    def log_record(self, uuid: UUID) -> LogRecord:
        """Return one record of the conversion log. Raises NotFoundError."""
        return _RECORD.validate_python(self._client.json("GET", f"/log/{uuid}"))

    def log_payload(self, uuid: UUID, part: LogPart) -> bytes:
        """Return a part of a record. Raises NotFoundError when it has none."""
        return self._client.content(f"/log/{uuid}/{part}")

    def reprocess(self, uuid: UUID) -> None:
        """Have a FAILED record run again by the gateway."""
        self._client.json("POST", f"/log/{uuid}/reprocess")

    # --- envelopes -----------------------------------------------------------------------------------------------

    def envelopes(self, *, offset: int = 0, limit: int = 50, **filters: Any) -> list[EnvelopeView]:  # noqa: ANN401 - the filters of Workspace.envelopes
        """Return the newest envelopes, those left out that the filters do not want."""
        return [
            _ENVELOPE.validate_python(item)
            for item in self._client.items("/envelopes", offset=offset, limit=limit, **filters)
        ]

    def envelope(self, uuid: UUID) -> EnvelopeView:
        """Return one envelope with its history. Raises NotFoundError."""
        return _ENVELOPE.validate_python(self._client.json("GET", f"/envelopes/{uuid}"))

    def envelope_xml(self, uuid: UUID) -> bytes:
        """Return an envelope's XML as it is now. Raises NotFoundError."""
        return self._client.content(f"/envelopes/{uuid}/xml")

    def envelope_archive(self, uuid: UUID) -> bytes:
        """Return an envelope's archive. Raises NotFoundError."""
        return self._client.content(f"/envelopes/{uuid}/archive")

    def send(self, mailbox: str, name: str, content: bytes) -> UUID:
        """Send an envelope's XML as if it were uploaded to the mailbox's `outbox/`; return the receipt's UUID."""
        return UUID(self._client.post_content("/envelopes", content, mailbox=mailbox, name=name)["receipt"])

    def complete(self, uuid: UUID, mailbox: str) -> None:
        """Complete an envelope as one of its recipients."""
        self._client.json("POST", f"/envelopes/{uuid}/complete", body={"mailbox": mailbox})

    def reject(self, uuid: UUID, mailbox: str, reason: str) -> None:
        """Reject an envelope as one of its recipients."""
        self._client.json("POST", f"/envelopes/{uuid}/reject", body={"mailbox": mailbox, "reason": reason})


class RemoteOversight(Oversight):
    """The live side of a gateway elsewhere, over time."""

    def __init__(self, client: GatewayClient) -> None:
        self._client = client

    def history(self, *, limit: int) -> list[Revision]:
        """Return the newest revisions, without their plans."""
        found = self._client.items("/revisions", offset=0, limit=limit)
        return [RevisionDocument.model_validate(item).value() for item in found]

    def revision(self, number: int) -> tuple[Revision, tuple[Change, ...]]:
        """Return a revision and what it changed. Raises NotFoundError."""
        found = RevisionDocument.model_validate(self._client.json("GET", f"/revisions/{number}")).value()
        return found, changes_of(found)

    def wish_of(self, number: int) -> Wish:
        """Return what was live at a revision as what is desired now. Raises NotFoundError."""
        found = StateDocument.model_validate(self._client.json("GET", f"/revisions/{number}/state"))
        return Wish(state=found.value().state)

    def drift(self) -> list[Drift]:
        """Return where the live side is not what was last applied."""
        return [DriftDocument.model_validate(item).value() for item in self._client.json("GET", "/drift")]

    def suspend(self, address: str, *, until: datetime | None, reason: str, actor: str) -> Key:
        """Hold an address out of reconciling. Raises NotFoundError, and ReconcilerError for an end that is past."""
        del actor  # the gateway knows who asks by the token
        body = {"until": until.isoformat() if until else None, "reason": reason}
        self._client.json("PUT", f"/suspensions/{address}", body=body)
        return _key(address)

    def resume(self, address: str) -> Key:
        """Take an address back into reconciling. Raises NotFoundError when it is not suspended."""
        self._client.json("DELETE", f"/suspensions/{address}")
        return _key(address)

    def leases(self) -> list[Lease]:
        """Return the leases that are held now."""
        return list(self.status().leases)

    def release(self, name: str) -> bool:
        """Take a lease from its holder, who can then commit nothing more; say whether there was one."""
        return bool(self._client.json("DELETE", f"/leases/{name}"))

    def status(self) -> Status:
        """Return what the store says: what is applied, what waits, what the watcher says, who is at work."""
        return StatusDocument.model_validate(self._client.json("GET", "/status")).value()


def _key(address: str) -> Key:
    try:
        return Key.parse(address)
    except ValueError as error:
        raise NotFoundError(str(error)) from None
