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

    def declare(self, document: YamlDocument) -> None:
        """Note what a document names, before anything is known to be right."""
        self._templates.declare(document)

    def add(self, document: YamlDocument, content: AccountsDocument | RootDocument) -> None:
        """Take over the accounts of a document."""
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
        self.resources.setdefault(key, Account(name=key.name))
        if account.name is not None:
            named = self._named.setdefault(key, place)
            if named is not place:
                also = named.below("name").position(of_key=True)
                message = f"{key} has its name already"
                self.problems.append(
                    place.below("name").problem(Code.DUPLICATE_OBJECT, message, of_key=True, also=also)
                )
            self.resources[key] = Account(name=account.name)
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
        self._define(key, Mailbox(name=mailbox.name or key.name, aliases=tuple(sorted(mailbox.aliases))), place)
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

    def _rule(self, written: _WrittenRule) -> None:
        rule, place = written.rule, written.place
        wrong = list(misfits(rule, place))
        self.problems += wrong
        self._inspection.rule(rule, place)
        template = self._templates.find(rule.template, str(written.key.account))
        if template is not None and not wrong:
            self._define(written.key, rule_of(rule, template, written.position), place)
