"""Everything that is done to a gateway through its store, in the words of the domain."""

from functools import cached_property
from uuid import UUID

from reconciler.apply.run import Origin, rotate, run
from reconciler.desired.load import Project
from reconciler.errors import NotFoundError, ReconcilerError
from reconciler.jobs import closing, reprocessing
from reconciler.jobs.acceptance import accept
from reconciler.jobs.directory import Directory, Snapshot
from reconciler.jobs.partner_file import archive
from reconciler.live import history
from reconciler.live.at_hand import AtHand
from reconciler.live.history import Drift
from reconciler.live.views import ConnectionDetails, EnvelopeView, LiveResource, LogPart, LogRecord
from reconciler.model.integration import Integration
from reconciler.model.key import Key, Kind
from reconciler.model.rule import Rule
from reconciler.model.source_file import digest
from reconciler.model.state import State
from reconciler.plan.change import Update
from reconciler.plan.plan import Plan
from reconciler.service.connection import connection_details
from reconciler.service.views import envelope_view, log_record
from reconciler.store import configuration, conversions, envelopes, exchanges, posts
from reconciler.store.database import Store
from reconciler.store.forgetting import FORGOTTEN
from reconciler.store.receipts import Receipt
from reconciler.store.search import LogFilter

DRIFT_PATIENCE = 0.05
"""Seconds that a page waits for the drift of a revision that is new."""


class Operating:
    """What commands, the admin API and the pages do to a gateway whose store is at hand."""

    project: Project
    _kinds: tuple[int, dict[Kind, list[Key]]] = (-1, {})

    @cached_property
    def store(self) -> Store:
        """The gateway's store."""
        raise NotImplementedError

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

    def of_kind(self, kind: Kind, *, account: str | None, offset: int, limit: int) -> list[LiveResource]:
        """Return some of the live resources of a kind, of one account or of all."""
        snapshot = self._snapshot()
        if self._kinds[0] != snapshot.revision:
            by_kind: dict[Kind, list[Key]] = {}
            for key in snapshot.state.resources:
                by_kind.setdefault(key.kind, []).append(key)
            self._kinds = (snapshot.revision, by_kind)
        keys = self._kinds[1].get(kind, [])
        if account is not None:
            keys = [key for key in keys if key.account == account]
        state = snapshot.state.resources
        return [LiveResource(key, state[key], snapshot.uuid(key)) for key in keys[offset : offset + limit]]

    def one(self, kind: Kind, address: str) -> LiveResource:
        """Return the live resource at an address. Raises NotFoundError."""
        snapshot, key = self._snapshot(), _key(address)
        found = snapshot.state.get(key)
        if found is None or key.kind is not kind:
            raise NotFoundError(f"There is no {kind} {address}.")
        return LiveResource(key, found, snapshot.uuid(key))

    def file(self, address: str, sha256: str) -> bytes:
        """Return the content of a file that the live resource at an address names. Raises NotFoundError."""
        key = _key(address)
        found = self._snapshot().state.get(key)
        if found is None or sha256 not in State({key: found}).hashes():
            raise NotFoundError(f"Nothing that is live at {address} names a file {sha256}.")
        return self._directory.content(sha256)

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
            record = conversions.get(connection, uuid)
            message_id = post.message_id if post else posts.received_as(connection, record)
            found = exchanges.of_message(connection, record.mailbox, message_id) if message_id else ()
            return log_record(record, self._name, post, found)

    def log_payload(self, uuid: UUID, part: LogPart) -> bytes:
        """Return a part of a record. Raises NotFoundError when it has none."""
        with self.store.read() as connection:
            record = conversions.get(connection, uuid)
            if part == "messages":
                return "".join(f"{message}\n" for message in record.messages).encode()
            name = {"input": record.input, "source": record.source, "output": record.output}[part]
            if name is None:
                raise NotFoundError(f"Record {uuid} has no {part}.")
            if name == digest(FORGOTTEN):
                raise NotFoundError(f"The {part} of record {uuid} was forgotten; see retention in reconciler.yaml.")
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

    def envelope_archive(self, uuid: UUID) -> bytes:
        """Return an envelope's archive: its XML, its attachments, its history."""
        with self.store.read() as connection:
            row = envelopes.get(connection, uuid)
            content = self.store.blobs.read(connection, row.sha256)
        return archive(self.store, row, content)

    # --- past the configuration ----------------------------------------------------------------------------------

    def switch(self, address: str, *, on: bool, actor: str, reason: str) -> None:
        """Switch an integration or a rule on or off past the configuration, which is drift until that says the same.

        Raises NotFoundError, and ReconcilerError when it is switched so already.
        """
        snapshot = self._snapshot()
        key = _key(address)
        match old := snapshot.state.get(key):
            case Integration():
                new: Integration | Rule = old.model_copy(update={"enabled": on})
            case Rule():
                new = old.model_copy(update={"active": on})
            case _:
                raise NotFoundError(f"{address} is no live integration or rule.")
        if new == old:
            raise ReconcilerError(f"{address} is {'on' if on else 'off'} already.")
        run(
            self.store,
            Plan((Update(key, old, new),), snapshot.revision),
            {},
            actor=actor,
            origin=Origin(by_hand=reason),
        )

    def origin(self, key: Key) -> tuple[str, str]:
        """Return where a resource is written, as file:line, and the commit that was applied; empty when unknown."""
        with self.store.read() as connection:
            return configuration.origin(connection, key)

    def drift(self) -> list[Drift]:
        """Return where the live side is not what was last applied."""
        return self._drift.now()

    def drift_soon(self) -> list[Drift] | None:
        """Return the drift; None while finding it out takes longer than a page may wait."""
        return self._drift.within(DRIFT_PATIENCE)

    def drift_at_hand(self) -> list[Drift]:
        """Return the drift as it was found last, if finding it out anew takes longer than a page may wait.

        It takes seconds once a revision where there are ten thousand mailboxes, and milliseconds where there are few.
        """
        return self._drift.within(DRIFT_PATIENCE) or self._drift.last() or []

    @cached_property
    def _drift(self) -> AtHand[list[Drift]]:
        def find() -> list[Drift]:
            with self.store.read() as connection:
                return history.drift(connection)

        return AtHand(lambda: self._snapshot().revision, find)

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
        key = _key(address).mailbox_key
        if key is None or key not in self._snapshot().state:
            raise NotFoundError(f"{address} is no live mailbox. See: reconciler show")
        return key

    def _mailbox_uuid(self, address: str) -> UUID:
        uuid = self._snapshot().uuid(self._mailbox(address))
        if uuid is None:
            raise NotFoundError(f"{address} is no live mailbox. See: reconciler show")
        return uuid


def _key(address: str) -> Key:
    try:
        return Key.parse(address)
    except ValueError as error:
        raise NotFoundError(str(error)) from None
