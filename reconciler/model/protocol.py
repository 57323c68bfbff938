"""What a protocol tells the configuration about itself."""

from collections.abc import Mapping
from typing import Self

from reconciler.model.credential import Credential
from reconciler.model.key import Key
from reconciler.model.noun import Noun


class ProtocolSettings(Noun):
    """A protocol's section of an integration, as an author writes it.

    A protocol subclasses it in its own folder; the loader validates the YAML section with that class, so its field
    names, types, defaults and descriptions are the language of the section and of its JSON Schema.
    """

    def completed(self, mailbox: Key) -> Self:
        """Return the settings with the defaults filled in that depend on the mailbox."""
        del mailbox
        return self

    def credentials(self, mailbox: Key) -> Mapping[str, Credential]:
        """Return what is to be generated for a mailbox with these settings, by name."""
        raise NotImplementedError

    def missing(self) -> Mapping[str, str]:
        """Return what an enabled integration still lacks: the field's name → what to write and why."""
        return {}

    def identity(self) -> tuple[str, ...] | None:
        """Return what tells this partner from all others; no two enabled integrations of a protocol have the same.

        None when the mailbox itself does.
        """
        return None


ProtocolRegistry = Mapping[str, type[ProtocolSettings]]
"""A protocol's name, as in `protocol: sftp` → the class of its section."""
