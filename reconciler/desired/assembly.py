"""What all files say to the resources of one configuration, and what is wrong between them."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from uuid import UUID

from reconciler.desired.codes import CODES, Code
from reconciler.desired.findings import FileFindings, Findings
from reconciler.desired.inspection import Inspection
from reconciler.desired.references import Place, Templates, Unique
from reconciler.desired.renames import Renames
from reconciler.desired.rule_book import RuleBook
from reconciler.desired.rule_tests import WrittenTest
from reconciler.desired.rules import placed
from reconciler.desired.source_files import SourceFiles
from reconciler.desired.yaml_document import YamlDocument
from reconciler.errors import Position, Problem
from reconciler.model.account import Account
from reconciler.model.key import Key, Kind
from reconciler.model.packed import Packed, packed
from reconciler.model.rule import RuleTest
from reconciler.model.source_file import SourceFile
from reconciler.model.template_ref import TemplateRef

_UNREAD = frozenset({Code.YAML_SYNTAX.value, Code.NOT_UTF8.value})
"""With one of these, a file may have defined more than what was read of it."""


@dataclass(slots=True)
class _Account:
    """What the documents say of an account together: the name, who gave it, and whether it is protected."""

    name: str | None = None
    named_by: YamlDocument | None = None
    protected: bool = False


class Assembly:
    """Collects what the files say, in their order."""

    def __init__(self, sources: SourceFiles, inspection: Inspection) -> None:
        self.problems: list[Problem] = []
        self.renames = Renames()
        self.sections: set[str] = set()
        """The paths of the sections that are written: what is live in one of them and not in the YAML is left over."""
        self.tests: list[WrittenTest] = []
        self.mailed: Place | None = None
        """The first place where somebody is named whom mail is to be sent to."""
        self._texts: dict[Key, str] = {}
        self._documents: dict[Key, YamlDocument] = {}
        """The document that each resource is written in, first."""
        self._accounts: dict[Key, _Account] = {}
        self._sources = sources
        self._inspection = inspection
        self._templates = Templates()
        self._unique = Unique()
        self._rules = RuleBook()
        self._connected: defaultdict[Key, set[Key]] = defaultdict(set)
        self._named: list[tuple[str, str, Place]] = []
        self.is_partial = False
        """Whether a file could not be read to its end, so that what is missing here may stand in it."""

    def add(self, file: FileFindings, documents: list[YamlDocument]) -> None:
        """Take over what a file says; `documents` are read again where a place in them is asked for."""
        self.problems += file.problems
        unread = not file.sha256 or any(problem.code in _UNREAD for problem in file.problems)
        self.is_partial = self.is_partial or unread
        named = {path: self._sources.adopt(path, item) for path, item in file.named.items()}
        for found, document in zip(file.documents, documents, strict=True):
            self._add(found, document, named)

    def _add(self, found: Findings, document: YamlDocument, named: Mapping[str, SourceFile]) -> None:
        self._define(found, document)
        self._templates.declare(found.declared)
        self._named += ((account, name, Place(document, tuple(place))) for account, name, place in found.named)
        self.sections.update(found.sections)
        for address, (name, protected) in found.accounts.items():
            self._account(Key.known(address), name, document, protected=protected)
        for new, old in found.renames:
            key = Key.known(new)
            self.renames.add(key, Key.known(old), Place(document, key.path))
        for address, identity, path in found.templates:
            key = Key.known(address)
            self._templates.refs.setdefault((key.path[1], key.name), identity)
            of_file = partial(Place, document, (*key.path, "file"))
            self._inspection.template(_ref(identity), named[path], path, of_file)
        self.problems += self._unique.claim(found.claims, document)
        for code, path, location in found.compiled:
            self._inspection.file(CODES[code], named[path], path, partial(Place, document, tuple(location)))
        for owner, rules in found.rules.items():
            self._rules.add(Key.known(owner), rules, document)
        for sample in found.samples:
            key, test = Key.known(sample.rule), RuleTest.model_validate_json(sample.test)
            place = Place(document, (*key.path, "tests", sample.number))
            payload = self._sources.content(test.input.sha256)
            self.tests.append(WrittenTest(key, sample.name, place, sample.path, test, payload))
        if found.mailed is not None and self.mailed is None:
            self.mailed = Place(document, tuple(found.mailed))

    def _define(self, found: Findings, document: YamlDocument) -> None:
        """Take over the resources of a document; each is written in one place only."""
        texts, found.texts = {Key.known(address): text for address, text in found.texts.items()}, {}
        taken = self._documents.keys() & texts.keys()
        for key in taken:
            also = _place(key, self._documents[key]).position(of_key=True)
            message = f"{key} is defined already"
            place = _place(key, document)
            self.problems.append(place.problem(Code.DUPLICATE_OBJECT, message, of_key=True, also=also))
            del texts[key]
        self._documents.update(dict.fromkeys(texts, document))
        self._texts |= texts
        for key in texts:
            if key.endswith(".integration"):
                mailbox = key.removesuffix(".integration")
                account, _, _ = mailbox.partition(".mailboxes.")
                self._connected[Key.known(account)].add(Key.known(mailbox))

    def _account(self, key: Key, name: str | None, document: YamlDocument, *, protected: bool) -> None:
        self._documents.setdefault(key, document)
        account = self._accounts.setdefault(key, _Account())
        account.protected = account.protected or protected
        if name is None:
            return
        if account.named_by is not None:
            location = (*key.path, "name")
            also = account.named_by.position(location, of_key=True)
            message = f"{key} has its name already"
            problem = document.problem(Code.DUPLICATE_OBJECT, message, location, of_key=True, also=also)
            self.problems.append(problem)
        account.name, account.named_by = name, account.named_by or document

    def finish(self) -> Packed:
        """Return the resources: rules can name templates of documents that came later."""
        for key, said in self._accounts.items():
            self._texts[key] = packed(Account(name=said.name or key.name, protected=said.protected))
        for rule in self._rules.resolved(self._templates):
            ref, key, written = rule.ref, rule.key, rule.written
            if ref is None:
                self._texts.pop(key, None)
                if written.template is not None:
                    self._named.append((key.path[1], written.template, rule.place("template")))
                continue
            text = self._texts[key]
            self._texts[key] = placed(text, rule.index, ref)
            if written.name_pattern is not None:
                self._inspection.name_fields(written.name_pattern, ref, partial(rule.place, "name_pattern"))
        for account, name, place in () if self.is_partial else self._named:
            self.problems += self._templates.unknown(name, account, place)
        self.problems += self.renames.problems(self._texts, self.positions())
        return Packed(self._texts)

    def positions(self) -> Mapping[Key, Position]:
        """Return where each resource is written; a position is worked out when it is asked for."""
        return _Positions(self._documents)

    def warnings(self) -> Iterator[Problem]:
        """Yield what is not wrong, but most likely not meant; to be called when there are no problems."""
        yield from self._inspection.warnings
        yield from self._rules.warnings(self._connected)


class _Positions(Mapping[Key, Position]):
    def __init__(self, documents: Mapping[Key, YamlDocument]) -> None:
        self._documents = documents

    def __getitem__(self, key: Key) -> Position:
        return _place(key, self._documents[key]).position(of_key=True)

    def __iter__(self) -> Iterator[Key]:
        return (key for key in self._documents if key.account is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _place(key: Key, document: YamlDocument) -> Place:
    """Return where a resource is written: at its address, and what is generated for an integration, with that."""
    is_generated = key.kind is Kind.CREDENTIAL
    return Place(document, key.path[:-2] if is_generated else key.path)


@cache
def _ref(identity: str) -> TemplateRef:
    uuid, _, version = identity.partition("/")
    return TemplateRef(uuid=UUID(uuid), version=UUID(version))
