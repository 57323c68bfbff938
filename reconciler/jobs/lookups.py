"""What maps ask of the gateway while they run, answered from the configuration and the envelopes of one mailbox."""

from uuid import UUID

from reconciler.conversion.dictionary import Table
from reconciler.envelope import xml
from reconciler.errors import ConversionError
from reconciler.jobs.directory import Snapshot
from reconciler.store import envelopes
from reconciler.store.database import Store


class MailboxLookups:
    """Answers on behalf of one mailbox: its account's dictionaries, everybody's aliases, its own envelopes."""

    def __init__(self, store: Store, snapshot: Snapshot, mailbox: UUID) -> None:
        self._store = store
        self._snapshot = snapshot
        self._mailbox = mailbox

    def dictionary_value(self, dictionary: str, column_of_value: str, value: str, column_to_find: str) -> str | None:
        """Return the value in one column of the record that has `value` in another."""
        return self._table(dictionary).value(column_of_value, value, column_to_find)

    def dictionary_record(self, dictionary: str, column: str, value: str) -> str | None:
        """Return the UUID of the record that has `value` in `column`."""
        return self._table(dictionary).record(column, value)

    def _table(self, dictionary: str) -> Table:
        key = self._snapshot.keys.get(self._mailbox)
        return self._snapshot.dictionaries(key.account if key and key.account else "").table(dictionary)

    def mailbox_by_alias(self, alias: str) -> str | None:
        """Return the UUID of the mailbox with this alias. Raises ConversionError `alias_ambiguous`."""
        found = self._snapshot.mailboxes_by_alias(alias)
        if len(found) > 1:
            names = ", ".join(sorted(str(self._snapshot.keys[uuid]) for uuid in found))
            raise ConversionError(
                "alias_ambiguous",
                f"the alias '{alias}' names {names}; write it with its qualifier, such as GLN:{alias}",
            )
        return str(found[0]) if found else None

    def envelope_by_field(self, template: str, field: str, value: str) -> str | None:
        """Return the UUID of the envelope, sent or received by this mailbox, whose field has this value, if one has."""
        try:
            template_uuid = UUID(template)
        except ValueError:
            raise ConversionError("template_unknown", f"'{template}' is no template's UUID") from None
        found: list[UUID] = []
        with self._store.read() as connection:
            for row in envelopes.of_template(connection, template_uuid, mailbox=self._mailbox):
                envelope = xml.parse(self._store.blobs.read(connection, row.sha256))
                if any(value in envelope.field_values(document.id, field) for document in envelope.documents):
                    found.append(row.uuid)
        return str(found[0]) if len(found) == 1 else None
