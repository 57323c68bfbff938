"""Validation files, compiled: XML Schema by lxml, Schematron by Saxon, both with a rule's own files only.

Schematron comes as a schema, or as the stylesheet that somebody made of one, whose result is in SVRL.
"""

import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import Any, NamedTuple, cast

from lxml import etree
from saxonche import PyXdmNode

from reconciler.conversion.rule_file import RuleFile
from reconciler.conversion.schematron import SEVERITIES, compile_schematron, severity_is_failure, source_place
from reconciler.conversion.schematron_source import SchematronError
from reconciler.conversion.xml_input import parse, text_of, without_doctype
from reconciler.conversion.xslt import Saxon, StylesheetError
from reconciler.errors import ConversionError

# libxml2 resolves `..` against the URL; deep enough, so that no path of a configuration climbs above it.
_SCHEME = "part:/"
_BASE = _SCHEME + "d/" * 32
_URL = re.compile(rf"{_SCHEME}[^'\s]+")
_SHOWN = 20
_SVRL = "{http://purl.oclc.org/dsdl/svrl}"
_QUALIFIED = re.compile(r"""\*:([\w.-]+)\[namespace-uri\(\)=(?:'[^']*'|"[^"]*")\]|Q\{[^{}]*\}""")
"""What stylesheets write into a step that name elements without prefixes, all but the name."""
_DECLARATION = re.compile(r"\A\ufeff?\s*<\?xml\s[^>]*\?>")
_XML_SCHEMAS = frozenset(
    f"{scheme}://www.w3.org/{path}xml.xsd"
    for scheme in ("http", "https")
    for path in ("", "2001/", "2005/08/", "2007/08/", "2009/01/")
)
_XML_NAMESPACE = b"""<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"
 targetNamespace="http://www.w3.org/XML/1998/namespace">
<xs:attribute name="lang" type="xs:string"/><xs:attribute name="base" type="xs:anyURI"/>
<xs:attribute name="id" type="xs:ID"/><xs:attribute name="space">
<xs:simpleType><xs:restriction base="xs:NCName"><xs:enumeration value="default"/><xs:enumeration value="preserve"/>
</xs:restriction></xs:simpleType></xs:attribute>
<xs:attributeGroup name="specialAttrs"><xs:attribute ref="xml:base"/><xs:attribute ref="xml:lang"/>
<xs:attribute ref="xml:space"/><xs:attribute ref="xml:id"/></xs:attributeGroup></xs:schema>"""
"""The attributes of the namespace `xml`, which schemas import from where the W3C has them."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a validation file says of a document: where in it, what, and whether it refuses the document."""

    location: str
    text: str
    refuses: bool = True

    def __str__(self) -> str:
        return f"{self.location}: {self.text}" if self.location else self.text


Validator = Callable[[etree._ElementTree], Sequence[Finding]]  # noqa: SLF001 - lxml names no public class


class SchemaFault(NamedTuple):
    """One error of a schema; `file` is the name of a part, None the main file."""

    message: str
    line: int | None
    file: str | None


class SchemaError(ConversionError):
    """An XML Schema or a Schematron schema does not compile."""

    def __init__(self, code: str, name: str, faults: Sequence[SchemaFault]) -> None:
        self.faults = tuple(faults)
        super().__init__(
            code,
            "; ".join(
                f"{one.file or name}{'' if one.line is None else f', line {one.line}'}: {one.message}" for one in faults
            ),
        )


def compile_validation(file: RuleFile, saxon: Saxon) -> Validator:
    """Return the validator of an `.xsd`, `.sch` or `.xsl` file. Raises ConversionError when it does not compile."""
    match PurePosixPath(file.name).suffix.lower():
        case ".sch":
            return schematron(file, saxon)
        case ".xsl" | ".xslt":
            return compiled_schematron(file, saxon)
        case _:
            return xml_schema(file)


def refuse(name: str, findings: Sequence[Finding]) -> tuple[str, ...]:
    """Return what warns, as messages. Raises ConversionError `validation_failed` when a finding refuses."""
    refusing = [finding for finding in findings if finding.refuses]
    if refusing:
        more = f"; and {len(refusing) - _SHOWN} more" if len(refusing) > _SHOWN else ""
        raise ConversionError("validation_failed", f"{name}: {'; '.join(map(str, refusing[:_SHOWN]))}{more}")
    return tuple(f"{name}: {finding}" for finding in findings)


class _Parts(etree.Resolver):
    """Serves a schema's includes from the rule's own files. The type information of lxml lacks what is used here."""

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        super().__init__()
        self._contents = contents
        self.missing: list[str] = []

    def resolve(self, url: str, _id: str, context: Any) -> Any:  # type: ignore[override]  # noqa: ANN401 - as lxml has it
        name = _name(url)
        content = _XML_NAMESPACE if url in _XML_SCHEMAS else self._contents.get(name)
        if content is None:
            self.missing.append(name)
            # Saying nothing would let libxml2 open the URL itself.
            return self.resolve_string("<missing/>", context, base_url=url)
        return self.resolve_string(content, context, base_url=url)


def xml_schema(file: RuleFile) -> Validator:
    """Return the validator of an XML Schema. Raises SchemaError `schema_invalid`."""
    contents = {name: without_doctype(content) for name, content in file.contents.items()}
    for name, content in contents.items():
        parse(content, what=name, code="schema_invalid")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    parts = _Parts(contents)
    parser.resolvers.add(parts)
    faults: list[SchemaFault] = []
    schema: etree.XMLSchema | None = None
    try:
        schema = etree.XMLSchema(etree.fromstring(contents[file.name], parser, base_url=_BASE + file.name))
    except etree.XMLSchemaParseError as error:
        faults = [_schema_fault(entry, file.name) for entry in cast("list[Any]", error.error_log)]
        faults = faults or [SchemaFault(str(error), None, None)]
    if parts.missing:
        faults = [
            SchemaFault(f"'{one}' is not among the files of the configuration", None, None) for one in parts.missing
        ]
    if schema is None or faults:
        raise SchemaError("schema_invalid", file.name, faults)
    return partial(_schema_findings, schema)


def _schema_findings(schema: etree.XMLSchema, document: etree._ElementTree) -> Sequence[Finding]:
    if schema.validate(document):
        return ()
    entries = cast("list[Any]", schema.error_log)
    return [Finding(f"line {entry.line}, {entry.path}", entry.message) for entry in entries]


def _name(url: str) -> str:
    return posixpath.relpath(url, _BASE) if url.startswith(_SCHEME) else url


def _schema_fault(entry: Any, main: str) -> SchemaFault:  # noqa: ANN401 - lxml names no public class
    name = _name(entry.filename or main)
    return SchemaFault(
        _URL.sub(lambda url: _name(url.group()), entry.message), entry.line or None, None if name == main else name
    )


def schematron(file: RuleFile, saxon: Saxon) -> Validator:
    """Return the validator of a Schematron schema. Raises SchemaError `schematron_invalid`."""
    try:
        text, documents = compile_schematron(file)
    except SchematronError as error:
        fault = SchemaFault(error.reason, error.line, None if error.file == file.name else error.file)
        raise SchemaError("schematron_invalid", file.name, [fault]) from None
    try:
        stylesheet = saxon.compile(RuleFile(file.name, {**file.contents, file.name: text}))
    except StylesheetError as error:
        raise SchemaError("schematron_invalid", file.name, _placed(error, text, file.name)) from None

    nodes = {name: _document(saxon, part, file.contents[part]) for name, part in documents.items()}

    def validate(document: etree._ElementTree) -> Sequence[Finding]:
        try:
            ran = stylesheet.run(saxon.node(etree.tostring(document, encoding="unicode")), nodes, _unanswered)
        except StylesheetError as error:
            raise SchemaError("validation_failed", file.name, _placed(error, text, file.name)) from None
        result = parse(ran.text.encode(), what="the validation's result", code="validation_failed").getroot()
        return [_schematron_finding(failure) for failure in result]

    return validate


def compiled_schematron(file: RuleFile, saxon: Saxon) -> Validator:
    """Return the validator of a stylesheet that reports in SVRL (ISO/IEC 19757-3, annex D). Raises StylesheetError."""
    stylesheet = saxon.compile(file)

    def validate(document: etree._ElementTree) -> Sequence[Finding]:
        try:
            ran = stylesheet.run(saxon.node(etree.tostring(document, encoding="unicode")), {}, _unanswered)
        except StylesheetError as error:
            faults = [SchemaFault(fault.message, fault.line, fault.file) for fault in error.faults]
            raise SchemaError("validation_failed", file.name, faults) from None
        report = parse(_report(ran.text), what=f"what {file.name} wrote", code="validation_failed").getroot()
        if report.tag != f"{_SVRL}schematron-output":
            reason = f"{file.name} wrote {report.tag} and not the report of a Schematron, svrl:schematron-output"
            raise ConversionError("validation_failed", reason)
        return [_svrl_finding(one) for one in report.iter(f"{_SVRL}failed-assert", f"{_SVRL}successful-report")]

    return validate


def _report(text: str) -> bytes:
    """Return a stylesheet's result in UTF-8, whatever encoding its declaration says."""
    return _DECLARATION.sub("", text).encode() or b"<nothing/>"


def _svrl_finding(element: etree._Element) -> Finding:
    text = " ".join("".join(map(str, one.itertext())) for one in element.iter(f"{_SVRL}text"))
    severity = next((element.get(key, "") for key in SEVERITIES if element.get(key)), "")
    return _finding(element, text, severity)


def _document(saxon: Saxon, name: str, content: bytes) -> PyXdmNode:
    """Return a file that a schema reads; it is read once."""
    return saxon.node(text_of(content, parse(content, what=name, code="schematron_invalid")))


def _unanswered(asked: Sequence[str]) -> dict[str, str | None]:
    """Answer nothing: a validation asks nothing of the gateway."""
    return dict.fromkeys(asked)


def _placed(error: StylesheetError, text: bytes, main: str) -> list[SchemaFault]:
    """Return a compiled schema's faults at the places of the schema that they come from."""
    tree = parse(text, what=main, code="schematron_invalid")
    faults = []
    for fault in error.faults:
        file, line = (None if fault.line is None else source_place(tree, fault.line)) or (main, None)
        message = f"{fault.message} ({fault.suggestion})" if fault.suggestion else fault.message
        faults.append(SchemaFault(message, line, None if file == main else file))
    return faults


def _schematron_finding(failure: etree._Element) -> Finding:
    return _finding(failure, "".join(map(str, failure.itertext())), failure.get("severity", ""))


def _finding(element: etree._Element, said: str, severity: str) -> Finding:
    name, text = element.get("id"), " ".join(said.split()) or f"not as the test says: {element.get('test', '')}"
    return Finding(
        _QUALIFIED.sub(r"\1", element.get("location", "")),
        f"[{name}] {text}" if name and name not in text else text,
        severity_is_failure(severity),
    )
