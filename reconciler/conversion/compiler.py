"""Checks the contents of the files that a configuration names, as `reconciler.desired.compiler` asks for it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from reconciler.conversion import naming
from reconciler.conversion.converter import described
from reconciler.conversion.dictionary import DictionaryError, Table
from reconciler.conversion.frames import Message
from reconciler.conversion.sources.directory import DirectoryError, parse_directory
from reconciler.conversion.workers import Conversation, Limits, Workers
from reconciler.desired.codes import Code
from reconciler.desired.compiler import Fault
from reconciler.envelope.element import XmlError
from reconciler.envelope.template import TemplateDefinition, parse_template
from reconciler.errors import ConversionError
from reconciler.model.source_file import ContentReader, SourceFile
from reconciler.model.template_ref import TemplateRef


def _utc_now() -> datetime:
    return datetime.now(UTC)


class ContentCompiler:
    """Implements the port `reconciler.desired.compiler.Compiler`.

    Stylesheets and schemas are compiled in a worker process, for they may be hostile; it starts with the first one.
    `now` is the time by which certificates expire.
    """

    def __init__(self, *, limits: Limits = Limits(), now: Callable[[], datetime] = _utc_now) -> None:  # noqa: B008 - frozen
        self._workers = Workers(1, limits)
        self._now = now
        self._definitions: dict[str, TemplateDefinition] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the worker process."""
        self._workers.close()

    def stylesheet(self, file: SourceFile, content: ContentReader, /) -> Sequence[Fault]:
        """Check an XSLT stylesheet with what it includes."""
        return self._checked("stylesheet", file, content)

    def schema(self, file: SourceFile, content: ContentReader, /) -> Sequence[Fault]:
        """Check an XML Schema with what it includes."""
        return self._checked("schema", file, content)

    def schematron(self, file: SourceFile, content: ContentReader, /) -> Sequence[Fault]:
        """Check a Schematron schema with what it includes."""
        return self._checked("schematron", file, content)

    def directory(self, file: SourceFile, content: ContentReader, /) -> Sequence[Fault]:
        """Check a table of EDIFACT messages."""
        try:
            parse_directory(content(file.sha256).decode())
        except DirectoryError as error:
            return [Fault(error.reason, error.line)]
        except UnicodeDecodeError:
            return [Fault("the file is not UTF-8", 1)]
        return []

    def template(self, file: SourceFile, content: ContentReader, ref: TemplateRef, /) -> Sequence[Fault]:
        """Check a template's XML, and that it is the one that the configuration says."""
        try:
            found = parse_template(content(file.sha256)).ref
        except XmlError as error:
            return [Fault(error.reason, error.line)]
        return [
            Fault(f"the {name} is {inside}, but the configuration says {declared}", code=Code.TEMPLATE_IDENTITY)
            for name, inside, declared in (("UUID", found.uuid, ref.uuid), ("version", found.version, ref.version))
            if inside != declared
        ]

    def dictionary(self, file: SourceFile, content: ContentReader, /) -> Sequence[Fault]:
        """Check a dictionary's CSV."""
        try:
            Table.parse(content(file.sha256))
        except DictionaryError as error:
            return [Fault(one.message, one.line) for one in error.faults]
        return []

    def certificate(self, file: SourceFile, content: ContentReader, /) -> Sequence[Fault]:
        """Check certificates, PEM or DER: they can be read, are strong and valid, and come without private keys."""
        # Many configurations have none, and what reads them is large.
        from reconciler.conversion.certificates import faults  # noqa: PLC0415

        return faults(content(file.sha256), self._now())

    def name_pattern(self, pattern: str, /) -> Sequence[Fault]:
        """Check the pattern by which an IN rule names its files."""
        try:
            naming.check(pattern)
        except naming.NamePatternError as error:
            return [Fault(str(error), 1, error.character)]
        return []

    def name_fields(self, pattern: str, template: SourceFile, content: ContentReader, /) -> Sequence[Fault]:
        """Check that a template has the fields of which such a pattern makes names."""
        if '"' not in pattern:
            return []  # it names no field
        try:
            definition = self._definition(template, content)
            parsed = naming.parse(pattern)
        except (XmlError, naming.NamePatternError):
            return []  # said already, of the template or of the pattern
        return [Fault(reason, 1, character) for character, reason in naming.misfits(parsed, definition.field_type)]

    def _definition(self, template: SourceFile, content: ContentReader) -> TemplateDefinition:
        known = self._definitions.get(template.sha256)
        if known is None:
            known = self._definitions[template.sha256] = parse_template(content(template.sha256))
        return known

    def _checked(self, kind: str, file: SourceFile, content: ContentReader) -> Sequence[Fault]:
        contents = [content(sha256) for sha256 in file.hashes]
        message = Message({"task": "check", "kind": kind, "files": [described(file)]}, (b"",))

        def check(conversation: Conversation) -> Message:
            conversation.reply()  # asks for the contents, which it cannot have
            return conversation.ask(Message({"contents": True}, contents))

        try:
            reply: Mapping[str, Any] = self._workers.run(message, check).header
        except ConversionError as error:
            return [Fault(f"it cannot be compiled: {error}")]
        return [Fault(text, line, file=part, suggestion=suggestion) for text, line, part, suggestion in reply["faults"]]
