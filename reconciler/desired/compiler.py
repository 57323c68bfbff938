"""The port by which the contents of files are checked: what stands above knows the languages, the loader does not."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from reconciler.desired.codes import Code
from reconciler.errors import Problem
from reconciler.model.source_file import ContentReader, SourceFile
from reconciler.model.template_ref import TemplateRef


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake inside a file that the configuration names.

    Lines and columns count from 1; None when the checker cannot tell. `file` is the name of one of the file's parts,
    None the file itself. `suggestion` completes "did you mean …" or says the mend. `code` is what is wrong where that
    is more than that the file cannot be used. A warning keeps nothing from being applied.
    """

    message: str
    line: int | None = None
    column: int | None = None
    file: str | None = None
    suggestion: str = ""
    code: Code | None = None
    is_warning: bool = False


def at_character(problem: Problem, pattern: str, character: int) -> Problem:
    """Return the problem with its caret below a character of the pattern, if the line has the pattern as it is."""
    begin = problem.source.find(pattern, problem.position.column - 1)
    return problem if begin < 0 else replace(problem, position=replace(problem.position, column=begin + character))


class Compiler(Protocol):
    """Checks each kind of file that a configuration can name. An empty answer means that the file can be used."""

    def stylesheet(self, file: SourceFile, content: ContentReader, /) -> Sequence[Fault]:
        """Check an XSLT stylesheet with what it includes."""
        ...

    def schema(self, file: SourceFile, content: ContentReader, /) -> Sequence[Fault]:
        """Check an XML Schema with what it includes."""
        ...

    def schematron(self, file: SourceFile, content: ContentReader, /) -> Sequence[Fault]:
        """Check a Schematron schema with what it includes."""
        ...

    def directory(self, file: SourceFile, content: ContentReader, /) -> Sequence[Fault]:
        """Check a table of EDIFACT messages."""
        ...

    def template(self, file: SourceFile, content: ContentReader, ref: TemplateRef, /) -> Sequence[Fault]:
        """Check a template's XML, and that it is the one that the configuration says."""
        ...

    def dictionary(self, file: SourceFile, content: ContentReader, /) -> Sequence[Fault]:
        """Check a dictionary's CSV."""
        ...

    def certificate(self, file: SourceFile, content: ContentReader, /) -> Sequence[Fault]:
        """Check a file of certificates, named by a protocol's settings."""
        ...

    def name_pattern(self, pattern: str, /) -> Sequence[Fault]:
        """Check the pattern by which an IN rule names its files. A fault's column counts in the pattern."""
        ...

    def name_fields(self, pattern: str, template: SourceFile, content: ContentReader, /) -> Sequence[Fault]:
        """Check that a template has the fields of which such a pattern makes names."""
        ...
