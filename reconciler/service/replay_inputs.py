"""What can be replayed: the inputs that the store keeps, and samples in a folder."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

from reconciler.envelope import xml
from reconciler.errors import ConversionError, NotFoundError
from reconciler.jobs.directory import Snapshot
from reconciler.model.key import Key
from reconciler.model.rule import Direction
from reconciler.model.source_file import digest
from reconciler.store import envelopes, receipts
from reconciler.store.database import Store
from reconciler.store.envelopes import StoredEnvelope
from reconciler.store.receipts import Receipt


@dataclass(frozen=True, slots=True)
class FileInput:
    """A partner's file for a mailbox."""

    mailbox: UUID
    receipt: Receipt
    read: Callable[[], bytes]

    @property
    def name(self) -> str:
        """What it is called in the impact."""
        return self.receipt.name


@dataclass(frozen=True, slots=True)
class EnvelopeInput:
    """An envelope that arrived in a mailbox."""

    mailbox: UUID
    row: StoredEnvelope
    read: Callable[[], bytes]
    sample: str = ""

    @property
    def name(self) -> str:
        """What it is called in the impact."""
        return self.sample or str(self.row.uuid)


ReplayInput = FileInput | EnvelopeInput


def stored(store: Store, span: timedelta) -> Iterator[ReplayInput]:
    """Yield what came in the last time of this length, files first, oldest first."""
    since = datetime.now(UTC) - span
    with store.read() as connection:
        files = receipts.since(connection, since)
        arrived = envelopes.arrived_since(connection, since)
    for receipt in files:
        yield FileInput(receipt.mailbox, receipt, partial(_read, store, receipt.sha256))
    for mailbox, row in arrived:
        yield EnvelopeInput(mailbox, row, partial(_read, store, row.sha256))


def _read(store: Store, sha256: str) -> bytes:
    with store.read() as connection:
        return store.blobs.read(connection, sha256)


def samples(folder: Path, snapshots: Iterable[Snapshot]) -> Iterator[ReplayInput]:
    """Yield the samples of a folder.

    A file in `ADDRESS/` or `ACCOUNT/MAILBOX/` is a partner's for that mailbox; in `inbox/` there, an envelope that
    arrives, in `outbox/`, one that is sent as it is. A file at the top is tried in every mailbox that takes files.
    Raises NotFoundError for a folder of no mailbox, and ConversionError for an envelope that is none.
    """
    uuids = {key: uuid for snapshot in snapshots for uuid, key in snapshot.keys.items()}
    takers = sorted(uuids[key] for key in uuids if any(_takes_files(snapshot, uuids[key]) for snapshot in snapshots))
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")):
        parts = path.relative_to(folder).parts
        if len(parts) == 1:
            yield from (_file(uuid, path, native=False) for uuid in takers)
            continue
        mailbox, rest = _mailbox_of(parts[:-1])
        if mailbox not in uuids:
            raise NotFoundError(
                f"{path}: there is no mailbox {mailbox}; a sample lies in ACCOUNT/MAILBOX/ or at the top."
            )
        if rest == ("inbox",):
            yield _envelope(uuids[mailbox], path)
        else:
            yield _file(uuids[mailbox], path, native=rest == ("outbox",))


def _takes_files(snapshot: Snapshot, mailbox: UUID) -> bool:
    return any(rule.direction is Direction.OUT for _, rule in snapshot.exchange(mailbox).rules)


def _mailbox_of(folders: tuple[str, ...]) -> tuple[Key, tuple[str, ...]]:
    if folders[0].startswith("accounts."):
        return Key(tuple(folders[0].split("."))), folders[1:]
    if len(folders) == 1:
        return Key(("accounts", folders[0])), ()
    return Key.of_account(folders[0]).mailbox(folders[1]), folders[2:]


def _file(mailbox: UUID, path: Path, *, native: bool) -> FileInput:
    content = path.read_bytes()
    receipt = Receipt(
        mailbox=mailbox, channel="sftp", native=native, name=path.name, sha256=digest(content), size=len(content)
    )
    return FileInput(mailbox, receipt, lambda: content)


def _envelope(mailbox: UUID, path: Path) -> EnvelopeInput:
    content = path.read_bytes()
    try:
        envelope = xml.parse(content)
    except ConversionError as error:
        raise ConversionError(error.code, f"{path}: {error}") from error
    now = datetime.now(UTC)
    row = StoredEnvelope(
        uuid=uuid4(),
        template_uuid=envelope.template.uuid,
        template_version=envelope.template.version,
        sender=next((role.mailbox_uuid for role in envelope.roles if role.mailbox_uuid), UUID(int=0)),
        status=envelope.state.status.value,
        subject=envelope.subject,
        reason="",
        sha256=digest(content),
        created_at=now,
        changed_at=now,
    )
    return EnvelopeInput(mailbox, row, lambda: content, sample=path.name)
