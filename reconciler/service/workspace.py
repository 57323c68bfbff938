"""A configuration with its live side: everything that a command does, in the words of the domain."""

from collections.abc import Mapping
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Literal, Self
from uuid import UUID

from reconciler.apply.run import rotate, run
from reconciler.conversion.compiler import ContentCompiler
from reconciler.desired.load import Desired, Project, find_root, load, load_project
from reconciler.errors import NotFoundError
from reconciler.jobs import closing, reprocessing
from reconciler.jobs.acceptance import accept
from reconciler.jobs.directory import Directory, Snapshot
from reconciler.live.store_live import StoreLive
from reconciler.live.views import ConnectionDetails, EnvelopeView, LiveResource, LogRecord, RevisionView
from reconciler.model.key import Key, Kind
from reconciler.model.state import State
from reconciler.plan.live_side import LiveSide
from reconciler.plan.plan import Applied, Plan, build
from reconciler.service.connection import connection_details
from reconciler.service.views import envelope_view, log_record
from reconciler.service.wiring import PROTOCOLS
from reconciler.store import configuration, conversions, envelopes, posts
from reconciler.store.database import Store
from reconciler.store.receipts import Receipt
from reconciler.store.search import LogFilter


class Workspace:
    """One configuration. The store is opened when something first needs it."""

    def __init__(self, project: Project) -> None:
        self.project = project

    @classmethod
    def open(cls, config: Path | None) -> Self:
        """Return the workspace at `config`, or at the nearest `reconciler.yaml` upward from the working directory.

        Raises NotFoundError when there is none and ConfigurationError when it is wrong.
        """
        return cls(load_project(find_root(config or Path.cwd())))

    @cached_property
    def store(self) -> Store:
        """The store that `state` names; a folder is made when it is not there."""
        state, root = self.project.state, self.project.root
        if "://" in state:
            return Store(root / ".reconciler", state)
        return Store(root / state)

    def close(self) -> None:
        """Close the store, if it was opened."""
        if "store" in self.__dict__:
            self.store.close()

    # --- configuration -------------------------------------------------------------------------------------------

    def load(self) -> Desired:
        """Return what the files ask for. Raises ConfigurationError with every mistake."""
        with ContentCompiler() as compiler:
            return load(self.project.root, PROTOCOLS, compiler)

    def plan(self, desired: Desired) -> Plan:
        """Return the plan that makes the live side what is desired."""
        live = self.read()
        return build(live.state, live.revision, desired.state)

    def read(self) -> LiveSide:
        """Return everything that is live, as of one moment."""
        return LiveSide() if self._is_untouched() else StoreLive(self.store).read()

    def _is_untouched(self) -> bool:
        """Say whether there is no live side yet; planning then writes nothing, not even an empty database."""
        return "://" not in self.project.state and not (self.project.root / self.project.state / "state.db").exists()

    def apply(self, plan: Plan, desired: Desired, *, actor: str) -> Applied:
        """Make a plan true. Raises PlanRefusedError when the live side moved since it was made."""
        return self.apply_plan(plan, desired.files, actor=actor)

    def apply_plan(self, plan: Plan, files: Mapping[str, bytes], *, actor: str) -> Applied:
        """Make a plan true, given the content of every file that it names, by SHA-256."""
        return run(self.store, plan, files, actor=actor)

    def revisions(self, *, offset: int = 0, limit: int = 50) -> list[RevisionView]:
        """Return what was applied, newest first."""
        with self.store.read() as connection:
            found = list(islice(configuration.revisions(connection), offset, offset + limit))
        return [RevisionView(row.number, row.applied_at, row.actor, row.by_hand, row.plan) for row in found]

    def show(self, address: str | None) -> list[LiveResource]:
        """Return what is live at and below an address, or everything. Raises NotFoundError."""
        snapshot = self._snapshot()
        found = [
            LiveResource(key, resource, snapshot.uuid(key))
            for key, resource in snapshot.state.resources.items()
            if address is None or f"{key}.".startswith(f"{address}.")
        ]
        if address is not None and not found:
            raise NotFoundError(f"Nothing is live at {address}. See: reconciler show")
        return found

    # --- credentials ---------------------------------------------------------------------------------------------

    def credentials(self, address: str) -> ConnectionDetails:
        """Return a mailbox's connection details, secrets included. Raises NotFoundError."""
        details = connection_details(self._snapshot(), self.project.gateway, self._mailbox(address))
        if details is None:
            raise NotFoundError(f"{address} has no integration; write one into its mailbox and apply.")
        return details

    def rotate(self, address: str, *, actor: str) -> list[Key]:
        """Replace the credentials at and below an address by new ones, at once; return which."""
        found = [item.key for item in self.show(address) if item.key.kind is Kind.CREDENTIAL]
        if not found:
            raise NotFoundError(f"Nothing was generated for {address}.")
        for key in found:
            rotate(self.store, key, actor=actor)
        return found

    # --- conversion log ------------------------------------------------------------------------------------------

    def log(
        self,
        *,
        mailbox: str | None = None,
        status: str | None = None,
        account: str | None = None,
        rule: str | None = None,
        no_rule: bool = False,
        keyword: str = "",
        offset: int = 0,
        limit: int = 50,
    ) -> list[LogRecord]:
        """Return the newest records of the conversion log, those left out that the filters do not want."""
        wanted = LogFilter(
            mailboxes=None if mailbox is None else [self._mailbox_uuid(mailbox)],
            status=status,
            account=account,
            rule=rule,
            no_rule=no_rule,
            keyword=keyword,
        )
        with self.store.read() as connection:
            found = conversions.newest(connection, wanted, limit=limit, offset=offset)
        return [log_record(record, self._name) for record in found]

    def log_record(self, uuid: UUID) -> LogRecord:
        """Return one record of the conversion log. Raises NotFoundError."""
        with self.store.read() as connection:
            post = posts.of_conversion(connection, uuid)
            return log_record(conversions.get(connection, uuid), self._name, post)

    def log_payload(self, uuid: UUID, part: Literal["input", "output"]) -> bytes:
        """Return a record's input or output. Raises NotFoundError when it has none."""
        with self.store.read() as connection:
            record = conversions.get(connection, uuid)
            name = record.input if part == "input" else record.output
            if name is None:
                raise NotFoundError(f"Record {uuid} has no {part}.")
            return self.store.blobs.read(connection, name)

    def reprocess(self, uuid: UUID) -> None:
        """Have a FAILED record run again by the gateway."""
        reprocessing.reprocess(self.store, uuid)

    # --- envelopes -----------------------------------------------------------------------------------------------

    def envelopes(
        self,
        *,
        mailbox: str | None = None,
        account: str | None = None,
        status: str | None = None,
        subject: str = "",
        offset: int = 0,
        limit: int = 50,
    ) -> list[EnvelopeView]:
        """Return the newest envelopes, those left out that the filters do not want."""
        wanted = None if mailbox is None else self._mailbox_uuid(mailbox)
        with self.store.read() as connection:
            found = envelopes.newest(
                connection,
                mailbox=wanted,
                account=account,
                status=status,
                subject=subject,
                limit=limit,
                offset=offset,
            )
            return [envelope_view(row, envelopes.arrivals(connection, row.uuid), (), self._name) for row in found]

    def envelope(self, uuid: UUID) -> EnvelopeView:
        """Return one envelope with its history. Raises NotFoundError."""
        with self.store.read() as connection:
            row = envelopes.get(connection, uuid)
            arrivals = envelopes.arrivals(connection, uuid)
            return envelope_view(row, arrivals, envelopes.events(connection, uuid), self._name)

    def envelope_xml(self, uuid: UUID) -> bytes:
        """Return an envelope's XML as it is now. Raises NotFoundError."""
        with self.store.read() as connection:
            return self.store.blobs.read(connection, envelopes.get(connection, uuid).sha256)

    def send(self, mailbox: str, name: str, content: bytes) -> UUID:
        """Accept an envelope's XML as if it were uploaded to the mailbox's `outbox/`; return the receipt's UUID."""
        sealed = self.store.blobs.seal(content)
        receipt = Receipt(
            mailbox=self._mailbox_uuid(mailbox),
            channel="admin",
            native=True,
            name=name,
            sha256=sealed.sha256,
            size=sealed.size,
        )
        with self.store.write() as tx:
            self.store.blobs.put(tx, sealed)
            accept(tx, receipt)
        return receipt.uuid

    def complete(self, uuid: UUID, mailbox: str) -> None:
        """Complete an envelope as one of its recipients."""
        closing.complete(self.store, uuid, self._mailbox_uuid(mailbox))

    def reject(self, uuid: UUID, mailbox: str, reason: str) -> None:
        """Reject an envelope as one of its recipients."""
        closing.reject(self.store, uuid, self._mailbox_uuid(mailbox), reason)

    # --- names ---------------------------------------------------------------------------------------------------

    @cached_property
    def _directory(self) -> Directory:
        return Directory(self.store)

    def _snapshot(self) -> Snapshot:
        return self._directory.current()

    def _name(self, mailbox: UUID) -> str:
        return str(self._snapshot().keys.get(mailbox, mailbox))

    def _mailbox(self, address: str) -> Key:
        """Return the mailbox at or above an address. Raises NotFoundError when it is no live mailbox's."""
        try:
            key = Key.parse(address).mailbox_key
        except ValueError as error:
            raise NotFoundError(str(error)) from None
        if key is None or key not in self._snapshot().state:
            raise NotFoundError(f"{address} is no live mailbox. See: reconciler show")
        return key

    def _mailbox_uuid(self, address: str) -> UUID:
        uuid = self._snapshot().uuid(self._mailbox(address))
        if uuid is None:
            raise NotFoundError(f"{address} is no live mailbox. See: reconciler show")
        return uuid
