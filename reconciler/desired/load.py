"""Loading a configuration: all of it or nothing, with every mistake at its place."""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from reconciler.desired.assembly import Assembly
from reconciler.desired.codes import Code
from reconciler.desired.compiler import Compiler
from reconciler.desired.environment import Environment, read_environment
from reconciler.desired.examination import Examination, Terms
from reconciler.desired.findings import NOTHING_KNOWN, FileFindings, Known
from reconciler.desired.gateway import GatewaySettings, ProjectDocument
from reconciler.desired.inspection import Inspection
from reconciler.desired.json_schema import ROOT_SCHEMA, schemas
from reconciler.desired.many_files import examined
from reconciler.desired.mistakes import problems_of
from reconciler.desired.operation import Alerts, Retention
from reconciler.desired.rule_tests import WrittenTest
from reconciler.desired.source_files import SourceFiles
from reconciler.desired.validation import parsed
from reconciler.desired.variables import Variables
from reconciler.desired.yaml_document import Yaml
from reconciler.desired.yaml_files import (
    ROOT_FILE,
    find_files,
    find_root,
    nothing_written,
    read_documents,
    unread_documents,
)
from reconciler.errors import ConfigurationError, Position, Problem
from reconciler.model.cycles import without_cycles
from reconciler.model.key import Key, Kind
from reconciler.model.protocol import ProtocolRegistry
from reconciler.model.source_file import digest
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
    sections: frozenset[str] | None = None
    tests: tuple[WrittenTest, ...] = ()


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading found, and what that depends on.

    `digests` are the SHA-256 of the files that were read, `asked` the variables of the process with their values;
    `absent` are the paths of files that need not be there and were not. `known` is what the next loading need not find
    out again; the resources of its documents are the first ones of the state, in their order.
    """

    desired: Desired
    digests: Mapping[str, str] = field(repr=False)
    asked: Mapping[str, str | None] = field(repr=False)
    absent: frozenset[str] = frozenset()
    known: Known = NOTHING_KNOWN


def load_project(root: Path, *, environment: str | None = None, environ: Mapping[str, str] | None = None) -> Project:
    """Return what `reconciler.yaml` and the environment say about the gateway. Raises ConfigurationError.

    No other file is read. `environ` are the variables that `${env:NAME}` stands for.
    """
    chosen = read_environment(root, environment, environ or {})
    documents, found = read_documents(root, ROOT_FILE, chosen.variables, chosen.patches)
    problems = [*chosen.problems, *found]
    if not documents and not problems:
        problems.append(nothing_written())
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
    known: Known = NOTHING_KNOWN,
) -> Loaded:
    """Return what all files below `root` ask for. Raises ConfigurationError with all problems of all files.

    `environment` is the name of the chosen one; `environ` are the variables that `${env:NAME}` stands for. What is
    `known` of a file is taken as long as it holds.
    """
    sources = SourceFiles(root)
    chosen = read_environment(root, environment, environ or {}, sources.digests)
    inspection = Inspection(sources, compiler, known.compiled)
    terms = Terms(root, chosen, protocols, compiler, inspection.directories())
    examination = Examination(terms, sources)
    mark = _mark(chosen, sources.digests)
    found = _found(sources, known, mark, examination, inspection)
    assembly = Assembly(sources, inspection)
    asked, absent, digests = dict(chosen.variables.asked), set[str](), dict[str, str]()
    for file, alone in found.items():
        item = alone
        if item is None or not sources.are_as_read(item.digests) or sources.is_any_there(item.absent):
            item = found[file] = examination.in_order(file)
        documents = unread_documents(root, file, len(item.documents), chosen.variables, chosen.patches)
        assembly.add(item, documents)
        asked |= item.asked
        absent |= item.absent
        digests |= {file: item.sha256, **item.digests}
        if alone is None or file == ROOT_FILE:
            item.sha256 = ""  # depends on more than the file: it is not known the next time
    resources = assembly.finish()
    inspection.finish()
    problems = [*chosen.problems, *assembly.problems, *inspection.problems]
    if chosen.patches is not None and not assembly.is_partial:
        problems += chosen.patches.problems(lambda: _data(root, chosen.variables))
    if problems or examination.project is None:
        # Two files can include the same wrong one.
        distinct = {(problem.position, problem.code, problem.message): problem for problem in reversed(problems)}
        raise ConfigurationError(tuple(distinct.values()))
    project = _project(root, examination.project, environment)
    doubts = [*examination.doubts, *_no_mail(project, assembly), *assembly.warnings()]
    desired = Desired(
        project=project,
        state=State(resources),
        files=MappingProxyType({sha256: sources.content(sha256) for sha256 in sorted(resources.hashes())}),
        positions=assembly.positions(),
        warnings=tuple(sorted(doubts, key=lambda one: one.position)),
        renames=MappingProxyType(assembly.renames.former),
        sections=frozenset(assembly.sections),
        tests=tuple(assembly.tests),
    )
    known = Known(mark, {file: item for file, item in found.items() if item is not None}, inspection.compiled)
    return Loaded(desired, sources.digests | digests, asked, frozenset(absent), known)


def _found(
    sources: SourceFiles, known: Known, mark: str, examination: Examination, inspection: Inspection
) -> dict[str, FileFindings | None]:
    """Return what each file says by itself, in their order; None for those that depend on what stands before them."""
    root = sources.root
    found: dict[str, FileFindings | None] = {file: known.of(root, file, mark) for file in find_files(root)}
    found[ROOT_FILE] = examination.in_order(ROOT_FILE)
    with closing(examined([file for file, item in found.items() if item is None], examination)) as items:
        for item in items:
            found[item.file] = item
            if sources.are_as_read(item.digests):
                inspection.begin(item)
    return found


def _mark(chosen: Environment, digests: Mapping[str, str]) -> str:
    """Return what is another when anything is that all files are read by: variables, patches, EDIFACT tables."""
    return digest(json.dumps([chosen.variables.values, sorted(digests.items())]).encode())


def _data(root: Path, variables: Variables) -> Iterator[Yaml]:
    for file in find_files(root):
        yield from (document.data for document in read_documents(root, file, variables)[0])


def _no_mail(project: Project, assembly: Assembly) -> list[Problem]:
    if assembly.mailed is None or project.gateway.smtp is not None:
        return []
    message = "mail is to be sent here, but reconciler.yaml has no gateway.smtp"
    return [assembly.mailed.problem(Code.NO_MAIL, message, of_key=True)]
