"""An integration as it is written to what the gateway runs: settings with every default, and what is generated."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError

from reconciler.desired.codes import Code
from reconciler.desired.documents import AutorejectDocument, IntegrationDocument
from reconciler.desired.json_schema import ACCOUNTS_SCHEMA, schemas
from reconciler.desired.mistakes import problems_of
from reconciler.desired.nearest import nearest
from reconciler.desired.references import Place
from reconciler.desired.validation import ReadFile, parsed
from reconciler.errors import Problem
from reconciler.model.credential import Credential
from reconciler.model.integration import DefaultRule, Integration
from reconciler.model.key import Key
from reconciler.model.packed import packed_as
from reconciler.model.protocol import ProtocolRegistry
from reconciler.model.source_file import SourceFile


@dataclass(frozen=True, slots=True)
class Connected:
    """An integration as JSON, what is generated for it, and the files that its protocol's section names.

    `identity` is what no other enabled integration of the protocol may have too.
    """

    text: str
    credentials: Mapping[str, Credential]
    files: tuple[tuple[SourceFile, Place], ...]
    identity: tuple[str, ...] | None


def connected(
    document: IntegrationDocument, mailbox: Key, place: Place, protocols: ProtocolRegistry, read_file: ReadFile
) -> tuple[Connected | None, list[Problem]]:
    """Return what an integration means, or None, and what is wrong with it."""
    problems = [*_wrong_sections(document, place, protocols), *_wrong_default(document, place)]
    settings_class = protocols.get(document.protocol)
    if settings_class is None:
        expected = " or ".join(f"'{name}'" for name in sorted(protocols))
        message = f"expected {expected}, got '{document.protocol}'"
        near = nearest(document.protocol, sorted(protocols))
        return None, [*problems, place.below("protocol").problem(Code.BAD_VALUE, message, suggestion=near)]
    section = place.below(document.protocol)
    named: list[SourceFile] = []

    def noted(path: str) -> SourceFile:
        named.append(read_file(path))
        return named[-1]

    try:
        written = document.__pydantic_extra__.get(document.protocol, {})
        settings = parsed(settings_class, written, noted).completed(mailbox)
    except ValidationError as error:
        schema = schemas(protocols)[ACCOUNTS_SCHEMA]
        return None, [*problems, *problems_of(error, section.document, schema, section.location)]
    if document.enabled:
        for field, mend in settings.missing().items():
            problems.append(section.below(*field.split(".")).problem(Code.INCOMPLETE_INTEGRATION, mend, of_key=True))
    text = packed_as(
        Integration,
        enabled=document.enabled,
        protocol=document.protocol,
        settings=settings,
        notify_email=document.notify_email,
        default_rule=_default_rule(document),
        ordered=document.ordered,
        concurrency=document.concurrency,
        per_minute=document.per_minute,
    )
    identity = settings.identity() if document.enabled else None
    files = tuple(_files(settings, section)) if named else ()
    return Connected(text, settings.credentials(mailbox), files, identity), problems


def _wrong_sections(document: IntegrationDocument, place: Place, protocols: ProtocolRegistry) -> Iterator[Problem]:
    known = [*IntegrationDocument.model_fields, *protocols]
    for key in document.__pydantic_extra__:
        if key not in protocols:
            near = nearest(key, known)
            yield place.below(key).problem(Code.UNKNOWN_KEY, f"unknown key '{key}'", of_key=True, suggestion=near)
        elif key != document.protocol and document.protocol in protocols:
            message = f"the protocol is {document.protocol}; this section is not used"
            mend = f"remove it, or write protocol: {key}"
            yield place.below(key).problem(Code.UNUSED_SECTION, message, of_key=True, suggestion=mend)


def _wrong_default(document: IntegrationDocument, place: Place) -> Iterator[Problem]:
    if document.default_rule == "inbox-notify-email" and document.notify_email is None:
        message = "inbox-notify-email needs 'notify_email' beside it: whom to mail"
        yield place.below("default_rule").problem(Code.MISSING_KEY, message)


def _default_rule(document: IntegrationDocument) -> DefaultRule:
    match document.default_rule:
        case AutorejectDocument(autoreject=reason):
            return DefaultRule(action="autoreject", reason=reason)
        case action:
            return DefaultRule(action=action)


def _files(value: object, place: Place) -> Iterator[tuple[SourceFile, Place]]:
    """Yield the files that a protocol's settings name, wherever in them."""
    match value:
        case SourceFile():
            yield value, place
        case BaseModel():
            for name, item in value:
                yield from _files(item, place.below(name))
        case Mapping():
            for name, item in value.items():
                yield from _files(item, place.below(str(name)))
        case tuple() | list():
            for index, item in enumerate(value):
                yield from _files(item, place.below(index))
        case _:
            return
