"""Schematron (ISO/IEC 19757-3) compiled to XSLT: one mode a pattern, in which a node fires its first matching rule.

The meaning is that of the ISO skeleton: phases, lets, abstract patterns and rules, diagnostics, and whatever XSLT
declarations (functions, keys) a schema brings along. The stylesheet writes `failure` elements, one a failed assert or
successful report.
"""

import re
from collections import Counter
from collections.abc import Mapping
from copy import deepcopy
from typing import NamedTuple

from lxml import etree

from reconciler.conversion import shared_paths
from reconciler.conversion.rule_file import RuleFile
from reconciler.conversion.schematron_source import FILE, LINE, SCHEMATRON, XSLT, XSLT_INCLUDES, fault, read, sch

_R = "urn:reconciler:conversion"
_VERSIONS = {
    "xslt": "1.0",
    "xslt1": "1.0",
    "xpath": "1.0",
    "xslt2": "2.0",
    "xpath2": "2.0",
    "xslt3": "3.0",
    "xpath3": "3.0",
    "xpath31": "3.0",
}
_USUAL = {
    "xs": "http://www.w3.org/2001/XMLSchema",
    "xsd": "http://www.w3.org/2001/XMLSchema",
    "fn": "http://www.w3.org/2005/xpath-functions",
}
"""Prefixes that schemas use without declaring them, as the ISO skeleton lets them."""
_DECLARATIONS = XSLT_INCLUDES | {f"{{{XSLT}}}{name}" for name in ("key", "function", "decimal-format")}
_TEXT_OR_PREDICATE = re.compile(r"""'[^']*'|"[^"]*"|\[[^\[\]]*\]""")
_MORE_THAN_ELEMENTS = re.compile(r"[@$(.]|attribute|namespace")
_ALL = "#ALL"
_DOCUMENT = re.compile(
    r"""\b(?:fn:)?doc(?:ument|(?P<asked>-available))?\(\s*(?P<quote>['"])(?P<href>[^'"]*)(?P=quote)\s*\)"""
)
"""A document that a schema reads, or asks for, such as a list of codes."""
_FILE = re.compile(r"""(?P<quote>['"])(?P<href>[^'"]*)(?P=quote)""")
_FILES = re.compile(rf"\s*\(?\s*{_FILE.pattern}(\s*,\s*(?:'[^'\"]*'|\"[^'\"]*\"))*\s*\)?\s*")
"""What `documents` of a pattern may be: the names of files as literals."""
_PREFIX = "reconciler"
SEVERITIES = ("flag", "severity", "role")
"""The attributes that say how grave a failed check is; the first that is there counts."""


class Compiled(NamedTuple):
    """The stylesheet that validates; `documents` are its parameters that are files of the schema, by name."""

    stylesheet: bytes
    documents: Mapping[str, str]


def compile_schematron(file: RuleFile) -> Compiled:
    """Return the stylesheet that validates a document against a schema, in its default phase.

    Its elements carry the file and line of the schema in the attributes `FILE` and `LINE`. Raises ConversionError
    `schematron_invalid`.
    """
    root = _Compilation(*read(file), file).stylesheet()
    documents = _own_documents(root, file)
    return Compiled(etree.tostring(root, encoding="UTF-8", pretty_print=True), documents)


def _own_documents(root: etree._Element, file: RuleFile) -> Mapping[str, str]:
    """Turn each document('FILE') of a file that is part of the schema into a parameter; any other stays, and fails."""
    parameters: dict[str, str] = {}
    for element in root.iter(etree.Element):
        for name, text in element.attrib.items():
            if "doc" not in text:
                continue

            def parameter(found: re.Match[str], by: str = element.get(FILE, file.name)) -> str:
                part = file.included(by, found["href"])
                if part is None:
                    return found.group()
                if found["asked"]:
                    return "true()"
                return f"${parameters.setdefault(part, f'{_PREFIX}:file-{len(parameters)}')}"

            element.set(name, _DOCUMENT.sub(parameter, str(text)))
    for parameter_name in parameters.values():
        _xsl(root, "param", {"name": parameter_name})
    return {f"{{{_R}}}{name.partition(':')[2]}": part for part, name in parameters.items()}


class _Compilation:
    def __init__(self, schema: etree._Element, declared: Mapping[str, str], file: RuleFile) -> None:
        self._schema, self._file = schema, file
        binding = schema.get("queryBinding", "xslt").lower()
        if binding not in _VERSIONS:
            raise fault(schema, f"the query binding '{binding}' is not supported; xslt, xslt2 and xslt3 are")
        self._version = _VERSIONS[binding]
        namespaces = _USUAL | {prefix: uri for prefix, uri in declared.items() if prefix and uri != SCHEMATRON}
        namespaces |= {str(one.get("prefix")): str(one.get("uri")) for one in schema.iter(sch("ns"))}
        self._default_namespace = namespaces.pop("", "")
        self._namespaces = {prefix: uri for prefix, uri in namespaces.items() if prefix not in {"xsl", "xml"}}
        self._shared: dict[str, str] = {}
        self._diagnostics = {
            str(one.get("id")): one
            for group in schema.iter(sch("diagnostics"))
            for one in group.iter(sch("diagnostic"))
        }

    def stylesheet(self) -> etree._Element:
        root = etree.Element(
            f"{{{XSLT}}}stylesheet",
            {
                "version": self._version,
                "exclude-result-prefixes": "#all",
                "xpath-default-namespace": self._default_namespace,
            },
            nsmap={"xsl": XSLT, **self._namespaces, _PREFIX: _R},
        )
        brought = [one for one in self._schema.iter(*_DECLARATIONS) if not _is_xsl(one.getparent())]
        for element in sorted(brought, key=lambda one: one.tag not in XSLT_INCLUDES):
            root.append(_foreign(element))
        _xsl(root, "output", {"method": "xml", "encoding": "UTF-8"})
        patterns, phase_lets = self._active()
        for let in (*self._schema.findall(sch("let")), *phase_lets):
            self._let(root, let)
        for element in self._schema.iterchildren(f"{{{XSLT}}}*"):
            if element.tag not in _DECLARATIONS:
                root.append(_foreign(element))
        over_document = [pattern for pattern in patterns if pattern.get("documents") is None]
        self._share_paths(
            root, [one for pattern in over_document for one in pattern.iter(sch("assert"), sch("report"))]
        )
        names = Counter(let.get("name") for pattern in patterns for let in pattern.findall(sch("let")))
        start = _xsl(root, "template", {"match": "/"})
        failures = etree.SubElement(start, "failures")
        for number, pattern in enumerate(patterns):
            mode = f"pattern-{number}"
            contexts = [rule.get("context", "") for rule in pattern.findall(sch("rule"))]
            nodes = self._other_documents(pattern) or _nodes(contexts)
            _xsl(failures, "apply-templates", {"select": nodes, "mode": mode}, of=pattern)
            self._pattern(root, pattern, mode, names)
        root.append(_location_function())
        return root

    def _share_paths(self, root: etree._Element, checks: list[etree._Element]) -> None:
        """Declare a variable for each path from the root that several tests contain."""
        for number, path in enumerate(shared_paths.shared(one.get("test", "") for one in checks)):
            name = self._shared[path] = f"{_PREFIX}:path-{number}"
            first = next(one for one in checks if path in one.get("test", ""))
            _xsl(root, "variable", {"name": name, "as": "node()*", "select": path}, of=first)

    def _shared_path(self, path: str) -> str | None:
        name = self._shared.get(path)
        return None if name is None else f"${name}"

    def _active(self) -> tuple[list[etree._Element], list[etree._Element]]:
        patterns = list(self._schema.iter(sch("pattern")))
        name = self._schema.get("defaultPhase", _ALL)
        if name == _ALL:
            return patterns, []
        phase = next((one for one in self._schema.iter(sch("phase")) if one.get("id") == name), None)
        if phase is None:
            raise fault(self._schema, f"there is no phase '{name}'")
        names = {one.get("id") for one in patterns}
        for one in phase.iter(sch("active")):
            if one.get("pattern") not in names:
                raise fault(one, f"there is no pattern '{one.get('pattern')}' that could be active")
        active = {one.get("pattern") for one in phase.iter(sch("active"))}
        return [one for one in patterns if one.get("id") in active], phase.findall(sch("let"))

    def _pattern(self, root: etree._Element, pattern: etree._Element, mode: str, names: Counter[str | None]) -> None:
        # A pattern's lets may stand in its contexts, so they are global, unless another pattern uses the same name.
        own = []
        for let in pattern.findall(sch("let")):
            if names[let.get("name")] == 1 and pattern.get("documents") is None:
                self._let(root, let)
            else:
                own.append(let)
        _xsl(root, "mode", {"name": mode, "on-no-match": "deep-skip", "version": "3.0"})
        # Skipping a document node deeply would still look at its children, which are selected already.
        _xsl(root, "template", {"match": "/", "mode": mode, "priority": "0"})
        rules = pattern.findall(sch("rule"))
        for number, rule in enumerate(rules):
            context = rule.get("context")
            if context is None:
                raise fault(rule, "a rule that is not abstract needs a context")
            # The first rule that matches fires: earlier ones come before later ones.
            attributes = {"match": context, "mode": mode, "priority": str(len(rules) - number)}
            template = _xsl(root, "template", attributes, of=rule)
            for let in own:
                self._let(template, let, at_root=True)
            for element in rule:
                if element.tag == sch("let"):
                    self._let(template, element)
                elif element.tag in {sch("assert"), sch("report")}:
                    self._check(template, rule, element)

    def _other_documents(self, pattern: etree._Element) -> str:
        """Return the nodes of the files that a pattern is about instead of the document; empty: the document."""
        documents = pattern.get("documents")
        if documents is None:
            return ""
        if _FILES.fullmatch(documents) is None:
            # A file that is validated must not choose what is read.
            raise fault(pattern, f"documents must name files beside the schema, each in quotes; found {documents}")
        names = [found["href"] for found in _FILE.finditer(documents)]
        for name in names:
            if self._file.included(pattern.get(FILE, ""), name) is None:
                raise fault(pattern, f"'{name}' is not among the files of the configuration")
        return f"({', '.join(f'document({name!r})' for name in names)})/(descendant-or-self::node() | .//@*)"

    def _let(self, parent: etree._Element, let: etree._Element, *, at_root: bool = False) -> None:
        attributes = {"name": let.get("name", "")} | ({"as": str(let.get("as"))} if let.get("as") else {})
        value = let.get("value")
        if value is None:
            variable = _xsl(parent, "variable", attributes, of=let)
            variable.text = let.text
            variable.extend(_foreign(one) for one in let)
        elif at_root:
            variable = _xsl(parent, "variable", {"as": "item()*"} | attributes, of=let)
            loop = _xsl(variable, "for-each", {"select": "root()"}, of=let)
            _xsl(loop, "sequence", {"select": value}, of=let)
        else:
            _xsl(parent, "variable", attributes | {"select": value}, of=let)

    def _check(self, template: etree._Element, rule: etree._Element, check: etree._Element) -> None:
        test = check.get("test")
        if test is None:
            raise fault(check, f"{etree.QName(check).localname} needs a test")
        choice = _xsl(template, "choose", {})
        when = _xsl(choice, "when", {"test": shared_paths.replaced(test, self._shared_path)}, of=check)
        failing = when if check.tag == sch("report") else _xsl(choice, "otherwise", {})
        severity = next((one.get(key, "") for one in (check, rule) for key in SEVERITIES if one.get(key)), "")
        subject = check.get("subject") or rule.get("subject")
        located = "." if subject is None else f"(({subject}), .)[1]"
        failure = etree.SubElement(
            failing,
            "failure",
            {
                # Literal result elements' attributes are value templates: braces of the schema's own are doubled.
                "id": _literal(check.get("id", "")),
                "severity": _literal(severity),
                "test": _literal(" ".join(test.split())),
                "location": f"{{{_PREFIX}:location({located})}}",
            },
        )
        self._message(failure, check)
        for name in check.get("diagnostics", "").split():
            if name not in self._diagnostics:
                raise fault(check, f"there is no diagnostic '{name}'")
            _xsl(failure, "text", {}).text = " "
            self._message(failure, self._diagnostics[name])

    def _message(self, parent: etree._Element, content: etree._Element) -> None:
        _text(parent, content.text)
        for element in content:
            if element.tag == sch("value-of"):
                _xsl(parent, "value-of", {"select": element.get("select", ".")}, of=element)
            elif element.tag == sch("name"):
                named = "for $one in ({}) return if ($one instance of node()) then name($one) else $one"
                _xsl(parent, "value-of", {"select": named.format(element.get("path", "."))}, of=element)
            elif element.tag.startswith(f"{{{XSLT}}}"):
                parent.append(_foreign(element))
            else:
                # emph, span, dir and foreign markup: what they hold is read, how it looks is not.
                self._message(parent, element)
            _text(parent, element.tail)


def _nodes(contexts: list[str]) -> str:
    """Return the nodes that a pattern's rules may match: all, or where no context can mean another, the elements."""
    for context in contexts:
        bare, count = context, 1
        while count:
            bare, count = _TEXT_OR_PREDICATE.subn("", bare)
        if _MORE_THAN_ELEMENTS.search(bare):
            return "//(. | @*)"
    return "/ | //*"


def _is_xsl(element: etree._Element | None) -> bool:
    return element is not None and str(element.tag).startswith(f"{{{XSLT}}}")


def _xsl(
    parent: etree._Element, name: str, attributes: dict[str, str], *, of: etree._Element | None = None
) -> etree._Element:
    marks = {} if of is None else {key: of.get(key, "") for key in (FILE, LINE)}
    return etree.SubElement(parent, f"{{{XSLT}}}{name}", attributes | marks)


def _text(parent: etree._Element, text: str | None) -> None:
    if text:
        _xsl(parent, "text", {}).text = text


def _literal(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _foreign(element: etree._Element) -> etree._Element:
    copied = deepcopy(element)
    copied.tail = None
    for inner in copied.iter(etree.Element):
        if not inner.tag.startswith(f"{{{XSLT}}}"):
            # The marks would be part of what a literal element writes.
            for mark in (FILE, LINE):
                inner.attrib.pop(mark, "")
    return copied


def _location_function() -> etree._Element:
    """Return the function that says where a node is: its path with names as in the document and positions."""
    function = etree.Element(
        f"{{{XSLT}}}function", {"name": f"{_PREFIX}:location", "version": "3.0"}, nsmap={_PREFIX: _R}
    )
    _xsl(function, "param", {"name": "node"})
    _xsl(
        function,
        "sequence",
        {
            "select": "string-join(for $one in $node/ancestor-or-self::* return concat('/', name($one), '[', "
            "1 + count($one/preceding-sibling::*[node-name(.) = node-name($one)]), ']'), '')"
            " || $node[self::attribute()]/concat('/@', name())"
        },
    )
    return function


def severity_is_failure(severity: str) -> bool:
    """Say whether a failed check with this flag or role refuses the document: all but warnings and informations do."""
    return not severity.lower().startswith(("warn", "info", "hint", "note"))


def source_place(stylesheet: etree._ElementTree, line: int) -> tuple[str, int] | None:
    """Return the schema's file and line for a line of the stylesheet made from it; None when it has none."""
    for element in stylesheet.iter(etree.Element):
        if str(element.sourceline) == str(line) and element.get(LINE):
            return element.get(FILE, ""), int(element.get(LINE, "1"))
    return None
