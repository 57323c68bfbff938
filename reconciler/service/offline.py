"""Conversions by the rules of a configuration alone: the real converter; no envelope or record is read or written."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import assert_never
from uuid import UUID, uuid5

from lxml import etree

from reconciler.conversion.converter import Converted, Converter, InConversion, OutConversion
from reconciler.conversion.dictionary import Dictionaries, Table
from reconciler.desired.source_files import SourceFiles, find_directories
from reconciler.envelope import xml
from reconciler.envelope.check import EnvelopeFault, check_envelope
from reconciler.envelope.template import TemplateDefinition, parse_template
from reconciler.errors import ConversionError
from reconciler.model.dictionary import Dictionary
from reconciler.model.key import Key
from reconciler.model.mailbox import Mailbox
from reconciler.model.rule import Direction, Rule, SourceFormat
from reconciler.model.source_file import ContentReader
from reconciler.model.state import State
from reconciler.model.template import Template
from reconciler.model.template_ref import TemplateRef

_MAILBOXES = UUID("6a0f4bd3-2f62-4f0c-8f4e-5d1c7b5f9e21")
"""Mailboxes have UUIDs made of this and their addresses, so that what comes out stays the same everywhere."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a rule made of a file, and why the gateway would not send it."""

    converted: Converted
    faults: tuple[EnvelopeFault, ...] = ()


class Offline:
    """What maps can ask for, made of a configuration alone: of a state and the contents of its files."""

    def __init__(self, state: State, content: ContentReader) -> None:
        self._state = state
        self._content = content

    def rule(self, address: str) -> tuple[Key, Rule]:
        """Return a rule by its address. Raises ConversionError `rule_unknown`."""
        rules = {str(key): (key, rule) for key, rule in self._state.of(Rule)}
        if address not in rules:
            known = ", ".join(rules) or "none"
            raise ConversionError("rule_unknown", f"there is no rule {address}; there are: {known}")
        return rules[address]

    def convert(
        self, key: Key, file_name: str, payload: bytes, converter: Converter, *, mailbox: str | None = None
    ) -> Outcome:
        """Return what the rule at `key` makes of a file (OUT) or of an envelope (IN). Raises ConversionError.

        A rule of an account converts in its mailbox of the name `mailbox`, in its first one by name when None.
        """
        rule = self._state.get(key)
        if not isinstance(rule, Rule) or rule.convert is None:
            raise ConversionError("rule_incomplete", "a rule that delivers an archive converts nothing")
        converting = uuid_of(self._mailbox(key, mailbox))
        lookups = _Lookups(self, str(key.account))
        match rule.direction:
            case Direction.OUT:
                out = OutConversion.by(rule, payload, file_name=file_name, sender_mailbox=converting)
                converted = converter.convert_out(out, lookups)
                return Outcome(converted, tuple(self._faults(converted, rule, converting)))
            case Direction.IN:
                envelope = xml.parse(payload)
                sender = envelope.roles[0].mailbox_uuid if envelope.roles else None
                into = InConversion.by(rule, payload, sender_mailbox=sender or converting)
                return Outcome(converter.convert_in(into, lookups))
            case _:
                assert_never(rule.direction)

    def template(self, address: str) -> bytes:
        """Return the XML of a template by its address. Raises ConversionError `template_unknown`."""
        templates = {str(key): template for key, template in self._state.of(Template)}
        if address not in templates:
            known = ", ".join(templates) or "none"
            raise ConversionError("template_unknown", f"there is no template {address}; there are: {known}")
        return self._content(templates[address].file.sha256)

    def converter(self) -> Converter:
        """Return a converter of what the configuration's files hold; to be closed."""
        return Converter(self._content)

    def definition(self, ref: TemplateRef) -> TemplateDefinition | None:
        """Return what envelopes of a template are made of, or None when the configuration does not declare it."""
        template = self._templates.get(ref)
        return None if template is None else parse_template(self._content(template.file.sha256))

    def _faults(self, converted: Converted, rule: Rule, sender: UUID) -> Iterator[EnvelopeFault]:
        for result in converted.results:
            yield from check_envelope(
                xml.parse(result),
                template=rule.template,
                definition=self.definition(rule.template),
                mailbox_exists=lambda _: True,
                sender=sender,
            )

    @cached_property
    def _templates(self) -> Mapping[TemplateRef, Template]:
        return {template.ref: template for _, template in self._state.of(Template)}

    def _mailbox(self, rule: Key, name: str | None) -> Key:
        key = rule.mailbox_key
        account = Key(rule.path[:2])
        if key is None and name is not None:
            key = account.mailbox(name)
            if key not in self._state:
                raise ConversionError("mailbox_unknown", f"there is no mailbox {key}")
        if key is None:
            mailboxes = (mailbox for mailbox, _ in self._state.of(Mailbox) if mailbox.owner == account)
            key = min(mailboxes, default=account)
        return key

    @cached_property
    def aliases(self) -> Mapping[str, list[UUID]]:
        """The mailboxes by alias, with and without its qualifier."""
        found: dict[str, list[UUID]] = {}
        for key, mailbox in self._state.of(Mailbox):
            for alias in mailbox.aliases:
                for name in {alias, alias.partition(":")[2]}:
                    found.setdefault(name, []).append(uuid_of(key))
        return found

    def dictionaries(self, account: str) -> Dictionaries:
        """Return the dictionaries of an account."""
        return Dictionaries(
            (dictionary.uuid, key.name, Table.parse(self._content(dictionary.file.sha256)))
            for key, dictionary in self._state.of(Dictionary)
            if key.account == account
        )


class _Lookups:
    """Answers a map of one account. There are no envelopes."""

    def __init__(self, offline: Offline, account: str) -> None:
        self._offline = offline
        self._account = account

    @cached_property
    def _dictionaries(self) -> Dictionaries:
        return self._offline.dictionaries(self._account)

    def dictionary_value(self, dictionary: str, column_of_value: str, value: str, column_to_find: str) -> str | None:
        return self._dictionaries.table(dictionary).value(column_of_value, value, column_to_find)

    def dictionary_record(self, dictionary: str, column: str, value: str) -> str | None:
        return self._dictionaries.table(dictionary).record(column, value)

    def mailbox_by_alias(self, alias: str) -> str | None:
        found = self._offline.aliases.get(alias, [])
        if len(found) > 1:
            raise ConversionError("alias_ambiguous", f"the alias '{alias}' names {len(found)} mailboxes")
        return str(found[0]) if found else None

    def envelope_by_field(self, template: str, field: str, value: str) -> str | None:
        del template, field, value
        return None


def uuid_of(mailbox: Key) -> UUID:
    """Return the UUID that a mailbox has offline."""
    return uuid5(_MAILBOXES, str(mailbox))


def source_xml(payload: bytes, *, file_name: str, source: SourceFormat | None, root: Path | None) -> bytes:
    """Return a file as the XML that a map sees, indented unless it is XML already. Raises ConversionError.

    `root` is the configuration whose tables of EDIFACT messages are used, None when there is none.
    """
    files = SourceFiles(root or Path())
    tables = [files.reader("")(path) for path in find_directories(root)] if root is not None else []
    with Converter(files.content) as converter:
        made = converter.to_source_xml(payload, file_name=file_name, source=source, directories=tables)
    if made == payload:
        return made
    tree = etree.fromstring(made)
    etree.indent(tree)
    return etree.tostring(tree, encoding="UTF-8", xml_declaration=True) + b"\n"
