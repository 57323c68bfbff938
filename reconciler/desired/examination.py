"""What each file of a configuration says by itself: checked, and its resources as JSON."""

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from urllib.parse import urlsplit

from reconciler.desired.codes import Code
from reconciler.desired.compiler import Compiler, at_character
from reconciler.desired.documents import (
    AccountDocument,
    AccountsDocument,
    MailboxDocument,
    RootDocument,
    RuleDocument,
    TemplateDocument,
)
from reconciler.desired.environment import Environment
from reconciler.desired.findings import (
    FileFindings,
    Findings,
    WrittenClaim,
    WrittenRule,
    WrittenSample,
    parts_of,
)
from reconciler.desired.gateway import ProjectDocument
from reconciler.desired.integrations import connected
from reconciler.desired.json_schema import ACCOUNTS_SCHEMA, ROOT_SCHEMA, schemas
from reconciler.desired.references import Place, declared_templates, named_templates
from reconciler.desired.renames import former_address
from reconciler.desired.rule_tests import samples
from reconciler.desired.rules import match_of, misfits, rule_text
from reconciler.desired.sftp_gateway import HostKeys
from reconciler.desired.source_files import SourceFiles
from reconciler.desired.validation import ReadFile, validated
from reconciler.desired.variables import Variables
from reconciler.desired.yaml_document import YamlDocument
from reconciler.desired.yaml_files import ROOT_FILE, nothing_written, read_documents
from reconciler.errors import Problem
from reconciler.model.credential import Credential, CredentialKind
from reconciler.model.dictionary import Dictionary
from reconciler.model.key import Key, sftp_host_key
from reconciler.model.mailbox import Mailbox
from reconciler.model.packed import packed, packed_as
from reconciler.model.protocol import ProtocolRegistry
from reconciler.model.source_file import SourceFile
from reconciler.model.template import Template

_COMPILED = {
    ".xsd": Code.SCHEMA,
    ".sch": Code.SCHEMATRON,
    ".xsl": Code.STYLESHEET,
    ".xslt": Code.STYLESHEET,
}
"""What a file under `validate` is, by the end of its name."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What all files are read by. `directories` are the configuration's own EDIFACT tables."""

    root: Path
    environment: Environment
    protocols: ProtocolRegistry
    compiler: Compiler
    directories: tuple[SourceFile, ...]


class Examination:
    """Reads files one by one, and what they name by `sources`; `project` is what `reconciler.yaml` says of itself."""

    def __init__(self, terms: Terms, sources: SourceFiles) -> None:
        self.project: ProjectDocument | None = None
        self.doubts: tuple[Problem, ...] = ()
        """What is most likely not meant in `reconciler.yaml`."""
        self._terms = terms
        self._sources = sources

    def alone(self, file: str) -> FileFindings | None:
        """Return what a file says; None when the environment patches something in it, or may.

        Which document a patch is merged into depends on those before it.
        """
        patches = self._terms.environment.patches
        found, documents, variables = self._read(file)
        if patches is not None and any(
            patches.concern(document.data, is_root=file == ROOT_FILE) for document in documents
        ):
            return None
        return self._examined(found, documents, variables)

    def in_order(self, file: str) -> FileFindings:
        """Return what a file says, with what the environment patches in it; to be called in the order of the files."""
        return self._examined(*self._read(file, patched=True))

    def _read(self, file: str, *, patched: bool = False) -> tuple[FileFindings, list[YamlDocument], Variables]:
        environment = self._terms.environment
        variables = environment.variables.anew()
        digests: dict[str, str] = {}
        patches = environment.patches if patched else None
        documents, problems = read_documents(self._terms.root, file, variables, patches, digests)
        return FileFindings(file, digests.get(file, ""), problems=problems), documents, variables

    def _examined(self, found: FileFindings, documents: list[YamlDocument], variables: Variables) -> FileFindings:
        paths: dict[int, str] = {}

        def note(path: str, file: SourceFile) -> None:
            found.named[path] = file
            paths.setdefault(id(file), path)

        read_file = self._sources.reader(posixpath.dirname(found.file), note)
        if found.file == ROOT_FILE and not documents and not found.problems:
            found.problems.append(nothing_written())
        for number, document in enumerate(documents):
            examined = _Examined(self._terms, self._sources, found, document, read_file, paths)
            found.documents.append(examined.findings)
            before = len(found.problems)
            content = self._content(document, found, read_file, is_root=found.file == ROOT_FILE and number == 0)
            if isinstance(content, ProjectDocument):
                self.project = content
                self.doubts = tuple(_passwords_in_clear(content, document))
                examined.host_keys(content.gateway.sftp.host_keys)
            if isinstance(content, AccountsDocument | RootDocument):
                examined.accounts(content)
            if len(found.problems) > before:
                # What a rule names is checked whatever else is wrong with it.
                examined.findings.declared = list(declared_templates(document.data))
                examined.findings.named = list(named_templates(document.data))
            examined.findings.size = len(examined.findings.texts)
            document.release()
        found.asked = variables.asked
        for path, file in found.named.items():
            found.digests.update(parts_of(path, file))
        return found

    def _content(
        self, document: YamlDocument, found: FileFindings, read_file: ReadFile, *, is_root: bool
    ) -> AccountsDocument | ProjectDocument | None:
        protocols = self._terms.protocols
        content: AccountsDocument | ProjectDocument | None
        if is_root:
            # What describes accounts is large, and made twice if it is made here.
            has_accounts = isinstance(document.data, dict) and "accounts" in document.data
            noun = RootDocument if has_accounts else ProjectDocument
            content, problems = validated(noun, document, read_file, lambda: schemas(protocols)[ROOT_SCHEMA])
        else:
            content, problems = validated(
                AccountsDocument, document, read_file, lambda: schemas(protocols)[ACCOUNTS_SCHEMA]
            )
        found.problems += problems
        return content


def _passwords_in_clear(content: ProjectDocument, document: YamlDocument) -> Iterator[Problem]:
    """Yield a doubt for each URL with a password in it that is no variable's."""
    smtp = content.gateway.smtp
    for location, url, mend in (
        (("state",), content.state, "leave it out: PGPASSWORD or ~/.pgpass has it, or write ${env:NAME}"),
        (("gateway", "smtp", "url"), smtp.url if smtp else "", "write password: {secret: env:NAME} beside the URL"),
    ):
        if urlsplit(url).password:
            message = "the URL has a password in clear"
            problem = document.problem(Code.SECRET_IN_CLEAR, message, location, suggestion=mend)
            if "${" not in problem.source[problem.position.column - 1 :]:
                yield problem


class _Examined:
    """Collects what one document says."""

    def __init__(
        self,
        terms: Terms,
        sources: SourceFiles,
        file: FileFindings,
        document: YamlDocument,
        read_file: ReadFile,
        paths: Mapping[int, str],
    ) -> None:
        self.findings = Findings()
        self._terms = terms
        self._sources = sources
        self._file = file
        self._problems = file.problems
        self._document = document
        self._read_file = read_file
        self._paths = paths
        """Where a file was found, by its identity: the sources have each file once."""
        self._compiled: set[tuple[Code, int]] = set()

    def host_keys(self, keys: HostKeys) -> None:
        """Take over the host keys of the SFTP server; by default they are written nowhere."""
        for name, kind, generations in (
            ("ed25519", CredentialKind.SSH_HOST_KEY, keys.ed25519),
            ("rsa", CredentialKind.SSH_HOST_KEY_RSA, keys.rsa),
            ("ecdsa", CredentialKind.SSH_HOST_KEY_ECDSA, keys.ecdsa),
        ):
            for generation in generations:
                self.findings.texts[str(sftp_host_key(name, generation))] = packed(Credential(kind=kind))

    def accounts(self, content: AccountsDocument | RootDocument) -> None:
        """Take over the accounts of the document."""
        if "accounts" in content.model_fields_set:
            self.findings.sections.append("accounts")
        for name, account in content.accounts.items():
            self._account(Key.of_account(name), account, Place(self._document, ("accounts", name)))

    def _account(self, key: Key, account: AccountDocument, place: Place) -> None:
        found = self.findings
        found.accounts[str(key)] = (account.name, account.protected)
        self._note_sections(key, account, "templates", "dictionaries", "rules", "mailboxes")
        self._renamed(key, account.renamed_from, place)
        for name, template in account.templates.items():
            self._template(key, name, template, place.below("templates", name))
        for name, dictionary in account.dictionaries.items():
            where = place.below("dictionaries", name)
            found.texts[str(key.dictionary(name))] = packed(Dictionary(**dict(dictionary)))
            uuid = str(dictionary.uuid)
            self._claim(Code.DUPLICATE_UUID, uuid, f"the UUID {uuid}", where.below("uuid"))
            self._compile(Code.DICTIONARY, dictionary.file, where, "file")
        self._rules(key, account.rules, place)
        for name, mailbox in account.mailboxes.items():
            self._mailbox(key.mailbox(name), mailbox, place.below("mailboxes", name))

    def _template(self, account: Key, name: str, template: TemplateDocument, place: Place) -> None:
        key, ref = account.template(name), str(template.ref)
        self.findings.texts[str(key)] = packed(Template(**dict(template)))
        self.findings.declared.append((account.name, name))
        self.findings.templates.append((str(key), ref, self._paths[id(template.file)]))
        self._claim(Code.DUPLICATE_UUID, ref, f"the UUID and version {ref}", place.below("uuid"))

    def _mailbox(self, key: Key, mailbox: MailboxDocument, place: Place) -> None:
        aliases = tuple(sorted(mailbox.aliases))
        name = mailbox.name or key.name
        found = self.findings
        found.texts[str(key)] = packed_as(Mailbox, name=name, aliases=aliases, protected=mailbox.protected)
        self._note_sections(key, mailbox, "rules", "integration")
        self._renamed(key, mailbox.renamed_from, place)
        for index, alias in enumerate(mailbox.aliases):
            self._claim(Code.DUPLICATE_ALIAS, alias, f"the alias {alias}", place.below("aliases", index))
        self._rules(key, mailbox.rules, place)
        if mailbox.integration is None:
            return
        where = place.below("integration")
        made, problems = connected(mailbox.integration, key, where, self._terms.protocols, self._read_file)
        self._problems += problems
        if mailbox.integration.notify_email is not None and found.mailed is None:
            found.mailed = [*where.location, "notify_email"]
        if made is None:
            return
        integration = key.integration
        found.texts[str(integration)] = made.text
        for name, credential in made.credentials.items():
            found.texts[str(integration.credential(name))] = packed(credential)
        for file, named in made.files:
            self._compile(Code.CERTIFICATE, file, named)
        if made.identity is not None:
            names = " and ".join(f"'{name}'" for name in made.identity)
            what = f"the pair {names}" if len(made.identity) > 1 else names
            protocol = mailbox.integration.protocol
            value = "\0".join((protocol, *made.identity))
            self._claim(Code.DUPLICATE_PARTNERSHIP, value, what, where.below(protocol))

    def _rules(self, owner: Key, rules: Mapping[str, RuleDocument], place: Place) -> None:
        written: list[WrittenRule] = []
        for name, rule in rules.items():
            key, where = owner.rule(name), place.below("rules", name)
            self._renamed(key, rule.renamed_from, where)
            self._named_by(rule, where)
            wrong = list(misfits(rule, where))
            self._problems += wrong
            if not wrong:
                self._rule(key, name, rule, where, written)
        if written:
            self.findings.rules[str(owner)] = written

    def _rule(self, key: Key, name: str, rule: RuleDocument, place: Place, written: list[WrittenRule]) -> None:
        found = self.findings
        tests = {}
        for sample in samples(rule, place, self._sources, self._problems.append) if rule.tests else ():
            if sample.path is None or sample.test.expect is not None:
                tests[sample.name] = sample.test
            else:
                self._file.absent.add(sample.path)
            if sample.path is not None and sample.test.expect is not None:
                self._file.digests[sample.path] = sample.test.expect.sha256
            text = sample.test.model_dump_json()
            found.samples.append(WrittenSample(str(key), sample.number, sample.name, sample.path, text))
        match = match_of(rule)
        found.texts[str(key)] = rule_text(rule, match, len(written), self._terms.directories, tests)
        template = rule.template
        written.append(
            WrittenRule(
                name,
                rule.active,
                rule.direction.value,
                template if isinstance(template, str) else None,
                None if isinstance(template, str) else str(template.ref),
                match.by if match else None,
                match.pattern if match else None,
                rule.name_pattern,
            )
        )

    def _named_by(self, rule: RuleDocument, place: Place) -> None:
        """Note the files to compile that a rule names, and check its name pattern."""
        if rule.convert is not None:
            self._compile(Code.STYLESHEET, rule.convert, place, "convert")
        for index, file in enumerate(rule.validation):
            code = _COMPILED.get(PurePath(file.name).suffix.lower())
            if code is not None:
                self._compile(code, file, place, "validate", index)
            else:
                message = f"'{file.name}' is neither an .xsd nor a .sch nor an .xsl file"
                self._problems.append(place.below("validate", index).problem(Code.BAD_FILE, message))
        if rule.name_pattern is not None:
            for fault in self._terms.compiler.name_pattern(rule.name_pattern):
                where = place.below("name_pattern")
                problem = where.problem(Code.NAME_PATTERN, fault.message, suggestion=fault.suggestion)
                self._problems.append(at_character(problem, rule.name_pattern, fault.column or 1))

    def _compile(self, code: Code, file: SourceFile, place: Place, *below: str | int) -> None:
        known = (code, id(file))
        if known not in self._compiled:
            self._compiled.add(known)
            self.findings.compiled.append((code.value, self._paths[id(file)], [*place.location, *below]))

    def _claim(self, code: Code, value: str, what: str, place: Place) -> None:
        self.findings.claims.append(WrittenClaim(code.value, value, what, list(place.location)))

    def _renamed(self, key: Key, former: str | None, place: Place) -> None:
        if former is None:
            return
        try:
            self.findings.renames.append((str(key), str(former_address(key, former))))
        except ValueError as error:
            self._problems.append(place.below("renamed_from").problem(Code.BAD_VALUE, str(error)))

    def _note_sections(self, key: Key, document: AccountDocument | MailboxDocument, *names: str) -> None:
        written = document.model_fields_set
        self.findings.sections += [f"{key}.{name}" for name in names if name in written]
