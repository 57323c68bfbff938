"""Loading a configuration: all of it or nothing, with every mistake at its place."""

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from reconciler.desired.assembly import Assembly
from reconciler.desired.codes import Code
from reconciler.desired.compiler import Compiler
from reconciler.desired.documents import AccountsDocument, RootDocument
from reconciler.desired.environment import read_environment
from reconciler.desired.gateway import GatewaySettings, ProjectDocument
from reconciler.desired.inspection import Inspection
from reconciler.desired.json_schema import ACCOUNTS_SCHEMA, ROOT_SCHEMA, schemas
from reconciler.desired.mistakes import problems_of
from reconciler.desired.operation import Alerts, Retention
from reconciler.desired.references import Place
from reconciler.desired.rule_tests import WrittenTest
from reconciler.desired.source_files import SourceFiles
from reconciler.desired.validation import parsed, validated
from reconciler.desired.yaml_files import ROOT_FILE, find_files, find_root, read_documents
from reconciler.errors import ConfigurationError, Position, Problem
from reconciler.model.cycles import without_cycles
from reconciler.model.key import Key, Kind
from reconciler.model.protocol import ProtocolRegistry
from reconciler.model.state import State

__all__ = ["Desired", "Project", "find_root", "load", "load_project"]


@dataclass(frozen=True, slots=True)
class Project:
    """Where a configuration is, where its live side is kept, and how its gateway is reached.

    `state` is a folder relative to `root`, or a database's URL, which may hold a password.
    """

    root: Path
    state: str = field(repr=False)
    gateway: GatewaySettings
    caps: Mapping[Kind, int] = field(default_factory=lambda: MappingProxyType({}))
    """The most of a kind that one plan may destroy."""
    environment: str | None = None
    """The chosen environment."""
    payloads: str | None = None
    """The URL of the object store for large payloads."""
    alerts: Alerts | None = None
    retention: Retention = field(default_factory=Retention)


@dataclass(frozen=True, slots=True)
class Desired:
    """What a configuration asks for. `files` are the contents of everything that the state names, by SHA-256.

    `renames` are new addresses with the old ones; `sections` are the paths of the sections that are written at all.
    """

    project: Project
    state: State
    files: Mapping[str, bytes] = field(repr=False)
    positions: Mapping[Key, Position] = field(repr=False)
    warnings: tuple[Problem, ...] = ()
    renames: Mapping[Key, Key] = field(default_factory=lambda: MappingProxyType({}))
    sections: frozenset[tuple[str, ...]] | None = None
    tests: tuple[WrittenTest, ...] = ()


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading found, and what that depends on.

    `digests` are the SHA-256 of the files that were read, `asked` the variables of the process with their values;
    `absent` are the paths of files that need not be there and were not.
    """

    desired: Desired
    digests: Mapping[str, str] = field(repr=False)
    asked: Mapping[str, str | None] = field(repr=False)
    absent: frozenset[str] = frozenset()


def load_project(root: Path, *, environment: str | None = None, environ: Mapping[str, str] | None = None) -> Project:
    """Return what `reconciler.yaml` and the environment say about the gateway. Raises ConfigurationError.

    No other file is read. `environ` are the variables that `${env:NAME}` stands for.
    """
    chosen = read_environment(root, environment, environ or {})
    documents, found = read_documents(root, ROOT_FILE, chosen.variables, chosen.patches)
    problems = [*chosen.problems, *found]
    if not documents and not problems:
        problems.append(_nothing_written())
    if problems:
        raise ConfigurationError(tuple(problems))
    document, data = documents[0], documents[0].data
    own = {name: value for name, value in data.items() if name != "accounts"} if isinstance(data, dict) else data
    try:
        content = parsed(ProjectDocument, own, SourceFiles(root).reader(""))
    except ValidationError as error:
        raise ConfigurationError(tuple(problems_of(error, document, schemas({})[ROOT_SCHEMA]))) from None
    return _project(root, content, environment)


def _project(root: Path, content: ProjectDocument, environment: str | None) -> Project:
    return Project(
        root,
        content.state,
        content.gateway,
        MappingProxyType(content.limits.destroy),
        environment,
        content.payloads,
        content.alerts,
        content.retention,
    )


def load(
    root: Path,
    protocols: ProtocolRegistry,
    compiler: Compiler,
    *,
    environment: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Desired:
    """Return what all files below `root` ask for; see `load_traced`."""
    return load_traced(root, protocols, compiler, environment=environment, environ=environ).desired


@without_cycles()
def load_traced(
    root: Path,
    protocols: ProtocolRegistry,
    compiler: Compiler,
    *,
    environment: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Loaded:
    """Return what all files below `root` ask for. Raises ConfigurationError with all problems of all files.

    `environment` is the name of the chosen one; `environ` are the variables that `${env:NAME}` stands for.
    """
    sources = SourceFiles(root)
    chosen = read_environment(root, environment, environ or {}, sources.digests)
    inspection = Inspection(sources, compiler)
    assembly = Assembly(sources, protocols, inspection)
    problems: list[Problem] = [*chosen.problems]
    project: Project | None = None
    for file in find_files(root):
        documents, found = read_documents(root, file, chosen.variables, chosen.patches, sources.digests)
        problems += found
        if file == ROOT_FILE and not documents and not found:
            problems.append(_nothing_written())
        read_file = sources.reader(posixpath.dirname(file))
        for number, document in enumerate(documents):
            assembly.declare(document)
            content: AccountsDocument | ProjectDocument | None
            if file == ROOT_FILE and number == 0:
                # What describes accounts is large, and made twice if it is made here.
                has_accounts = isinstance(document.data, dict) and "accounts" in document.data
                noun = RootDocument if has_accounts else ProjectDocument
                content, found = validated(noun, document, read_file, lambda: schemas(protocols)[ROOT_SCHEMA])
                if content is not None:
                    project = _project(root, content, environment)
            else:
                content, found = validated(
                    AccountsDocument, document, read_file, lambda: schemas(protocols)[ACCOUNTS_SCHEMA]
                )
            problems += found
            if content is not None:
                assembly.add(document, content)
            document.release()
    if chosen.patches is not None:
        problems += chosen.patches.problems()
    resources = assembly.finish()
    inspection.finish()
    problems += assembly.problems + inspection.problems
    if problems or project is None:
        # Two files can include the same wrong one.
        distinct = {(problem.position, problem.code, problem.message): problem for problem in reversed(problems)}
        raise ConfigurationError(tuple(distinct.values()))
    desired = Desired(
        project=project,
        state=State(resources),
        files=MappingProxyType({sha256: sources.content(sha256) for sha256 in sorted(resources.hashes())}),
        positions=_Positions(assembly.places),
        warnings=tuple(sorted((*_no_mail(project, assembly), *assembly.warnings()), key=lambda one: one.position)),
        renames=MappingProxyType(assembly.renames.former),
        sections=frozenset(assembly.sections),
        tests=tuple(assembly.tests),
    )
    return Loaded(desired, sources.digests, chosen.variables.asked, frozenset(sources.absent))


class _Positions(Mapping[Key, Position]):
    """Where each object is written; a position is worked out when it is asked for."""

    def __init__(self, places: Mapping[Key, Place]) -> None:
        self._places = places

    def __getitem__(self, key: Key) -> Position:
        return self._places[key].position(of_key=True)

    def __iter__(self) -> Iterator[Key]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def _nothing_written() -> Problem:
    return Problem(Position(ROOT_FILE, 1, 1), Code.MISSING_KEY.value, "the key 'version' is missing; write version: 1")


def _no_mail(project: Project, assembly: Assembly) -> list[Problem]:
    if assembly.mailed is None or project.gateway.smtp is not None:
        return []
    message = "mail is to be sent here, but reconciler.yaml has no gateway.smtp"
    return [assembly.mailed.problem(Code.NO_MAIL, message, of_key=True)]
