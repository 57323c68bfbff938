"""What is inside the files that a configuration names: each is compiled once, by what knows its language."""

from collections.abc import Sequence
from pathlib import PurePath

from reconciler.desired.codes import Code
from reconciler.desired.compiler import Compiler, Fault
from reconciler.desired.documents import RuleDocument
from reconciler.desired.excerpt import excerpt
from reconciler.desired.references import Place
from reconciler.desired.source_files import SourceFiles
from reconciler.errors import Position, Problem
from reconciler.model.source_file import SourceFile


class Inspection:
    """Compiles files and patterns; `problems` are the mistakes inside them."""

    def __init__(self, sources: SourceFiles, compiler: Compiler) -> None:
        self.problems: list[Problem] = []
        self._sources = sources
        self._compiler = compiler
        self._files: set[tuple[Code, SourceFile]] = set()
        self._patterns: dict[str, Sequence[Fault]] = {}

    def rule(self, rule: RuleDocument, place: Place) -> None:
        """Compile what a rule names."""
        if rule.convert is not None:
            self.file(Code.STYLESHEET, rule.convert, place.below("convert"))
        for index, file in enumerate(rule.validation):
            where = place.below("validate", index)
            match PurePath(file.name).suffix.lower():
                case ".xsd":
                    self.file(Code.SCHEMA, file, where)
                case ".sch":
                    self.file(Code.SCHEMATRON, file, where)
                case _:
                    message = f"'{file.name}' is neither an .xsd nor a .sch file"
                    self.problems.append(where.problem(Code.BAD_FILE, message))
        if rule.name_pattern is not None:
            self._name_pattern(rule.name_pattern, place.below("name_pattern"))

    def file(self, code: Code, file: SourceFile, place: Place) -> None:
        """Compile a file, unless that was done before. `code` says as what."""
        if (code, file) in self._files:
            return
        self._files.add((code, file))
        self.problems += (self._inside(code, file, fault, place) for fault in self._faults(code, file))

    def _faults(self, code: Code, file: SourceFile) -> Sequence[Fault]:
        content = self._sources.content
        match code:
            case Code.STYLESHEET:
                return self._compiler.stylesheet(file, content)
            case Code.SCHEMA:
                return self._compiler.schema(file, content)
            case Code.SCHEMATRON:
                return self._compiler.schematron(file, content)
            case Code.TEMPLATE:
                return self._compiler.template(file, content)
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
        for fault in faults:
            self.problems.append(place.problem(Code.NAME_PATTERN, fault.message, suggestion=fault.suggestion))
