"""Validated documents to the resources of one configuration."""

import posixpath
from collections import defaultdict
from collections.abc import Iterator, Mapping

from reconciler.desired.codes import Code
from reconciler.desired.documents import (
    AccountDocument,
    AccountsDocument,
    MailboxDocument,
    RootDocument,
    RuleDocument,
)
from reconciler.desired.gateway import ProjectDocument
from reconciler.desired.inspection import Inspection
from reconciler.desired.integrations import connected
from reconciler.desired.references import Claimed, Place, Templates, Unique
from reconciler.desired.renames import Renames
from reconciler.desired.rule_book import RuleBook
from reconciler.desired.rule_tests import WrittenTest, written_tests
from reconciler.desired.rules import misfits
from reconciler.desired.sftp_gateway import HostKeys
from reconciler.desired.source_files import SourceFiles
from reconciler.desired.yaml_document import YamlDocument
from reconciler.errors import Problem
from reconciler.model.account import Account
from reconciler.model.credential import Credential, CredentialKind
from reconciler.model.dictionary import Dictionary
from reconciler.model.key import Key, sftp_host_key
from reconciler.model.mailbox import Mailbox
from reconciler.model.packed import Packed, packed, packed_as
from reconciler.model.protocol import ProtocolRegistry
from reconciler.model.template import Template


class Assembly:
    """Collects the resources of all documents, and what is wrong between them."""

    def __init__(self, sources: SourceFiles, protocols: ProtocolRegistry, inspection: Inspection) -> None:
        self.places: dict[Key, Place] = {}
        self.problems: list[Problem] = []
        self.renames = Renames()
        self.sections: set[tuple[str, ...]] = set()
        """The paths of the sections that are written: what is live in one of them and not in the YAML is left over."""
        self.tests: list[WrittenTest] = []
        self.mailed: Place | None = None
        """The first place where somebody is named whom mail is to be sent to."""
        self._texts: dict[Key, str] = {}
        self._accounts: dict[Key, Account] = {}
        self._sources = sources
        self._protocols = protocols
        self._inspection = inspection
        self._templates = Templates()
        self._unique = Unique()
        self._rules = RuleBook.empty(inspection.directories())
        self._connected: defaultdict[Key, set[Key]] = defaultdict(set)
        self._named: dict[Key, Place] = {}

    def declare(self, document: YamlDocument) -> None:
        """Note what a document names, before anything is known to be right."""
        self._templates.declare(document)

    def add(self, document: YamlDocument, content: AccountsDocument | ProjectDocument) -> None:
        """Take over the accounts of a document."""
        if isinstance(content, ProjectDocument):
            self._host_keys(content.gateway.sftp.host_keys)
        if not isinstance(content, AccountsDocument | RootDocument):
            return
        if "accounts" in content.model_fields_set:
            self.sections.add(("accounts",))
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
                self._texts[sftp_host_key(name, generation)] = Credential(kind=kind).model_dump_json()

    def finish(self) -> Packed:
        """Return the resources: rules can name templates of documents that came later."""
        self._texts |= {key: account.model_dump_json() for key, account in self._accounts.items()}
        for key, text, place in self._rules.resolved(self._templates):
            self._define(key, text, place)
        for pattern, template, place in self._rules.name_patterns(self._templates):
            self._inspection.name_fields(pattern, template, place)
        self.problems += self._templates.problems()
        self.problems += self.renames.problems(self._texts, self.places)
        return Packed(self._texts)

    def warnings(self) -> Iterator[Problem]:
        """Yield what is not wrong, but most likely not meant; to be called when there are no problems."""
        yield from self._inspection.warnings
        yield from self._rules.warnings(self._templates, self._connected)

    def _define(self, key: Key, text: str, place: Place) -> None:
        """Take over a resource, as JSON, that is written in one place only."""
        first = self.places.setdefault(key, place)
        if first is not place:
            also = first.position(of_key=True)
            message = f"{key} is defined already"
            self.problems.append(place.problem(Code.DUPLICATE_OBJECT, message, of_key=True, also=also))
            return
        self._texts[key] = text

    def _account(self, key: Key, account: AccountDocument, place: Place) -> None:
        self.places.setdefault(key, place)
        found = self._accounts.get(key, Account(name=key.name))
        if account.name is not None:
            named = self._named.setdefault(key, place)
            if named is not place:
                also = named.below("name").position(of_key=True)
                message = f"{key} has its name already"
                self.problems.append(
                    place.below("name").problem(Code.DUPLICATE_OBJECT, message, of_key=True, also=also)
                )
        self._accounts[key] = Account(name=account.name or found.name, protected=account.protected or found.protected)
        self._note_sections(key, account, "templates", "dictionaries", "rules", "mailboxes")
        self.problems += self.renames.note(key, account.renamed_from, place)
        for name, template in account.templates.items():
            where = place.below("templates", name)
            self._define(key.template(name), Template(**dict(template)).model_dump_json(), where)
            ref = template.ref
            self._templates.refs.setdefault((key.name, name), ref)
            self._claim(Code.DUPLICATE_UUID, ref, f"the UUID and version {ref}", where.below("uuid"))
            self._inspection.template(template, where)
        for name, dictionary in account.dictionaries.items():
            where = place.below("dictionaries", name)
            self._define(key.dictionary(name), Dictionary(**dict(dictionary)).model_dump_json(), where)
            self._claim(Code.DUPLICATE_UUID, dictionary.uuid, f"the UUID {dictionary.uuid}", where.below("uuid"))
            self._inspection.file(Code.DICTIONARY, dictionary.file, where.below("file"))
        self._written_rules(key, account.rules, place)
        for name, mailbox in account.mailboxes.items():
            self._mailbox(key.mailbox(name), mailbox, place.below("mailboxes", name))

    def _claim(self, code: Code, value: Claimed, what: str, place: Place) -> None:
        self.problems += self._unique.claim(code, value, what, place)

    def _mailbox(self, key: Key, mailbox: MailboxDocument, place: Place) -> None:
        aliases = tuple(sorted(mailbox.aliases))
        name = mailbox.name or key.name
        self._define(key, packed_as(Mailbox, name=name, aliases=aliases, protected=mailbox.protected), place)
        self._note_sections(key, mailbox, "rules", "integration")
        self.problems += self.renames.note(key, mailbox.renamed_from, place)
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
        self._connected[Key(key.path[:2])].add(key)
        self._define(key.integration, found.text, where)
        for name, credential in found.credentials.items():
            self._define(key.integration.credential(name), packed(credential), where)
        for file, named in found.files:
            self._inspection.file(Code.CERTIFICATE, file, named)
        if found.identity is not None:
            names = " and ".join(f"'{name}'" for name in found.identity)
            what = f"the pair {names}" if len(found.identity) > 1 else names
            protocol = mailbox.integration.protocol
            self._claim(Code.DUPLICATE_PARTNERSHIP, (protocol, *found.identity), what, where.below(protocol))

    def _written_rules(self, owner: Key, rules: Mapping[str, RuleDocument], place: Place) -> None:
        for name, rule in rules.items():
            key, where = owner.rule(name), place.below("rules", name)
            self.problems += self.renames.note(key, rule.renamed_from, where)
            self._inspection.rule(rule, where)
            wrong = list(misfits(rule, where))
            self.problems += wrong
            if not wrong:
                tests = list(written_tests(key, rule, where, self._sources, self.problems.append))
                self._rules.add(owner, name, rule, where, {test.name: test.test for test in tests if test.is_whole})
                self.tests += tests

    def _note_sections(self, key: Key, document: AccountDocument | MailboxDocument, *names: str) -> None:
        self.sections.update((*key.path, name) for name in names if name in document.model_fields_set)
