"""Conversions as the gateway asks for them: a partner's file to envelopes (OUT), an envelope to a file (IN).

What is untrusted — the map, the file, the validation files — is opened in worker processes only (`workers`). What a
map asks of the gateway (dictionaries, aliases, envelopes) is answered here, between two runs of the map.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from types import TracebackType
from typing import Protocol, Self, assert_never
from uuid import UUID

from reconciler.conversion.frames import Message, present
from reconciler.conversion.functions import Lookup, Question
from reconciler.conversion.ready_envelope import ReadyEnvelope, from_facts
from reconciler.conversion.workers import Conversation, Limits, Workers
from reconciler.envelope.xml import FieldTexts
from reconciler.errors import ConversionError, ReconcilerError
from reconciler.model.noun import Json
from reconciler.model.rule import Rule, SourceFormat
from reconciler.model.source_file import ContentReader, SourceFile
from reconciler.model.template_ref import TemplateRef

__all__ = ["Converted", "Converter", "InConversion", "Limits", "Lookups", "OutConversion", "UnfinishedError"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutConversion:
    """A partner's file to be turned into an envelope of `template`, or into several with `multiple_envelopes`.

    `source` is the format that the rule declares; None lets content type, name and content decide. `attributes` are
    literals, or XPath over the first envelope when they begin with `/` or `xpath:`. `directories` are EDIFACT tables
    beside the built-in ones. With `sent`, a moment, the results are made ready to be sent then, and compared with the
    template's `definition` where there is one.
    """

    payload: bytes
    file_name: str
    content_type: str = ""
    source: SourceFormat | None = None
    stylesheet: SourceFile
    validation: tuple[SourceFile, ...] = ()
    sender_mailbox: UUID
    template: TemplateRef
    multiple_envelopes: bool = False
    attributes: Mapping[str, str] = field(default_factory=dict)
    directories: tuple[SourceFile, ...] = ()
    sent: datetime | None = None
    definition: SourceFile | None = None

    @classmethod
    def by(
        cls,
        rule: Rule,
        payload: bytes,
        *,
        file_name: str,
        sender_mailbox: UUID,
        content_type: str = "",
        sent: datetime | None = None,
        definition: SourceFile | None = None,
    ) -> Self:
        """Return what an OUT rule asks for. Raises ConversionError `rule_incomplete`."""
        return cls(
            payload=payload,
            file_name=file_name,
            content_type=content_type,
            source=rule.source,
            stylesheet=_map(rule),
            validation=rule.validation,
            sender_mailbox=sender_mailbox,
            template=rule.template,
            multiple_envelopes=rule.multiple_envelopes,
            attributes=rule.attributes,
            directories=rule.directories,
            sent=sent,
            definition=definition,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class InConversion:
    """An envelope's XML to be turned into a partner's file.

    `sender_mailbox` is the mailbox that sent the envelope. `attributes` are literals, or XPath over the envelope when
    they begin with `/` or `xpath:`. `fields` (document, name) are those whose texts are wanted, too.
    """

    envelope: bytes
    stylesheet: SourceFile
    validation: tuple[SourceFile, ...] = ()
    sender_mailbox: UUID
    template: TemplateRef
    attributes: Mapping[str, str] = field(default_factory=dict)
    fields: Sequence[tuple[str, str]] = ()

    @classmethod
    def by(cls, rule: Rule, envelope: bytes, *, sender_mailbox: UUID, fields: Sequence[tuple[str, str]] = ()) -> Self:
        """Return what an IN rule asks for. Raises ConversionError `rule_incomplete`."""
        return cls(
            envelope=envelope,
            stylesheet=_map(rule),
            validation=rule.validation,
            sender_mailbox=sender_mailbox,
            template=rule.template,
            attributes=rule.attributes,
            fields=fields,
        )


def _map(rule: Rule) -> SourceFile:
    if rule.convert is None:
        raise ConversionError("rule_incomplete", "a rule that delivers an archive converts nothing")
    return rule.convert


class Lookups(Protocol):
    """What a map may ask of the gateway. None means that there is no such thing."""

    def dictionary_value(self, dictionary: str, column_of_value: str, value: str, column_to_find: str) -> str | None:
        """Return the value in one column of the record that has `value` in another."""
        ...

    def dictionary_record(self, dictionary: str, column: str, value: str) -> str | None:
        """Return the UUID of the record that has `value` in `column`."""
        ...

    def mailbox_by_alias(self, alias: str) -> str | None:
        """Return the UUID of the mailbox with this alias. Raises ConversionError `alias_ambiguous`."""
        ...

    def envelope_by_field(self, template: str, field: str, value: str) -> str | None:
        """Return the UUID of the envelope whose field has this value, if exactly one has."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """What a conversion made.

    `results`: OUT: one envelope XML document each, UTF-8; IN: exactly one file, in the encoding that the map's
    `xsl:output` says. `source_xml` is what the map saw where that is not the payload itself. `messages` are the map's
    own and the warnings of validation. `attachments` are the UUIDs, each appearing in a result, that stand for a copy
    of the source file to be attached; `chain_envelope` is the envelope to which the map chains the result. `ready` are
    the results as they are sent, where that was asked for; `fields` what those say that were asked for.
    """

    results: tuple[bytes, ...]
    source_xml: bytes | None = None
    messages: tuple[str, ...] = ()
    attachments: tuple[str, ...] = ()
    chain_envelope: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    ready: tuple[ReadyEnvelope, ...] = ()
    fields: FieldTexts = field(default_factory=dict)


class UnfinishedError(ConversionError):
    """A conversion failed after it began; `made` is what it had made until then, for whoever looks for the cause."""

    def __init__(self, code: str, message: str, made: Converted) -> None:
        super().__init__(code, message)
        self.made = made


class Converter:
    """Runs conversions in worker processes. Thread-safe; as many run at a time as there are workers.

    Every method raises ConversionError: with the map's or the file's own fault (UnfinishedError when the map had
    begun), or with `conversion_timeout` or
    `conversion_killed` when the worker had to be ended; the next conversion is not affected. What `content` and the
    lookups raise besides comes through.
    """

    def __init__(self, content: ContentReader, *, workers: int = 1, limits: Limits = Limits()) -> None:  # noqa: B008 - frozen
        self._content: Callable[[str], bytes] = lru_cache(maxsize=256)(content)
        self._workers = Workers(workers, limits)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the workers. Conversions that still run fail with `conversion_killed`."""
        self._workers.close()

    def process_ids(self) -> tuple[int, ...]:
        """Return the process identifiers of the workers that live, for whoever watches what they use."""
        return self._workers.process_ids()

    def convert_out(self, request: OutConversion, lookups: Lookups) -> Converted:
        """Turn a partner's file into envelope XML."""
        header: dict[str, Json] = {
            "task": "out",
            "file_name": request.file_name,
            "content_type": request.content_type,
            "source": request.source,
            "multiple_envelopes": request.multiple_envelopes,
            "sent": request.sent.isoformat() if request.sent else None,
            "definition": described(request.definition) if request.definition else None,
        }
        return self._convert(header, request.payload, request, lookups, request.directories)

    def convert_in(self, request: InConversion, lookups: Lookups) -> Converted:
        """Turn an envelope's XML into a partner's file."""
        header: dict[str, Json] = {"task": "in", "fields": [list(wanted) for wanted in request.fields]}
        return self._convert(header, request.envelope, request, lookups)

    def to_source_xml(
        self,
        payload: bytes,
        *,
        file_name: str,
        content_type: str = "",
        source: SourceFormat | None = None,
        directories: Sequence[SourceFile] = (),
    ) -> bytes:
        """Return a partner's file as the XML that a map would see."""
        header: dict[str, Json] = {
            "task": "source",
            "file_name": file_name,
            "content_type": content_type,
            "source": source,
            "directories": len(directories),
        }
        tables = [self._content(file.sha256) for file in directories]
        message = Message(present(header), (payload, *tables))
        return self._workers.run(message, Conversation.reply).frames[0]

    def _convert(
        self,
        header: dict[str, Json],
        payload: bytes,
        request: OutConversion | InConversion,
        lookups: Lookups,
        directories: Sequence[SourceFile] = (),
    ) -> Converted:
        files = (request.stylesheet, *request.validation)
        header |= {
            "files": [described(file) for file in files],
            "parameters": {
                "SENDER_MAILBOX": str(request.sender_mailbox),
                "TEMPLATE_UUID": str(request.template.uuid),
                "TEMPLATE_VERSION": str(request.template.version),
            },
            "attributes": dict(request.attributes),
            "directories": len(directories),
        }
        tables = [self._content(file.sha256) for file in directories]
        message = Message(present(header), (payload, *tables))
        reply = self._workers.run(message, lambda conversation: self._held(conversation, lookups))
        failure = reply.header.get("failure")
        if isinstance(failure, list):
            code, text = failure
            raise UnfinishedError(str(code), str(text), _converted(reply, ()))
        return _converted(reply, request.fields if isinstance(request, InConversion) else ())

    def _held(self, conversation: Conversation, lookups: Lookups) -> Message:
        """Hold a conversation until nothing more is asked, and return the last reply."""
        reply = conversation.reply()
        while True:
            if "wanted" in reply.header:
                reply = self._sent(conversation, reply)
            elif "asked" in reply.header:
                reply = _answered(conversation, reply, lookups)
            else:
                return reply

    def _sent(self, conversation: Conversation, reply: Message) -> Message:
        """Send the contents that a worker has not compiled yet, and return its next reply."""
        try:
            contents = [self._content(sha256) for sha256 in _texts(reply.header["wanted"])]
        except ReconcilerError:
            conversation.abort()
            raise
        return conversation.ask(Message({"contents": True}, contents))


def described(file: SourceFile) -> Json:
    """Return a file's names and hashes as a worker's message lists them; it asks for contents that it does not have."""
    return {"names": [file.name, *(part.name for part in file.parts)], "hashes": list(file.hashes)}


def _answered(conversation: Conversation, reply: Message, lookups: Lookups) -> Message:
    questions = _texts(reply.header["asked"])
    try:
        answers: dict[str, Json] = {text: _answer(Question.parse(text), lookups) for text in questions}
    except ConversionError:
        conversation.abort()
        raise
    return conversation.ask(Message({"answers": answers}))


def _answer(question: Question, lookups: Lookups) -> str | None:
    arguments = question.arguments
    match question.lookup:
        case Lookup.DICTIONARY_VALUE:
            return lookups.dictionary_value(*arguments)
        case Lookup.DICTIONARY_RECORD:
            return lookups.dictionary_record(*arguments)
        case Lookup.MAILBOX_BY_ALIAS:
            return lookups.mailbox_by_alias(*arguments)
        case Lookup.ENVELOPE_BY_FIELD:
            return lookups.envelope_by_field(*arguments)
        case _:
            assert_never(question.lookup)


def _converted(reply: Message, fields: Sequence[tuple[str, str]]) -> Converted:
    header = reply.header
    has_source = header.get("source_xml") is True
    chain, attributes, ready = header.get("chain"), header.get("attributes"), _list(header.get("ready"))
    made = reply.frames[has_source:]
    first_ready = len(made) - len(ready)
    return Converted(
        results=tuple(made[:first_ready]),
        source_xml=reply.frames[0] if has_source else None,
        messages=_texts(header.get("messages", [])),
        attachments=_texts(header.get("attachments", [])),
        chain_envelope=None if chain is None else str(chain),
        attributes={name: str(value) for name, value in attributes.items()} if isinstance(attributes, dict) else {},
        ready=tuple(map(_ready, made[first_ready:], ready)),
        fields={
            wanted: None if texts is None else _texts(texts)
            for wanted, texts in zip(fields, _list(header.get("fields")), strict=False)
        },
    )


def _ready(content: bytes, known: Json) -> ReadyEnvelope:
    try:
        return from_facts(content, known)
    except ValueError as error:
        raise ConversionError("conversion_killed", f"the worker's answer is none: {error}") from None


def _list(value: Json) -> Sequence[Json]:
    return value if isinstance(value, list) else ()


def _texts(value: Json) -> tuple[str, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ConversionError("conversion_killed", f"the worker answered {json.dumps(value)[:80]}")
    return tuple(str(item) for item in value)
