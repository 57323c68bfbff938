"""Maps: XSLT stylesheets compiled once and run many times by Saxon, with everything that reaches outside turned off."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from saxonche import PySaxonApiError, PySaxonProcessor, PyXdmNode, PyXsltExecutable

from reconciler.conversion import functions
from reconciler.conversion.rule_file import RuleFile
from reconciler.conversion.stylesheet_text import Assembled, Output, assemble
from reconciler.errors import ConversionError

_FEATURE = "http://saxon.sf.net/feature/"
_SAFE = {
    # `data` alone: includes are handed over as data: URIs, which reach nothing but themselves.
    "allowedProtocols": "data",
    "allow-external-functions": "off",
    "disableXslEvaluate": "true",
    "regexBacktrackingLimit": "1000000",
    # Without it parse-xml() of a string with a DTD reads local files.
    "parserFeature?uri=http%3A//apache.org/xml/features/disallow-doctype-decl": "true",
}
_ERROR = re.compile(
    r"on line (?P<line>\d+)(?: column \d+)?(?: of (?P<module>\S*?))?:?[ ]*\n"
    r"\s*(?:(?P<code>[A-Z]{4}\d{4}|Q\S+)\s+)?(?P<message>.*?)"
    r"(?=\n\s*In |\s+During lazy evaluation |\n\s*(?:Static |Type |Dynamic )?[Ee]rror |\n\s*Warning |\n\s*\n|\s*\Z)",
    re.DOTALL,
)
_MAX_ROUNDS = 20
_DECLARED_UTF8 = re.compile(r'\A(\ufeff?<\?xml version="[\d.]+" encoding=)"utf-8"')
_META_UTF8 = re.compile(r"(<meta\b[^>]{0,200}charset=[\"']?)utf-8", re.IGNORECASE)
_NOT_MARKUP = frozenset({"text", "json", "adaptive"})


class StylesheetFault(NamedTuple):
    """One error of a compilation; `file` is the name of a part, None the main file."""

    message: str
    line: int | None
    file: str | None
    suggestion: str


class StylesheetError(ConversionError):
    """A stylesheet does not compile (`stylesheet_invalid`), or fails as it runs (`map_failed`).

    `messages` are the map's own until then.
    """

    def __init__(
        self, code: str, name: str, faults: tuple[StylesheetFault, ...], messages: tuple[str, ...] = ()
    ) -> None:
        self.faults, self.messages = faults, messages
        super().__init__(
            code,
            "; ".join(
                f"{fault.file or name}{'' if fault.line is None else f', line {fault.line}'}: {fault.message}"
                + (f" ({fault.suggestion})" if fault.suggestion else "")
                for fault in faults
            ),
        )


@dataclass(frozen=True, slots=True)
class Ran:
    """What a map made: the serialised result as text, its messages, attachments and the envelope it chains to."""

    text: str
    messages: tuple[str, ...]
    attachments: tuple[str, ...]
    chain: str | None


class Saxon:
    """A Saxon processor that opens nothing.

    `diagnostics` returns, and forgets, what Saxon wrote to standard error: it alone says where a map failed.
    """

    def __init__(self, diagnostics: Callable[[], str]) -> None:
        self._diagnostics = diagnostics
        self._processor = PySaxonProcessor(license=False)
        for name, value in _SAFE.items():
            self._processor.set_configuration_property(_FEATURE + name, value)
        self._compiler = self._processor.new_xslt30_processor()

    def compile(self, file: RuleFile) -> "Stylesheet":
        """Compile a stylesheet with the files it includes. Raises StylesheetError."""
        assembled = assemble(file)
        executable = self._executable(file.name, assembled)
        documents = {name: self.node(text) for name, text in assembled.documents.items()}
        return Stylesheet(self._processor, self._diagnostics, file.name, executable, assembled, documents)

    def node(self, text: str) -> PyXdmNode:
        """Return a document that `xml_input` checked as Saxon's own; a declaration in it must say UTF-8 or nothing."""
        try:
            return self._processor.parse_xml(xml_text=text, encoding="utf-8")
        except PySaxonApiError as error:
            raise ConversionError("source_xml", f"the XML cannot be read: {_plain(error)}") from None

    def xpath(self, expression: str, context: PyXdmNode, *, what: str) -> str:
        """Return the string values of an XPath 3.1 expression, joined by spaces; `what` names it in the error."""
        processor = self._processor.new_xpath_processor()
        try:
            processor.set_context(xdm_item=context)
            value = processor.evaluate(expression)
        except PySaxonApiError as error:
            raise ConversionError("xpath_invalid", f"{what}: {_plain(error)}") from None
        return "" if value is None else " ".join(value.item_at(index).string_value for index in range(value.size))

    def _executable(self, name: str, assembled: Assembled) -> PyXsltExecutable:
        try:
            return self._compiler.compile_stylesheet(stylesheet_text=assembled.text, encoding="utf-8")
        except PySaxonApiError as error:
            faults = tuple(sorted(_faults(str(error), assembled), key=lambda fault: fault.line or 0)) or (
                StylesheetFault(_plain(error), None, None, ""),
            )
            raise StylesheetError("stylesheet_invalid", name, faults) from None


class Stylesheet:
    """A compiled stylesheet. Not to be shared between threads."""

    def __init__(
        self,
        processor: PySaxonProcessor,
        diagnostics: Callable[[], str],
        name: str,
        executable: PyXsltExecutable,
        assembled: Assembled,
        documents: Mapping[str, PyXdmNode],
    ) -> None:
        self._processor, self._diagnostics, self._documents = processor, diagnostics, documents
        self._name, self._executable, self._assembled = name, executable, assembled
        self._given: Mapping[str, str | PyXdmNode] = {}
        executable.set_save_xsl_message(True)
        # Saxon would encode as xsl:output says, and its Python side decode that as UTF-8.
        executable.set_property("!encoding", "utf-8")

    @property
    def output(self) -> Output:
        """What the stylesheet's `xsl:output` declares."""
        return self._assembled.output

    def run(
        self,
        source: PyXdmNode,
        parameters: Mapping[str, str | PyXdmNode],
        answer: Callable[[tuple[str, ...]], Mapping[str, str | None]],
    ) -> Ran:
        """Run the map until nothing is asked; `answer` resolves what is. Undeclared parameters are ignored.

        Raises ConversionError `map_failed` with file, line and reason, `lookups_endless`, `chain_ambiguous`.
        """
        given: dict[str, str | PyXdmNode] = {**parameters, **self._documents}
        if self._assembled.calls_functions:
            given[functions.SEED] = functions.seed()
        answers: dict[str, str | None] = {}
        for _ in range(_MAX_ROUNDS):
            if answers:
                given[functions.ANSWERS] = functions.answers(answers)
            outcome, said = self._round(source, given)
            if said.asked:
                answers |= answer(said.asked)
                continue
            if isinstance(outcome, ConversionError):
                raise outcome
            if len(said.chained) > 1:
                raise ConversionError("chain_ambiguous", f"the map chains to several: {', '.join(said.chained)}")
            kept = tuple(uuid for uuid in said.attachments if uuid in outcome)
            return Ran(outcome, said.own, kept, said.chained[0] if said.chained else None)
        raise ConversionError("lookups_endless", f"the map asks for more lookups after {_MAX_ROUNDS} rounds of answers")

    def _round(
        self, source: PyXdmNode, parameters: Mapping[str, str | PyXdmNode]
    ) -> tuple["str | ConversionError", functions.Said]:
        executable = self._executable
        # Messages and parameters of the run before would otherwise still be there.
        executable.clear_xsl_messages()
        if parameters != self._given:
            self._set(parameters)
        self._diagnostics()
        try:
            text = executable.transform_to_string(xdm_node=source) or ""
        except PySaxonApiError as error:
            # A map may fail for want of an answer; so what it asked counts first.
            said = self._said()
            return self._failure(_plain(error), said), said
        return text, self._said()

    def _set(self, parameters: Mapping[str, str | PyXdmNode]) -> None:
        self._executable.clear_parameters()
        for name, value in parameters.items():
            if isinstance(value, str):
                self._executable.set_parameter(name, self._processor.make_string_value(value, encoding="utf-8"))
            else:
                self._executable.set_parameter(name, value)
        self._given = dict(parameters)

    def _said(self) -> functions.Said:
        messages = self._executable.get_xsl_messages()
        texts = () if messages is None else (messages.item_at(index).string_value for index in range(messages.size))
        return functions.sort_messages(texts)

    def _failure(self, reason: str, said: functions.Said) -> ConversionError:
        # The exception says what, standard error says where.
        fault = next(_faults(self._diagnostics(), self._assembled), StylesheetFault(reason, None, None, ""))
        if "terminated by xsl:message" in reason and said.own:
            fault = fault._replace(message=f"the map ended itself: {said.own[-1]}")
        return StylesheetError("map_failed", self._name, (fault,), said.own)


def encoded(text: str, output: Output) -> bytes:
    """Return a result in the encoding that the map's `xsl:output` says; its XML declaration or HTML meta agrees.

    Characters that the encoding lacks become character references in markup; in text they are an error.
    """
    text = _DECLARED_UTF8.sub(rf'\1"{output.encoding}"', text)
    if "html" in output.method:
        text = _META_UTF8.sub(rf"\g<1>{output.encoding}", text, count=1)
    errors = "strict" if output.method in _NOT_MARKUP else "xmlcharrefreplace"
    try:
        if output.encoding.lower() == "utf-16":
            text = text.removeprefix("\ufeff")
        return text.encode(output.encoding, errors)
    except LookupError:
        raise ConversionError("result_encoding", f"the encoding {output.encoding} of xsl:output is unknown") from None
    except UnicodeEncodeError as error:
        lacking = text[error.start]
        raise ConversionError(
            "result_encoding", f"the result has '{lacking}' (U+{ord(lacking):04X}), which {output.encoding} lacks"
        ) from None


def _faults(text: str, assembled: Assembled) -> Iterator[StylesheetFault]:
    for found in _ERROR.finditer(text):
        message = " ".join(found["message"].split())
        yield StylesheetFault(
            f"{found['code']} {message}" if found["code"] else message,
            int(found["line"]),
            assembled.module(found["module"] or ""),
            _mend(message, found["code"] or ""),
        )


def _mend(message: str, code: str) -> str:
    if code == "XPST0003" and "`{`" in message:
        return "write an expression without braces: select is no attribute value template"
    if code == "XPTY0004" and "string-length" in message and "xs:string" in message:
        return "compare string-length() with a number, without quotes"
    if "result-document" in message:
        return "a map has one result: write it without xsl:result-document"
    if "has been prohibited" in message:
        return "a map reads its source, and files of the configuration that it names in quotes"
    return ""


def _plain(error: PySaxonApiError) -> str:
    return " ".join(str(error).split())
