"""The file that an IN rule makes of an envelope: its bytes, its name, what kind it is."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from mimetypes import guess_type
from secrets import randbelow
from uuid import UUID

from reconciler.conversion import naming
from reconciler.conversion.archive import pack
from reconciler.conversion.converter import Converter, InConversion
from reconciler.envelope import xml
from reconciler.jobs.directory import Snapshot
from reconciler.jobs.lookups import MailboxLookups
from reconciler.model.rule import ArchivePart, Rule
from reconciler.store import envelopes
from reconciler.store.database import Store
from reconciler.store.envelopes import StoredEnvelope

RANDOM_NUMBERS = 10**9
"""One more than the largest `{randomNumber}` of a name pattern."""

ARCHIVE_PATTERN = "{envelopeUuid}.zip"


@dataclass(frozen=True, slots=True)
class PartnerFile:
    """A file for a partner, and what the map said while making it, and the attributes that the rule gives it."""

    name: str
    content: bytes
    content_type: str
    messages: tuple[str, ...]
    attributes: Mapping[str, str]


class PartnerFileMaker:
    """Makes partner files by the rules' maps, in the conversion's workers."""

    def __init__(self, store: Store, converter: Converter) -> None:
        self._store = store
        self._converter = converter

    def make(self, row: StoredEnvelope, content: bytes, mailbox: UUID, snapshot: Snapshot, rule: Rule) -> PartnerFile:
        """Return what the rule makes of an envelope. Raises ConversionError, or BlobError for a damaged attachment."""
        default = ARCHIVE_PATTERN if rule.convert is None else naming.DEFAULT_PATTERN
        pattern = naming.parse(rule.name_pattern or default)
        messages: tuple[str, ...] = ()
        attributes: Mapping[str, str] = {}
        if rule.convert is None:
            made = archive(self._store, row, content, rule.archive.exclude if rule.archive else ())
            texts = xml.parse(content).field_texts(pattern.fields) if pattern.fields else {}
        else:
            request = InConversion.by(rule, content, sender_mailbox=row.sender, fields=pattern.fields)
            converted = self._converter.convert_in(request, MailboxLookups(self._store, snapshot, mailbox))
            made, messages, attributes = converted.results[0], converted.messages, converted.attributes
            texts = converted.fields
        definition = snapshot.template(row.template)
        name = naming.render(
            pattern,
            texts=texts,
            mailbox_uuid=mailbox,
            envelope_uuid=row.uuid,
            template_uuid=row.template_uuid,
            now=datetime.now(UTC),
            random_number=randbelow(RANDOM_NUMBERS),
            types=definition.field_type if definition else None,
        )
        return PartnerFile(name, made, guess_type(name)[0] or "application/octet-stream", messages, attributes)


def archive(store: Store, row: StoredEnvelope, content: bytes, exclude: Collection[ArchivePart] = ()) -> bytes:
    """Return the zip of an envelope: its XML, its attachments, its history. Raises BlobError."""
    with store.read() as connection:
        attached = [
            (attachment.name, store.blobs.read(connection, attachment.sha256))
            for attachment in envelopes.attachments(connection, row.uuid)
        ]
        history = envelopes.events(connection, row.uuid)
    trail = "".join(
        f"{event.at.isoformat()}\t{event.what}\t{event.mailbox or ''}\t{event.message}\n" for event in history
    )
    return pack(envelope_uuid=row.uuid, xml=content, attachments=attached, audit=trail.encode(), exclude=exclude)
