"""Checks the contents of the files that a configuration names, as `reconciler.desired.compiler` asks for it."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from cryptography import x509

from reconciler.conversion import naming
from reconciler.conversion.converter import described
from reconciler.conversion.dictionary import DictionaryError, Table
from reconciler.conversion.frames import Message
from reconciler.conversion.workers import Limits, Workers
from reconciler.desired.compiler import Fault
from reconciler.envelope.element import XmlError
from reconciler.envelope.template import parse_template
from reconciler.errors import ConversionError
from reconciler.model.source_file import ContentReader, SourceFile


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

    def template(self, file: SourceFile, content: ContentReader, /) -> Sequence[Fault]:
        """Check a template's XML."""
        try:
            parse_template(content(file.sha256))
        except XmlError as error:
            return [Fault(error.reason, error.line)]
        return []

    def dictionary(self, file: SourceFile, content: ContentReader, /) -> Sequence[Fault]:
        """Check a dictionary's CSV."""
        try:
            Table.parse(content(file.sha256))
        except DictionaryError as error:
            return [Fault(one.message, one.line) for one in error.faults]
        return []

    def certificate(self, file: SourceFile, content: ContentReader, /) -> Sequence[Fault]:
        """Check a certificate in PEM: it can be read, is still valid, and comes without its private key."""
        pem = content(file.sha256)
        if b"PRIVATE KEY-----" in pem:
            return [
                Fault("there is a private key in the file; only its owner may have it", suggestion="remove the key")
            ]
        try:
            certificates = x509.load_pem_x509_certificates(pem)
        except ValueError as error:
            return [Fault(f"this is no certificate in PEM: {error}")]
        return [
            Fault(f"the certificate of {one.subject.rfc4514_string()} expired on {one.not_valid_after_utc:%Y-%m-%d}")
            for one in certificates
            if one.not_valid_after_utc <= self._now()
        ]

    def name_pattern(self, pattern: str, /) -> Sequence[Fault]:
        """Check the pattern by which an IN rule names its files."""
        try:
            naming.parse(pattern)
        except ValueError as error:
            return [Fault(str(error))]
        return []

    def _checked(self, kind: str, file: SourceFile, content: ContentReader) -> Sequence[Fault]:
        contents = [content(sha256) for sha256 in file.hashes]
        message = Message({"task": "check", "kind": kind, "files": [described(file)]}, (b"", *contents))
        try:
            with self._workers.conversation() as conversation:
                reply: dict[str, Any] = conversation.ask(message).header
        except ConversionError as error:
            return [Fault(f"it cannot be compiled: {error}")]
        return [Fault(text, line, file=part, suggestion=suggestion) for text, line, part, suggestion in reply["faults"]]
