"""What the admin API and the pages ask of the gateway they are part of; the service's workspace does it."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from reconciler.live.history import Drift
from reconciler.live.status import Status
from reconciler.live.views import ConnectionDetails, EnvelopeView, LiveResource, LogPart, LogRecord
from reconciler.model.key import Key, Kind


class Operations(Protocol):
    """Everything that can be done to a gateway. Each raises ReconcilerError with the reason when it cannot be."""

    def show(self, address: str | None) -> Sequence[LiveResource]:
        """Return what is live at and below an address, or everything."""
        ...

    def of_kind(self, kind: Kind, *, account: str | None, offset: int, limit: int) -> Sequence[LiveResource]:
        """Return some of the live resources of a kind, of one account or of all."""
        ...

    def one(self, kind: Kind, address: str) -> LiveResource:
        """Return the live resource at an address."""
        ...

    def file(self, address: str, sha256: str) -> bytes:
        """Return the content of a file that the live resource at an address names."""
        ...

    def credentials(self, address: str) -> ConnectionDetails:
        """Return a mailbox's connection details, secrets included."""
        ...

    def rotate(self, address: str, *, actor: str) -> Sequence[Key]:
        """Replace the credentials at and below an address by new ones, at once; return which."""
        ...

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
    ) -> Sequence[LogRecord]:
        """Return the newest records of the conversion log, those left out that the filters do not want."""
        ...

    def log_record(self, uuid: UUID) -> LogRecord:
        """Return one record of the conversion log."""
        ...

    def log_payload(self, uuid: UUID, part: LogPart) -> bytes:
        """Return a part of a record."""
        ...

    def reprocess(self, uuid: UUID) -> None:
        """Have a FAILED record run again by the gateway."""
        ...

    def envelopes(
        self,
        *,
        mailbox: str | None = None,
        account: str | None = None,
        status: str | None = None,
        subject: str = "",
        offset: int = 0,
        limit: int = 50,
    ) -> Sequence[EnvelopeView]:
        """Return the newest envelopes, those left out that the filters do not want."""
        ...

    def envelope(self, uuid: UUID) -> EnvelopeView:
        """Return one envelope with its history."""
        ...

    def envelope_xml(self, uuid: UUID) -> bytes:
        """Return an envelope's XML as it is now."""
        ...

    def envelope_archive(self, uuid: UUID) -> bytes:
        """Return an envelope's archive: its XML, its attachments, its history."""
        ...

    def send(self, mailbox: str, name: str, content: bytes) -> UUID:
        """Accept an envelope's XML as if it were uploaded to the mailbox's `outbox/`; return the receipt's UUID."""
        ...

    def complete(self, uuid: UUID, mailbox: str) -> None:
        """Complete an envelope as one of its recipients."""
        ...

    def reject(self, uuid: UUID, mailbox: str, reason: str) -> None:
        """Reject an envelope as one of its recipients."""
        ...

    def switch(self, address: str, *, on: bool, actor: str, reason: str) -> None:
        """Switch an integration or a rule on or off past the configuration, which is drift until that says the same."""
        ...

    def status(self) -> Status:
        """Return how the gateway is."""
        ...

    def drift_at_hand(self) -> Sequence[Drift]:
        """Return the drift, as it was found last if finding it out anew takes longer than a page may wait."""
        ...

    def drift_soon(self) -> Sequence[Drift] | None:
        """Return the drift; None while finding it out takes longer than a page may wait."""
        ...

    def drift(self) -> Sequence[Drift]:
        """Return where the live side is not what was last applied."""
        ...
