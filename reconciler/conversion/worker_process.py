"""A worker process: gives up its powers, then runs one conversion after the other as the gateway's messages ask.

Started by `workers` as `python -m reconciler.conversion.worker_process`; it ends when its standard input does.
"""

import gc
import os
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, BinaryIO, TypedDict, TypeVar
from uuid import UUID

from lxml import etree
from saxonche import PyXdmNode

from reconciler.conversion import sandbox
from reconciler.conversion.frames import BrokenConversationError, Message, present, read, write
from reconciler.conversion.ready_envelope import ReadyEnvelope, facts, made_ready
from reconciler.conversion.results import envelopes
from reconciler.conversion.rule_file import RuleFile
from reconciler.conversion.sources.source import source_format, to_xml
from reconciler.conversion.validation import SchemaError, Validator, compile_validation, refuse
from reconciler.conversion.xml_input import XmlFaultError, in_utf8, is_plain, parse
from reconciler.conversion.xslt import Ran, Saxon, Stylesheet, StylesheetError, encoded
from reconciler.envelope.template import TemplateDefinition, parse_template
from reconciler.errors import ConversionError

_COMPILED = 128
_COMPILED_BYTES = 8 << 20
"""The text of the files that are kept compiled."""
_XPATH = ("/", "xpath:")
_OUT_OF_MEMORY = 70

T = TypeVar("T")


class _Input(TypedDict):
    """What XML is called in an error about it, and the error's code."""

    what: str
    code: str


_ENVELOPE: _Input = {"what": "the envelope", "code": "envelope_xml"}


class _AbortedError(Exception):
    """The gateway gave up a conversion that waits for answers."""


@dataclass(slots=True)
class _Made:
    """What a conversion made so far, and why it went no further."""

    source: bytes | None = None
    text: str = ""
    results: tuple[bytes, ...] = ()
    messages: list[str] = field(default_factory=list)
    attachments: tuple[str, ...] = ()
    chain: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    ready: Sequence[ReadyEnvelope] = ()
    fields: Sequence[list[str] | None] = ()
    failure: ConversionError | None = None

    def take(self, ran: Ran) -> None:
        """Note what the map made."""
        self.text, self.attachments, self.chain = ran.text, ran.attachments, ran.chain
        self.messages += ran.messages


@dataclass(frozen=True, slots=True)
class _NamedFile:
    """A rule's file as a message describes it: the names of its parts, the main one first, and their hashes."""

    names: tuple[str, ...]
    hashes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The main file's name."""
        return self.names[0]


class Worker:
    """Runs tasks, keeping what it compiled. `ask` is the exchange of a question for the gateway's answer.

    `allow` is told of how many bytes of rules' files are to be in memory, compiled.
    """

    def __init__(
        self,
        ask: Callable[[Message], Message],
        allow: Callable[[int], None],
        saxon: Saxon,
        *,
        largest_payload: int,
        largest_result: int,
    ) -> None:
        self._ask, self._allow, self._saxon = ask, allow, saxon
        self._largest_payload, self._largest_result = largest_payload, largest_result
        self._compiled: OrderedDict[tuple[object, ...], tuple[Any, int]] = OrderedDict()
        self._compiled_bytes = 0

    def run(self, message: Message) -> Message:
        """Do a task and return its reply. Raises ConversionError."""
        if len(message.frames[0]) > self._largest_payload:
            raise ConversionError("payload_too_large", f"the file is larger than {self._largest_payload >> 20} MiB")
        match message.header["task"]:
            case "source":
                kind, source = _source(message)
                name = str(message.header.get("file_name", ""))
                return Message({}, (in_utf8(source, what=name, code="xml_syntax") if kind == "xml" else source,))
            case "out":
                return self._convert_out(message)
            case "in":
                return self._convert_in(message)
            case "check":
                return Message({"faults": self._check(message)})  # type: ignore[dict-item]
            case unknown:
                raise ConversionError("conversion_failed", f"there is no task '{unknown}'")

    def _convert_out(self, message: Message) -> Message:
        header: Mapping[str, Any] = message.header
        kind, source = _source(message)
        made = _Made(source=None if kind == "xml" else source)
        with self._replying(made):
            stylesheet, *validation = _files(message)
            if kind == "xml":
                node = self._node(source, what=header.get("file_name", ""), code="xml_syntax")
            else:
                node = self._saxon.node(source.decode())
            made.take(self._stylesheet(stylesheet).run(node, _mapping(header["parameters"]), self._answers))
            made.results = envelopes(made.text, several=header.get("multiple_envelopes") is True)
            made.messages += [text for result in made.results for text in self._validate(validation, result)]
            made.attributes = self._attributes(_mapping(header.get("attributes")), made.results[0])
            if "sent" in header:
                made.ready = self._made_ready(made, sent=datetime.fromisoformat(header["sent"]), header=header)
        return self._reply(made)

    def _convert_in(self, message: Message) -> Message:
        header: Mapping[str, Any] = message.header
        stylesheet, *validation = _files(message)
        envelope = message.frames[0]
        made = _Made()
        with self._replying(made):
            compiled = self._stylesheet(stylesheet)
            node = self._node(envelope, **_ENVELOPE)
            made.take(compiled.run(node, _mapping(header["parameters"]), self._answers))
            result = encoded(made.text, compiled.output)
            if not result:
                raise ConversionError("result_empty", f"{stylesheet.name} made nothing of the envelope")
            made.results = (result,)
            made.messages += self._validate(validation, result)
            made.attributes = self._attributes(_mapping(header.get("attributes")), envelope)
            if "fields" in header:
                root = parse(envelope, **_ENVELOPE).getroot()
                made.fields = [_field_texts(root, document, name) for document, name in header["fields"]]
        return self._reply(made)

    def _node(self, content: bytes, *, what: str, code: str) -> PyXdmNode:
        """Return XML as Saxon's document after the checks of `xml_input`; Saxon itself makes those of a plain one."""
        if is_plain(content):
            with suppress(UnicodeDecodeError, ConversionError):  # lxml knows better what is wrong, and where
                return self._saxon.node(content.decode())
        return self._saxon.node(in_utf8(content, what=what, code=code).decode().removeprefix("\ufeff"))

    def _made_ready(self, made: "_Made", *, sent: datetime, header: Mapping[str, Any]) -> list[ReadyEnvelope]:
        """Return the results as they are sent. Raises ConversionError, which says of which one."""
        definition = self._definition(_file(header["definition"])) if "definition" in header else None
        chain = UUID(made.chain) if made.chain else None
        ready = []
        for number, result in enumerate(made.results, 1):
            try:
                ready.append(made_ready(result, definition=lambda _: definition, sent=sent, chain=chain))
            except ConversionError as error:
                if len(made.results) == 1:
                    raise
                raise ConversionError(error.code, f"envelope {number}: {error}") from None
        return ready

    def _definition(self, file: _NamedFile) -> TemplateDefinition:
        return self._once("template", file, lambda loaded: parse_template(loaded.content))

    @contextmanager
    def _replying(self, made: "_Made") -> Iterator[None]:
        """Keep a failure to be replied with what was made until it came."""
        try:
            yield
        except ConversionError as error:
            made.failure = error
            if isinstance(error, StylesheetError):
                made.messages += error.messages
            if made.text and not made.results:
                made.results = (made.text.encode(),)

    def _reply(self, made: "_Made") -> Message:
        if sum(map(len, made.results)) > self._largest_result:
            raise ConversionError("result_too_large", f"the result is larger than {self._largest_result >> 20} MiB")
        header: dict[str, Any] = {
            "ready": [facts(one) for one in made.ready],
            "fields": made.fields,
            "source_xml": made.source is not None,
            "messages": made.messages,
            "attachments": made.attachments,
            "chain": made.chain,
            "attributes": made.attributes,
            "failure": made.failure and [made.failure.code, str(made.failure)],
        }
        source = [] if made.source is None else [made.source]
        return Message(present(header), (*source, *made.results, *(one.content for one in made.ready)))

    def _answers(self, asked: Sequence[str]) -> Mapping[str, str | None]:
        answers = self._ask(Message({"asked": list(asked)})).header.get("answers")
        if not isinstance(answers, dict):
            raise _AbortedError
        return {question: None if answer is None else str(answer) for question, answer in answers.items()}

    def _stylesheet(self, file: _NamedFile) -> Stylesheet:
        return self._once("stylesheet", file, self._saxon.compile)

    def _validator(self, file: _NamedFile) -> Validator:
        return self._once("validation", file, lambda loaded: compile_validation(loaded, self._saxon))

    def _loaded(self, file: _NamedFile) -> RuleFile:
        """Return a file with its contents, which the gateway has."""
        contents = self._ask(Message({"wanted": list(file.hashes)})).frames
        if len(contents) != len(file.names):
            raise _AbortedError
        self._allow(self._compiled_bytes + sum(map(len, contents)))
        return RuleFile(file.name, dict(zip(file.names, contents, strict=True)))

    def _once(self, kind: str, file: _NamedFile, compile_it: Callable[[RuleFile], T]) -> T:
        key = kind, *file.names, *file.hashes
        if key not in self._compiled:
            loaded = self._loaded(file)
            size = sum(map(len, loaded.contents.values()))
            self._compiled[key] = compile_it(loaded), size
            self._compiled_bytes += size
            while len(self._compiled) > _COMPILED or (
                self._compiled_bytes > _COMPILED_BYTES and len(self._compiled) > 1
            ):
                self._compiled_bytes -= self._compiled.popitem(last=False)[1][1]
        self._compiled.move_to_end(key)
        compiled: T = self._compiled[key][0]
        return compiled

    def _validate(self, files: Sequence[_NamedFile], result: bytes) -> list[str]:
        if not files:
            return []
        document = parse(result, what="the result", code="result_not_xml")
        return [warning for file in files for warning in refuse(file.name, self._validator(file)(document))]

    def _attributes(self, wanted: Mapping[str, str], envelope: bytes) -> dict[str, str]:
        evaluated = {name: value for name, value in wanted.items() if value.startswith(_XPATH)}
        if not evaluated:
            return dict(wanted)
        node = self._node(envelope, **_ENVELOPE)
        return dict(wanted) | {
            name: self._saxon.xpath(value.removeprefix("xpath:"), node, what=f"attribute {name}")
            for name, value in evaluated.items()
        }

    def _check(self, message: Message) -> list[list[str | int | None]]:
        """Return what keeps a file from being used, each as message, line, file, suggestion."""
        (named,) = _files(message)
        file = self._loaded(named)
        try:
            if message.header["kind"] == "stylesheet":
                self._saxon.compile(file)
            else:
                compile_validation(file, self._saxon)
        except StylesheetError as error:
            return [[one.message, one.line, one.file, one.suggestion] for one in error.faults]
        except SchemaError as error:
            return [[one.message, one.line, one.file, ""] for one in error.faults]
        except XmlFaultError as error:
            return [[error.reason, error.line, None if error.what == file.name else error.what, ""]]
        except ConversionError as error:
            return [[str(error), None, None, ""]]
        return []


def _source(message: Message) -> tuple[str, bytes]:
    """Return a payload's format and its XML; a payload that is XML comes back as it is, unchecked."""
    header: Mapping[str, Any] = message.header
    payload, name, content_type = message.frames[0], header.get("file_name", ""), header.get("content_type", "")
    source = header.get("source") or source_format(payload, file_name=name, content_type=content_type)
    if source == "xml":
        return source, payload
    directories = [table.decode() for table in message.frames[1 : 1 + header.get("directories", 0)]]
    return source, to_xml(payload, file_name=name, content_type=content_type, declared=source, directories=directories)


def _files(message: Message) -> list[_NamedFile]:
    described: Any = message.header["files"]
    return [_file(file) for file in described]


def _file(described: Mapping[str, Any]) -> _NamedFile:
    return _NamedFile(tuple(described["names"]), tuple(described["hashes"]))


def _field_texts(envelope: etree._Element, document_id: str, name: str) -> list[str] | None:
    """Return the texts of an envelope's field, None for a table."""
    found: list[str] = []
    for item in envelope.iterfind("documents/document/*"):
        parent = item.getparent()
        if item.get("name") != name or parent is None or parent.get("id") != document_id:
            continue
        if item.tag == "fieldgroup":
            return None
        found += [value.text or "" for value in (item.findall("value") or [item])]
    return found


def _mapping(value: object) -> Mapping[str, str]:
    return {str(key): str(item) for key, item in value.items()} if isinstance(value, dict) else {}


def _reply(worker: Worker, message: Message) -> Message:
    """Return the reply to a message, be it an error."""
    try:
        return worker.run(message)
    except ConversionError as error:
        return Message({"error": [error.code, str(error)]})
    except _AbortedError:
        return Message({})
    except MemoryError:
        os._exit(_OUT_OF_MEMORY)
    except BrokenConversationError:
        raise
    except Exception as error:  # noqa: BLE001 - hostile input may raise anything in a library; the gateway is told what
        return Message({"error": ["conversion_failed", f"{type(error).__name__}: {error}"[:2000]]})


def main() -> None:
    """Serve until the gateway closes the pipe."""
    stdin, stdout = sandbox.take_pipes()
    limits: Mapping[str, Any] = _limits(stdin)
    sandbox.confine(memory=limits["memory"])

    def ask(message: Message) -> Message:
        write(stdout, message)
        return read(stdin)

    saxon = Saxon(sandbox.diagnostics)
    allow = partial(sandbox.allow_memory, limits["memory"])
    worker = Worker(ask, allow, saxon, largest_payload=limits["payload"], largest_result=limits["result"])
    # What is there stays there: no collection of garbage needs to look at it.
    gc.freeze()
    while True:
        message = read(stdin)
        sandbox.allow_cpu(limits["cpu_seconds"])
        write(stdout, _reply(worker, message))


def _limits(stdin: BinaryIO) -> Mapping[str, Any]:
    limits = read(stdin).header["limits"]
    if not isinstance(limits, dict):
        raise BrokenConversationError("the first message brings the limits")
    return limits


if __name__ == "__main__":
    try:
        main()
    except (BrokenConversationError, BrokenPipeError):
        # The gateway closed the pipe. Without the teardown of Saxon's runtime, which is slow and can hang.
        sys.stderr.flush()
        os._exit(0)
