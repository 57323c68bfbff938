"""What is inside the files that a configuration names: each is compiled once, by what knows its language."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import MappingProxyType

from pydantic_core import PydanticCustomError

from reconciler.desired.codes import CODES, Code
from reconciler.desired.compiler import Compiler, Fault, at_character
from reconciler.desired.excerpt import excerpt
from reconciler.desired.findings import FileFindings, part_path
from reconciler.desired.references import Place
from reconciler.desired.source_files import SourceFiles, find_directories
from reconciler.errors import Position, Problem
from reconciler.model.source_file import SourceFile, digest
from reconciler.model.template_ref import TemplateRef


class Inspection:
    """Compiles files; `problems` are the mistakes inside them, `warnings` what works for now.

    Both are complete after `finish`.
    """

    def __init__(
        self,
        sources: SourceFiles,
        compiler: Compiler,
        known: Mapping[str, Sequence[Fault]] = MappingProxyType({}),
    ) -> None:
        self.compiled: dict[str, Sequence[Fault]] = {}
        """What was found in each file that is no template; `known` is what was, before."""
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self._sources = sources
        self._compiler = compiler
        self._files: dict[tuple[Code, int, TemplateRef | None], SourceFile] = {}
        self._known = known
        self._templates: dict[str, SourceFile] = {}
        # What compiles works in a process of its own; meanwhile the next YAML is read.
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="compile")
        self._compiling: dict[str, Future[Sequence[Fault]]] = {}
        self._names: dict[tuple[Code, int], str] = {}
        """What files are known by from one run to the next: what they are compiled as, and all that is in them."""
        self._noted: list[tuple[str, Code, SourceFile, str, Callable[[], Place]]] = []

    def begin(self, found: FileFindings) -> None:
        """Begin to compile what a file of the configuration names; whoever names it first is told later."""
        for document in found.documents:
            for code, path, _ in document.compiled:
                self._of(CODES[code], self._sources.adopt(path, found.named[path]))

    def file(self, code: Code, file: SourceFile, path: str, place: Callable[[], Place]) -> None:
        """Compile a file that is no template, unless that was done before. `code` says as what."""
        if self._is_new(code, file):
            self._noted.append((self._of(code, file), code, file, path, place))

    def _of(self, code: Code, file: SourceFile) -> str:
        """Return what a file is known by; it is being compiled, or was before."""
        name = self._names.get((code, id(file)))
        if name is None:
            name = self._names[code, id(file)] = digest(f"{code} {file.model_dump_json()}".encode())
            if name in self._known:
                self.compiled[name] = self._known[name]
            else:
                self._compiling[name] = self._pool.submit(self._faults, code, file)
        return name

    def finish(self) -> None:
        """Wait for the files that are still compiled; then `problems` and `warnings` are complete."""
        with self._pool:
            self.compiled |= {name: faults.result() for name, faults in self._compiling.items()}
        for name, code, file, path, place in self._noted:
            self._note(self.compiled[name], code, file, path, place)

    def directories(self) -> tuple[SourceFile, ...]:
        """Return the tables of the folder `edifact/`; what is wrong inside of them is noted."""
        read_file, found = self._sources.reader(""), []
        for path in find_directories(self._sources.root):
            try:
                file = read_file(path)
            except PydanticCustomError as error:
                self.problems.append(Problem(Position(path, 1, 1), error.type, error.message()))
                continue
            found.append(file)
            text = self._sources.content(file.sha256).decode(errors="replace")
            self.problems += (
                Problem(
                    Position(path, fault.line or 1, 1),
                    Code.DIRECTORY.value,
                    fault.message,
                    source=excerpt(text, fault.line or 1),
                )
                for fault in self._compiler.directory(file, self._sources.content)
            )
        return tuple(found)

    def template(self, ref: TemplateRef, file: SourceFile, path: str, place: Callable[[], Place]) -> None:
        """Compile a template's file."""
        self._templates[str(ref)] = file
        if self._is_new(Code.TEMPLATE, file, ref):
            self._note(self._compiler.template(file, self._sources.content, ref), Code.TEMPLATE, file, path, place)

    def _is_new(self, code: Code, file: SourceFile, ref: TemplateRef | None = None) -> bool:
        # The sources have each file once; what is kept here keeps its identity.
        known = len(self._files)
        self._files.setdefault((code, id(file), ref), file)
        return len(self._files) > known

    def _note(
        self, faults: Sequence[Fault], code: Code, file: SourceFile, path: str, place: Callable[[], Place]
    ) -> None:
        for fault in faults:
            problem = self._inside(fault.code or code, file, path, fault, place())
            (self.warnings if fault.is_warning else self.problems).append(problem)

    def _faults(self, code: Code, file: SourceFile) -> Sequence[Fault]:
        content = self._sources.content
        match code:
            case Code.STYLESHEET:
                return self._compiler.stylesheet(file, content)
            case Code.SCHEMA:
                return self._compiler.schema(file, content)
            case Code.SCHEMATRON:
                return self._compiler.schematron(file, content)
            case Code.DICTIONARY:
                return self._compiler.dictionary(file, content)
            case Code.CERTIFICATE:
                return self._compiler.certificate(file, content)
            case _:
                raise ValueError(f"{code} is not the code of a kind of file")

    def _inside(self, code: Code, file: SourceFile, main: str, fault: Fault, place: Place) -> Problem:
        """Return a fault as a mistake in that file; where the YAML names it when no line is known."""
        path = main if fault.file is None else part_path(main, fault.file)
        if fault.line is None:
            return place.problem(code, f"{path}: {fault.message}", suggestion=fault.suggestion)
        sha256 = next((part.sha256 for part in file.parts if part.name == fault.file), file.sha256)
        return Problem(
            position=Position(path, fault.line, fault.column or 1),
            code=code.value,
            message=fault.message,
            path=place.document.address(place.location),
            source=excerpt(self._sources.content(sha256).decode(errors="replace"), fault.line),
            suggestion=fault.suggestion,
            also=place.position(),
        )

    def name_fields(self, pattern: str, ref: str, place: Callable[[], Place]) -> None:
        """Check the fields of a name pattern; a template that is not declared may have any."""
        file = self._templates.get(ref)
        if file is not None:
            for fault in self._compiler.name_fields(pattern, file, self._sources.content):
                problem = place().problem(Code.NAME_PATTERN, fault.message, suggestion=fault.suggestion)
                self.problems.append(at_character(problem, pattern, fault.column or 1))
