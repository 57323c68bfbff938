"""Validated documents to the resources of one configuration."""

import posixpath
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from reconciler.desired.codes import Code
from reconciler.desired.documents import (
    AccountDocument,
    AccountsDocument,
    MailboxDocument,
    RootDocument,
    RuleDocument,
)
from reconciler.desired.inspection import Inspection
from reconciler.desired.integrations import connected
from reconciler.desired.references import Place, Templates, Unique
from reconciler.desired.rules import misfits, rule_of
from reconciler.desired.sftp_gateway import HostKeys
from reconciler.desired.source_files import SourceFiles
from reconciler.desired.yaml_document import YamlDocument
from reconciler.model.account import Account
from reconciler.model.credential import Credential, CredentialKind
from reconciler.model.dictionary import Dictionary
from reconciler.model.key import Key, sftp_host_key
from reconciler.model.mailbox import Mailbox
from reconciler.model.protocol import ProtocolRegistry
from reconciler.model.state import Resource
from reconciler.model.template import Template, TemplateRef

if TYPE_CHECKING:
    from reconciler.errors import Position, Problem


@dataclass(frozen=True, slots=True)
class _WrittenRule:
    key: Key
    rule: RuleDocument
    position: int
    place: Place


class Assembly:
    """Collects the resources of all documents, and what is wrong between them."""

    def __init__(self, sources: SourceFiles, protocols: ProtocolRegistry, inspection: Inspection) -> None:
        self.resources: dict[Key, Resource] = {}
        self.positions: dict[Key, Position] = {}
        self.problems: list[Problem] = []
        self.renames: dict[Key, Key] = {}
        self.sections: set[tuple[str, ...]] = set()
        """The paths of the sections that are written: what is live in one of them and not in the YAML is left over."""
        self.mailed: Place | None = None
        """The first place where somebody is named whom mail is to be sent to."""
        self._sources = sources
        self._protocols = protocols
        self._inspection = inspection
        self._templates = Templates()
        self._unique = Unique()
        self._rules: list[_WrittenRule] = []
        self._rule_count: Counter[Key] = Counter()
        self._named: dict[Key, Place] = {}
        self._former: dict[Key, Place] = {}

    def declare(self, document: YamlDocument) -> None:
        """Note what a document names, before anything is known to be right."""
        self._templates.declare(document)

    def add(self, document: YamlDocument, content: AccountsDocument | RootDocument) -> None:
        """Take over the accounts of a document."""
        if "accounts" in content.model_fields_set:
            self.sections.add(("accounts",))
        if isinstance(content, RootDocument):
            self._host_keys(content.gateway.sftp.host_keys)
        for name, account in content.accounts.items():
            self._account(Key.of_account(name), account, Place(document, ("accounts", name)))

    def _host_keys(self, keys: HostKeys) -> None:
        """Take over the host keys of the SFTP server; by default they are written nowhere."""
        for name, kind, generations in (
            ("ed25519", CredentialKind.SSH_HOST_KEY, keys.ed25519),
            ("rsa", CredentialKind.SSH_HOST_KEY_RSA, keys.rsa),
            ("ecdsa", CredentialKind.SSH_HOST_KEY_ECDSA, keys.ecdsa),
        ):
            for generation in generations:
                self.resources[sftp_host_key(name, generation)] = Credential(kind=kind)

    def finish(self) -> Mapping[Key, Resource]:
        """Return the resources: rules can name templates of documents that came later."""
        for written in self._rules:
            self._rule(written)
        self.problems += self._templates.problems()
        self._check_renames()
        return self.resources

    def _define(self, key: Key, resource: Resource, place: Place) -> None:
        """Take over a resource that is written in one place only."""
        position = place.position(of_key=True)
        first = self.positions.setdefault(key, position)
        if first is not position:
            message = f"{key} is defined already"
            self.problems.append(place.problem(Code.DUPLICATE_OBJECT, message, of_key=True, also=first))
            return
        self.resources[key] = resource

    def _account(self, key: Key, account: AccountDocument, place: Place) -> None:
        self.positions.setdefault(key, place.position(of_key=True))
        earlier = self.resources.setdefault(key, Account(name=key.name))
        protected = account.protected or (isinstance(earlier, Account) and earlier.protected)
        self.resources[key] = earlier.model_copy(update={"protected": protected})
        self._note_sections(key, account, "templates", "dictionaries", "rules", "mailboxes")
        self._rename(key, account.renamed_from, place)
        if account.name is not None:
            named = self._named.setdefault(key, place)
            if named is not place:
                also = named.below("name").position(of_key=True)
                message = f"{key} has its name already"
                self.problems.append(
                    place.below("name").problem(Code.DUPLICATE_OBJECT, message, of_key=True, also=also)
                )
            self.resources[key] = Account(name=account.name, protected=protected)
        for name, template in account.templates.items():
            where = place.below("templates", name)
            self._define(key.template(name), Template(**dict(template)), where)
            ref = template.ref
            self._templates.refs.setdefault((key.name, name), ref)
            self._claim(Code.DUPLICATE_UUID, ref, f"the UUID and version {ref}", where.below("uuid"))
            self._inspection.file(Code.TEMPLATE, template.file, where.below("file"))
        for name, dictionary in account.dictionaries.items():
            where = place.below("dictionaries", name)
            self._define(key.dictionary(name), Dictionary(**dict(dictionary)), where)
            self._claim(Code.DUPLICATE_UUID, dictionary.uuid, f"the UUID {dictionary.uuid}", where.below("uuid"))
            self._inspection.file(Code.DICTIONARY, dictionary.file, where.below("file"))
        self._written_rules(key, account.rules, place)
        for name, mailbox in account.mailboxes.items():
            self._mailbox(key.mailbox(name), mailbox, place.below("mailboxes", name))

    def _claim(self, code: Code, value: str | TemplateRef | UUID, what: str, place: Place) -> None:
        self.problems += self._unique.claim(code, value, what, place)

    def _mailbox(self, key: Key, mailbox: MailboxDocument, place: Place) -> None:
        aliases = tuple(sorted(mailbox.aliases))
        self._define(key, Mailbox(name=mailbox.name or key.name, aliases=aliases, protected=mailbox.protected), place)
        self._note_sections(key, mailbox, "rules", "integration")
        self._rename(key, mailbox.renamed_from, place)
        for index, alias in enumerate(mailbox.aliases):
            self._claim(Code.DUPLICATE_ALIAS, alias, f"the alias {alias}", place.below("aliases", index))
        self._written_rules(key, mailbox.rules, place)
        if mailbox.integration is None:
            return
        where = place.below("integration")
        read_file = self._sources.reader(posixpath.dirname(place.document.file))
        found, problems = connected(mailbox.integration, key, where, self._protocols, read_file)
        self.problems += problems
        if mailbox.integration.notify_email is not None and self.mailed is None:
            self.mailed = where.below("notify_email")
        if found is None:
            return
        self._define(key.integration, found.integration, where)
        for name, credential in found.credentials.items():
            self._define(key.integration.credential(name), credential, where)
        for file, named in found.files:
            self._inspection.file(Code.CERTIFICATE, file, named)

    def _written_rules(self, owner: Key, rules: Mapping[str, RuleDocument], place: Place) -> None:
        for name, rule in rules.items():
            where = place.below("rules", name)
            self._rules.append(_WrittenRule(owner.rule(name), rule, self._rule_count[owner], where))
            self._rule_count[owner] += 1
            self._rename(owner.rule(name), rule.renamed_from, where)

    def _note_sections(self, key: Key, document: AccountDocument | MailboxDocument, *names: str) -> None:
        self.sections.update((*key.path, name) for name in names if name in document.model_fields_set)

    def _rename(self, key: Key, former: str | None, place: Place) -> None:
        """Note what an object was called before: a name beside it, or an address."""
        if former is None:
            return
        where = place.below("renamed_from")
        try:
            old = Key.parse(former if "." in former else ".".join((*key.path[:-1], former)))
        except ValueError as error:
            self.problems.append(where.problem(Code.BAD_VALUE, str(error)))
            return
        if old.kind is not key.kind or old == key:
            message = f"{old} is not the former name or address of another {key.kind}"
            self.problems.append(where.problem(Code.BAD_VALUE, message))
            return
        self.renames[key] = old
        self._former[key] = where

    def _check_renames(self) -> None:
        """Note former names that are still in use, or that two objects claim."""
        first: dict[Key, Place] = {}
        for key, old in self.renames.items():
            where = self._former[key]
            if old in self.resources:
                message = f"{old} is still in the configuration; remove renamed_from, or the object of the old name"
                self.problems.append(where.problem(Code.BAD_VALUE, message, also=self.positions.get(old)))
            elif first.setdefault(old, where) is not where:
                message = f"something else was renamed from {old} already"
                self.problems.append(where.problem(Code.BAD_VALUE, message, also=first[old].position()))

    def _rule(self, written: _WrittenRule) -> None:
        rule, place = written.rule, written.place
        wrong = list(misfits(rule, place))
        self.problems += wrong
        self._inspection.rule(rule, place)
        template = self._templates.find(rule.template, str(written.key.account))
        if template is not None and not wrong:
            self._define(written.key, rule_of(rule, template, written.position), place)
