"""A Schematron schema as one tree: includes put in, abstract patterns and rules written out (ISO/IEC 19757-3, 6)."""

import re
from collections.abc import Mapping
from copy import deepcopy
from typing import NamedTuple

from lxml import etree

from reconciler.conversion.rule_file import RuleFile
from reconciler.conversion.xml_input import parse
from reconciler.errors import ConversionError

SCHEMATRON = "http://purl.oclc.org/dsdl/schematron"
LINE = "{urn:reconciler:conversion}line"
FILE = "{urn:reconciler:conversion}file"
XSLT = "http://www.w3.org/1999/XSL/Transform"
XSLT_INCLUDES = frozenset({f"{{{XSLT}}}import", f"{{{XSLT}}}include"})
_CODE = "schematron_invalid"
_MAX_DEPTH = 32
_MAX_ELEMENTS = 1_000_000
_XINCLUDE = "{http://www.w3.org/2001/XInclude}include"
_XML_ID = "{http://www.w3.org/XML/1998/namespace}id"
_KNOWN = re.compile(
    "active|assert|diagnostics?|dir|emph|extends|include|let|name|ns|p|param|pattern|phase|properties|property|report|"
    "rule|schema|span|title|value-of"
)
_PARAMETER = re.compile(r"\$[\w.-]+")
_WITH_PARAMETERS = frozenset({"test", "context", "select", "value", "path", "documents", "subject", "match"})


class SchematronError(ConversionError):
    """A Schematron schema cannot be compiled. `line` counts from 1; `file` is the name of the file that it is in."""

    def __init__(self, reason: str, *, file: str, line: int | None) -> None:
        self.reason, self.file, self.line = reason, file, line
        super().__init__(_CODE, f"{file}{'' if line is None else f', line {line}'}: {reason}")


def sch(name: str) -> str:
    """Return the qualified name of a Schematron element."""
    return f"{{{SCHEMATRON}}}{name}"


def fault(element: etree._Element, reason: str) -> SchematronError:
    """Return the error that says what is wrong with an element, and where it stood in its file."""
    line = element.get(LINE)
    return SchematronError(reason, file=element.get(FILE, ""), line=int(line) if line else None)


class Source(NamedTuple):
    """A whole schema: every element marked with its file and line, nothing left to be included or extended.

    `namespaces` are those that any of its files declares, by prefix; what comes first counts.
    """

    schema: etree._Element
    namespaces: Mapping[str, str]


def read(file: RuleFile) -> Source:
    """Return the whole schema. Raises ConversionError `schematron_invalid`."""
    inclusion = _Inclusion(file)
    root = inclusion.root(file.name, ())
    if root.tag != sch("schema"):
        raise fault(root, f"the root element must be schema of the namespace {SCHEMATRON}, not {root.tag}")
    for element in root.iter(f"{{{SCHEMATRON}}}*"):
        # To leave out what is not understood would be to leave out checks.
        name = etree.QName(element).localname
        if _KNOWN.fullmatch(name) is None:
            raise fault(element, f"Schematron has no element '{name}'")
        if element.get("visit-each") is not None:
            raise fault(element, "visit-each is not supported; write the nodes into the context")
    _instantiate_patterns(root)
    _extend_rules(root)
    return Source(root, inclusion.namespaces)


class _Inclusion:
    def __init__(self, file: RuleFile) -> None:
        self._file = file
        self._elements = 0
        self.namespaces: dict[str, str] = {}

    def root(self, name: str, including: tuple[str, ...]) -> etree._Element:
        if name in including or len(including) > _MAX_DEPTH:
            raise SchematronError(f"included by itself: {' → '.join((*including, name))}", file=name, line=None)
        root = parse(self._file.contents[name], what=name, code=_CODE).getroot()
        etree.strip_elements(root, etree.Comment, etree.ProcessingInstruction, with_tail=False)
        for element in root.iter(etree.Element):
            self._elements += 1
            element.set(LINE, str(element.sourceline))
            element.set(FILE, name)
            for prefix, uri in element.nsmap.items():
                self.namespaces.setdefault(prefix or "", uri)
        if self._elements > _MAX_ELEMENTS:
            raise SchematronError("the schema with all it includes is too large", file=name, line=None)
        for element in root.iter(*XSLT_INCLUDES):
            # What is included from a file in another folder is compiled with the main file's as its base.
            part = self._file.included(name, element.get("href", ""))
            if part is not None:
                element.set("href", part)
        for element in list(root.iter(sch("include"), sch("extends"), _XINCLUDE)):
            parent = element.getparent()
            if parent is None or (element.tag == sch("extends") and element.get("href") is None):
                continue
            included = self._included(element, name, including)
            # What is extended is a rule whose content is taken; what is included stands there as it is.
            for new in list(included) if element.tag == sch("extends") else [included]:
                element.addprevious(new)
            parent.remove(element)
        return root

    def _included(self, element: etree._Element, name: str, including: tuple[str, ...]) -> etree._Element:
        href = element.get("href")
        if href is None or element.get("parse", "xml") != "xml" or element.get("xpointer") is not None:
            raise fault(element, "what is included must be named by href, as XML, without xpointer")
        part = self._file.included(name, href)
        if part is None:
            raise fault(element, f"'{href}' is not among the files of the configuration")
        root = self.root(part, (*including, name))
        fragment = href.partition("#")[2]
        if not fragment:
            return root
        found = next((one for one in root.iter(etree.Element) if fragment in {one.get("id"), one.get(_XML_ID)}), None)
        if found is None:
            raise fault(element, f"'{part}' has nothing with the id '{fragment}'")
        return found


def _instantiate_patterns(root: etree._Element) -> None:
    abstract = {one.get("id"): one for one in root.iter(sch("pattern")) if one.get("abstract") == "true"}
    diagnostics = {str(one.get("id")): one for one in root.iter(sch("diagnostic"))}
    for number, pattern in enumerate(list(root.iter(sch("pattern")))):
        name = pattern.get("is-a")
        if name is None:
            continue
        if name not in abstract:
            raise fault(pattern, f"there is no abstract pattern '{name}'")
        # What the abstract pattern says itself are defaults (ISO/IEC 19757-3:2025).
        parameters = [*abstract[name].iter(sch("param")), *pattern.iter(sch("param"))]
        given = ((one.get("name", "").strip(), one.get("value")) for one in parameters)
        # Standards publish names with blanks around them, in the parameter and behind its use.
        values = {f"${parameter}": str(value) for parameter, value in given if value is not None}
        for element in abstract[name]:
            copied = deepcopy(element)
            for inner in copied.iter(etree.Element):
                _put_parameters(inner, values)
            pattern.append(copied)
        for parameter in list(pattern.iter(sch("param"))):
            pattern.remove(parameter)
        _own_diagnostics(pattern, diagnostics, values, number)
    for pattern in abstract.values():
        _remove(pattern)


def _own_diagnostics(
    pattern: etree._Element, diagnostics: Mapping[str, etree._Element], values: Mapping[str, str], number: int
) -> None:
    """Have the pattern's checks tell copies of their diagnostics with its parameters, where these have any."""
    names: dict[str, str] = {}
    for check in pattern.iter(sch("assert"), sch("report")):
        told = check.get("diagnostics", "").split()
        for name in (set(told) & diagnostics.keys()) - names.keys():
            own = deepcopy(diagnostics[name])
            for inner in own.iter(etree.Element):
                _put_parameters(inner, values)
            names[name] = name
            if etree.tostring(own) != etree.tostring(diagnostics[name]):
                # No id has a slash: it is nobody else's.
                names[name] = f"{name}/{number}"
                own.set("id", names[name])
                diagnostics[name].addnext(own)
        if told:
            check.set("diagnostics", " ".join(names.get(name, name) for name in told))


def _put_parameters(element: etree._Element, values: Mapping[str, str]) -> None:
    def put(text: str) -> str:
        # $codes must not be taken for $code. In one pass: a value is not searched for parameters again.
        return _PARAMETER.sub(lambda found: values.get(found.group(), found.group()), text)

    for attribute in _WITH_PARAMETERS & set(map(str, element.keys())):
        element.set(attribute, put(element.get(attribute, "")))
    # The ISO skeleton puts them into messages, too, and libraries of patterns pass messages so.
    element.text = element.text and put(element.text)
    element.tail = element.tail and put(element.tail)


def _extend_rules(root: etree._Element) -> None:
    abstract = [one for one in root.iter(sch("rule")) if one.get("abstract") == "true"]
    for _ in range(_MAX_DEPTH):
        extending = [one for one in root.iter(sch("extends")) if one.get("href") is None]
        if not extending:
            break
        for element in extending:
            _extend_rule(element, abstract)
    else:
        raise fault(root, "abstract rules extend each other in a circle")
    for rule in abstract:
        _remove(rule)


def _extend_rule(element: etree._Element, abstract: list[etree._Element]) -> None:
    name, rule = element.get("rule"), element.getparent()
    pattern = None if rule is None else rule.getparent()
    named = [one for one in abstract if one.get("id") == name and one is not rule]
    if not named:
        raise fault(element, f"there is no abstract rule '{name}' to extend")
    # A pattern's own abstract rule comes before one of the same name elsewhere.
    extended = next((one for one in named if one.getparent() is pattern), named[0])
    for new in extended:
        element.addprevious(deepcopy(new))
    _remove(element)


def _remove(element: etree._Element) -> None:
    parent = element.getparent()
    if parent is not None:
        parent.remove(element)
