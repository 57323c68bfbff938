"""The port by which the contents of files are checked: what stands above knows the languages, the loader does not."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from reconciler.model.source_file import ContentReader, SourceFile


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake inside a file that the configuration names.

    Lines and columns count from 1; None when the checker cannot tell. `file` is the name of one of the file's parts,
    None the file itself. `suggestion` completes "did you mean …" or says the mend.
    """

    message: str
    line: int | None = None
    column: int | None = None
    file: str | None = None
    suggestion: str = ""


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

    def template(self, file: SourceFile, content: ContentReader, /) -> Sequence[Fault]:
        """Check a template's XML."""
        ...

    def dictionary(self, file: SourceFile, content: ContentReader, /) -> Sequence[Fault]:
        """Check a dictionary's CSV."""
        ...

    def certificate(self, file: SourceFile, content: ContentReader, /) -> Sequence[Fault]:
        """Check a certificate in PEM, named by a protocol's settings."""
        ...

    def name_pattern(self, pattern: str, /) -> Sequence[Fault]:
        """Check the pattern by which an IN rule names its files."""
        ...
