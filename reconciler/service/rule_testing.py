"""Running the tests that stand beside rules: the real conversion, offline; nothing live is read or written."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from time import perf_counter
from typing import assert_never
from uuid import UUID, uuid5

from lxml import etree

from reconciler.conversion.converter import Converted, Converter, InConversion, OutConversion
from reconciler.conversion.dictionary import Dictionaries, Table
from reconciler.desired.load import Desired
from reconciler.desired.rule_tests import RuleTest
from reconciler.envelope import xml
from reconciler.envelope.check import check_envelope
from reconciler.envelope.template import TemplateDefinition, parse_template
from reconciler.errors import ConversionError
from reconciler.model.dictionary import Dictionary
from reconciler.model.key import Key
from reconciler.model.mailbox import Mailbox
from reconciler.model.rule import Direction, Rule
from reconciler.model.template import Template, TemplateRef

_MAILBOXES = UUID("6a0f4bd3-2f62-4f0c-8f4e-5d1c7b5f9e21")
"""Mailboxes have UUIDs made of this and their addresses, so that what is expected stays the same everywhere."""
_ENVELOPES = b"envelopes"


@dataclass(frozen=True, slots=True)
class RuleTestResult:
    """What became of a test: `fault` is empty when it passed; `diff` shows what came out otherwise."""

    test: RuleTest
    seconds: float
    fault: str = ""
    diff: str = ""
    updated: bool = False


def run_tests(desired: Desired, *, only: str, update: bool) -> Iterator[RuleTestResult]:
    """Yield the results of the tests of the rules at and below an address, in order; all tests without one.

    With `update`, what is expected is written instead of compared.
    """
    world = _World(desired)
    with Converter(desired.files.__getitem__) as converter:
        for test in desired.tests:
            if only and not f"{test.rule}.".startswith(f"{only}."):
                continue
            began = perf_counter()
            fault, diff, updated = _run(test, world, converter, update=update)
            yield RuleTestResult(test, perf_counter() - began, fault, diff, updated)


def _run(test: RuleTest, world: "_World", converter: Converter, *, update: bool) -> tuple[str, str, bool]:
    """Return what is wrong, the difference, and whether what is expected was written."""
    try:
        made = world.convert(test, converter)
    except ConversionError as error:
        expected = test.error is not None and (test.error == error.code or test.error in str(error))
        return ("" if expected else f"failed: {error} ({error.code})"), "", False
    if test.expect is None:
        return f"converted, but expected to fail: {test.error}", "", False
    path = world.root / test.expect
    if update:
        changed = not path.exists() or path.read_bytes() != made
        if changed:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(made)
        return "", "", changed
    try:
        expected_bytes = path.read_bytes()
    except OSError as error:
        mend = "write it with: reconciler test --update"
        return f"what is expected cannot be read: {test.expect}: {error.strerror}; {mend}", "", False
    diff = _diff(expected_bytes, made, test.expect)
    return ("what came out differs" if diff else ""), diff, False


class _World:
    """What maps can ask for, made of the configuration alone."""

    def __init__(self, desired: Desired) -> None:
        self._desired = desired
        self.root = desired.project.root.resolve()

    def convert(self, test: RuleTest, converter: Converter) -> bytes:
        """Return what the rule makes of the input. Raises ConversionError."""
        rule = self._desired.state.get(test.rule)
        if not isinstance(rule, Rule) or rule.convert is None:
            raise ConversionError("rule_incomplete", "a rule that delivers an archive converts nothing")
        mailbox = self._mailbox(test)
        lookups = _Lookups(self, str(test.rule.account))
        match rule.direction:
            case Direction.OUT:
                out = OutConversion(
                    payload=test.payload,
                    file_name=test.file_name,
                    source=rule.source,
                    stylesheet=rule.convert,
                    validation=rule.validation,
                    sender_mailbox=mailbox,
                    template=rule.template,
                    multiple_envelopes=rule.multiple_envelopes,
                    attributes=rule.attributes,
                    directories=rule.directories,
                )
                converted = converter.convert_out(out, lookups)
                self._check(converted, rule, mailbox)
            case Direction.IN:
                envelope = xml.parse(test.payload)
                sender = envelope.roles[0].mailbox_uuid if envelope.roles else None
                into = InConversion(
                    envelope=test.payload,
                    stylesheet=rule.convert,
                    validation=rule.validation,
                    sender_mailbox=sender or mailbox,
                    template=rule.template,
                    attributes=rule.attributes,
                )
                converted = converter.convert_in(into, lookups)
            case _:
                assert_never(rule.direction)
        return _comparable(converted)

    def _check(self, converted: Converted, rule: Rule, sender: UUID) -> None:
        for result in converted.results:
            faults = check_envelope(
                xml.parse(result),
                template=rule.template,
                definition=self._definition(rule.template),
                mailbox_exists=lambda _: True,
                sender=sender,
            )
            if faults:
                raise ConversionError(faults[0].code, "; ".join(map(str, faults)))

    def _definition(self, ref: TemplateRef) -> TemplateDefinition | None:
        template = self._templates.get(ref)
        return None if template is None else parse_template(self._desired.files[template.file.sha256])

    @cached_property
    def _templates(self) -> Mapping[TemplateRef, Template]:
        return {template.ref: template for _, template in self._desired.state.of(Template)}

    def _mailbox(self, test: RuleTest) -> UUID:
        key = test.rule.mailbox_key
        account = Key(test.rule.path[:2])
        if key is None and test.mailbox is not None:
            key = account.mailbox(test.mailbox)
            if key not in self._desired.state:
                raise ConversionError("mailbox_unknown", f"there is no mailbox {key}")
        if key is None:
            mailboxes = (mailbox for mailbox, _ in self._desired.state.of(Mailbox) if mailbox.owner == account)
            key = next(mailboxes, account)
        return uuid_of(key)

    @cached_property
    def aliases(self) -> Mapping[str, list[UUID]]:
        """The mailboxes by alias, with and without its qualifier."""
        found: dict[str, list[UUID]] = {}
        for key, mailbox in self._desired.state.of(Mailbox):
            for alias in mailbox.aliases:
                for name in {alias, alias.partition(":")[2]}:
                    found.setdefault(name, []).append(uuid_of(key))
        return found

    def dictionaries(self, account: str) -> Dictionaries:
        """Return the dictionaries of an account."""
        return Dictionaries(
            (dictionary.uuid, key.name, Table.parse(self._desired.files[dictionary.file.sha256]))
            for key, dictionary in self._desired.state.of(Dictionary)
            if key.account == account
        )


class _Lookups:
    """Answers a map of one account. There are no envelopes."""

    def __init__(self, world: _World, account: str) -> None:
        self._world = world
        self._account = account

    @cached_property
    def _dictionaries(self) -> Dictionaries:
        return self._world.dictionaries(self._account)

    def dictionary_value(self, dictionary: str, column_of_value: str, value: str, column_to_find: str) -> str | None:
        return self._dictionaries.table(dictionary).value(column_of_value, value, column_to_find)

    def dictionary_record(self, dictionary: str, column: str, value: str) -> str | None:
        return self._dictionaries.table(dictionary).record(column, value)

    def mailbox_by_alias(self, alias: str) -> str | None:
        found = self._world.aliases.get(alias, [])
        if len(found) > 1:
            raise ConversionError("alias_ambiguous", f"the alias '{alias}' names {len(found)} mailboxes")
        return str(found[0]) if found else None

    def envelope_by_field(self, template: str, field: str, value: str) -> str | None:
        del template, field, value
        return None


def uuid_of(mailbox: Key) -> UUID:
    """Return the UUID that a mailbox has in tests."""
    return uuid5(_MAILBOXES, str(mailbox))


def _comparable(converted: Converted) -> bytes:
    """Return what came out as one file, with UUIDs that are new each time replaced by numbers."""
    results = converted.results
    made = results[0] if len(results) == 1 else _together(results)
    for number, uuid in enumerate(converted.attachments, 1):
        made = made.replace(uuid.encode(), str(UUID(int=number)).encode())
    return made


def _together(results: Iterable[bytes]) -> bytes:
    declarations = re.compile(rb"\A\s*<\?xml[^>]*\?>\s*")
    inside = b"\n".join(declarations.sub(b"", result) for result in results)
    return b"<%s>\n%s\n</%s>\n" % (_ENVELOPES, inside, _ENVELOPES)


def _diff(expected: bytes, made: bytes, name: str) -> str:
    """Return a unified diff; of XML, it is one of its canonical form, indented. Empty when nothing differs."""
    if expected == made:
        return ""
    before, after = _lines(expected), _lines(made)
    if before == after:
        return ""
    return "\n".join(difflib.unified_diff(before, after, f"{name} (expected)", "(converted)", lineterm=""))


def _lines(content: bytes) -> list[str]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_blank_text=True)
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError):
        return content.decode(errors="replace").splitlines()
    etree.indent(root)
    return etree.tostring(root, method="c14n2").decode().splitlines()
