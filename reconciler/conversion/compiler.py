"""Checks the contents of the files that a configuration names, as `reconciler.desired.compiler` asks for it."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from reconciler.conversion import naming
from reconciler.conversion.converter import described
from reconciler.conversion.dictionary import DictionaryError, Table
from reconciler.conversion.frames import Message
from reconciler.conversion.sources.directory import DirectoryError, parse_directory
from reconciler.conversion.workers import Limits, Workers
from reconciler.desired.codes import Code
from reconciler.desired.compiler import Fault
from reconciler.envelope.element import XmlError
from reconciler.envelope.template import TemplateDefinition, parse_template
from reconciler.errors import ConversionError
from reconciler.model.certificate_chain import broken_links, end_of_chain
from reconciler.model.source_file import ContentReader, SourceFile
from reconciler.model.template import TemplateRef

SHORTEST_RSA_KEY, SHORTEST_EC_KEY = 2048, 224
"""Bits: 112 bits of strength, NIST SP 800-57 part 1, table 2."""

ENDS_SOON = timedelta(days=30)
"""How long before its end a certificate is warned of."""


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
        pem = content(file.sha256)
        if b"PRIVATE KEY-----" in pem:
            return [
                Fault("there is a private key in the file; only its owner may have it", suggestion="remove the key")
            ]
        try:
            certificates = (
                x509.load_pem_x509_certificates(pem) if b"-----BEGIN" in pem else [x509.load_der_x509_certificate(pem)]
            )
        except ValueError as error:
            return [Fault(f"this is no certificate in PEM or DER: {error}")]
        doubts = [fault for certificate in certificates for fault in _doubts(certificate, self._now())]
        return [*doubts, *_broken_chain(certificates)]

    def name_pattern(self, pattern: str, /) -> Sequence[Fault]:
        """Check the pattern by which an IN rule names its files."""
        try:
            naming.parse(pattern)
        except naming.NamePatternError as error:
            return [Fault(str(error), 1, error.character)]
        return []

    def name_fields(self, pattern: str, template: SourceFile, content: ContentReader, /) -> Sequence[Fault]:
        """Check that a template has the fields of which such a pattern makes names."""
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
        try:
            with self._workers.conversation() as conversation:
                conversation.ask(message)  # for the contents, which it cannot have
                reply: dict[str, Any] = conversation.ask(Message({"contents": True}, contents)).header
        except ConversionError as error:
            return [Fault(f"it cannot be compiled: {error}")]
        return [Fault(text, line, file=part, suggestion=suggestion) for text, line, part, suggestion in reply["faults"]]


def _broken_chain(certificates: Sequence[x509.Certificate]) -> Iterator[Fault]:
    """Yield the breaks of a chain; a file of several certificates that do not belong together is a list of roots."""
    if end_of_chain(certificates) is None:
        return
    for certificate, issuer in broken_links(certificates):
        signed, name = certificate.subject.rfc4514_string(), issuer.subject.rfc4514_string()
        yield Fault(f"the certificate of {signed} names {name} as its issuer, which did not sign it")


def _doubts(certificate: x509.Certificate, now: datetime) -> Iterator[Fault]:
    subject, ends = certificate.subject.rfc4514_string(), certificate.not_valid_after_utc
    if ends <= now:
        message = f"the certificate of {subject} expired on {ends:%Y-%m-%d}"
        yield Fault(message, code=Code.CERTIFICATE_EXPIRED, is_warning=True)
    elif ends - now <= ENDS_SOON:
        message = f"the certificate of {subject} expires on {ends:%Y-%m-%d}"
        yield Fault(message, code=Code.CERTIFICATE_EXPIRES, is_warning=True)
    match certificate.public_key():
        case rsa.RSAPublicKey(key_size=bits) if bits < SHORTEST_RSA_KEY:
            shortest = SHORTEST_RSA_KEY
        case ec.EllipticCurvePublicKey(key_size=bits) if bits < SHORTEST_EC_KEY:
            shortest = SHORTEST_EC_KEY
        case _:
            return
    message = f"the key of {subject} has {bits} bits; {shortest} are the least that is safe"
    yield Fault(message, code=Code.WEAK_KEY, suggestion="ask the partner for a certificate of a longer key")
