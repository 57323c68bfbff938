"""What is inside the files that a configuration names: each is compiled once, by what knows its language."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import PurePath

from pydantic_core import PydanticCustomError

from reconciler.desired.codes import Code
from reconciler.desired.compiler import Compiler, Fault
from reconciler.desired.documents import RuleDocument, TemplateDocument
from reconciler.desired.excerpt import excerpt
from reconciler.desired.references import Place
from reconciler.desired.source_files import SourceFiles, find_directories
from reconciler.errors import Position, Problem
from reconciler.model.source_file import SourceFile
from reconciler.model.template_ref import TemplateRef


class Inspection:
    """Compiles files and patterns; `problems` are the mistakes inside them, `warnings` what works for now.

    Both are complete after `finish`.
    """

    def __init__(self, sources: SourceFiles, compiler: Compiler) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self._sources = sources
        self._compiler = compiler
        self._files: dict[tuple[Code, int, TemplateRef | None], SourceFile] = {}
        self._patterns: dict[str, Sequence[Fault]] = {}
        self._templates: dict[TemplateRef, SourceFile] = {}
        # What compiles works in a process of its own; meanwhile the next YAML is read.
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="compile")
        self._compiling: list[tuple[Future[Sequence[Fault]], Code, SourceFile, Place]] = []

    def rule(self, rule: RuleDocument, place: Place) -> None:
        """Compile what a rule names."""
        if rule.convert is not None:
            self.file(Code.STYLESHEET, rule.convert, place, "convert")
        for index, file in enumerate(rule.validation):
            match PurePath(file.name).suffix.lower():
                case ".xsd":
                    self.file(Code.SCHEMA, file, place, "validate", index)
                case ".sch":
                    self.file(Code.SCHEMATRON, file, place, "validate", index)
                case ".xsl" | ".xslt":
                    self.file(Code.STYLESHEET, file, place, "validate", index)
                case _:
                    message = f"'{file.name}' is neither an .xsd nor a .sch nor an .xsl file"
                    self.problems.append(place.below("validate", index).problem(Code.BAD_FILE, message))
        if rule.name_pattern is not None:
            self._name_pattern(rule.name_pattern, place)

    def file(self, code: Code, file: SourceFile, place: Place, *below: str | int) -> None:
        """Compile a file that is no template, unless that was done before. `code` says as what.

        It is named at what is below `place`.
        """
        if self._is_new(code, file):
            place = place.below(*below)
            self._compiling.append((self._pool.submit(self._faults, code, file), code, file, place))

    def finish(self) -> None:
        """Wait for the files that are still compiled; then `problems` and `warnings` are complete."""
        with self._pool:
            for faults, code, file, place in self._compiling:
                self._note(faults.result(), code, file, place)
        self._compiling.clear()

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

    def template(self, template: TemplateDocument, place: Place) -> None:
        """Compile a template's file."""
        file, ref = template.file, template.ref
        self._templates[ref] = file
        if self._is_new(Code.TEMPLATE, file, ref):
            faults = self._compiler.template(file, self._sources.content, ref)
            self._note(faults, Code.TEMPLATE, file, place.below("file"))

    def _is_new(self, code: Code, file: SourceFile, ref: TemplateRef | None = None) -> bool:
        # The sources have each file once; what is kept here keeps its identity.
        known = len(self._files)
        self._files.setdefault((code, id(file), ref), file)
        return len(self._files) > known

    def _note(self, faults: Sequence[Fault], code: Code, file: SourceFile, place: Place) -> None:
        for fault in faults:
            problem = self._inside(fault.code or code, file, fault, place)
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

    def _inside(self, code: Code, file: SourceFile, fault: Fault, place: Place) -> Problem:
        """Return a fault as a mistake in that file; where the YAML names it when no line is known."""
        path = self._sources.path(file, fault.file)
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

    def _name_pattern(self, pattern: str, place: Place) -> None:
        faults = self._patterns.get(pattern)
        if faults is None:
            faults = self._patterns[pattern] = self._compiler.name_pattern(pattern)
        if faults:
            self._note_pattern(faults, pattern, place.below("name_pattern"))

    def name_fields(self, pattern: str, ref: TemplateRef, place: Place) -> None:
        """Check the fields of a name pattern; a template that is not declared may have any."""
        file = self._templates.get(ref)
        if file is not None:
            self._note_pattern(self._compiler.name_fields(pattern, file, self._sources.content), pattern, place)

    def _note_pattern(self, faults: Sequence[Fault], pattern: str, place: Place) -> None:
        for fault in faults:
            problem = place.problem(Code.NAME_PATTERN, fault.message, suggestion=fault.suggestion)
            self.problems.append(_at_character(problem, pattern, fault.column or 1))


def _at_character(problem: Problem, pattern: str, character: int) -> Problem:
    """Return the problem with its caret below a character of the pattern, if the line has the pattern as it is."""
    begin = problem.source.find(pattern, problem.position.column - 1)
    return problem if begin < 0 else replace(problem, position=replace(problem.position, column=begin + character))
