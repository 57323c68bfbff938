"""A stylesheet's text made ready for Saxon: includes as data: URIs, documents as parameters, our functions at its end.

The text is edited in place, never parsed and written again, so that every line keeps its number in error messages.
"""

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from xml.parsers import expat

from reconciler.conversion import functions
from reconciler.conversion.rule_file import RuleFile
from reconciler.conversion.xml_input import parse, text_of
from reconciler.errors import ConversionError

XSLT = "http://www.w3.org/1999/XSL/Transform"
_ROOTS = frozenset({f"{XSLT} stylesheet", f"{XSLT} transform", f"{XSLT} package"})
_INCLUDES = frozenset({f"{XSLT} include", f"{XSLT} import"})
_HREF = re.compile(rb"""(?<=\s)href\s*=\s*(?:"[^"]*"|'[^']*')""")
_TAG = re.compile(rb"""<(?:[^"'>]|"[^"]*"|'[^']*')*>""")
_DOCUMENT = re.compile(
    rb"""\b(?:fn:)?doc(?:ument|(?P<asked>-available))?"""
    rb"""\(\s*(?P<quote>['"]|&quot;|&apos;|&#3[49];)(?P<href>[^'"&]*)(?P=quote)\s*"""
    rb"""(?:,\s*document\(\s*(?:''|""|&apos;&apos;|&quot;&quot;)\s*\)\s*)?\)"""
)
"""A document that a map reads, or asks for: itself, or a file beside it, such as a table of codes.

What may stand behind its name, document(''), says that it is beside the map.
"""
_PARAMETERS = "urn:reconciler:conversion"
"""The namespace of the parameters that are documents."""
_MAX_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class Output:
    """What the unnamed `xsl:output` declares."""

    method: str = "xml"
    encoding: str = "UTF-8"


@dataclass(frozen=True, slots=True)
class Assembled:
    """The text to compile; `modules` are the data: URIs of included files → their names.

    `documents` are the parameters that are documents → their XML. `calls_functions`: whether the gateway's functions
    may be called, and are there therefore.
    """

    text: str
    output: Output
    modules: Mapping[str, str]
    documents: Mapping[str, str]
    calls_functions: bool

    def module(self, shown: str) -> str | None:
        """Return the included file that a message of Saxon's means, which shows the end of its URI; None: the main."""
        if not shown or shown.startswith("file:"):
            return None
        return next((name for uri, name in self.modules.items() if uri.endswith(shown)), None)


@dataclass(slots=True)
class _Assembly:
    file: RuleFile
    calls_functions: bool
    output: Output = field(default_factory=Output)
    modules: dict[str, str] = field(default_factory=dict)
    documents: dict[str, str] = field(default_factory=dict)
    """The files that are read → the parameters that they are."""
    size: int = 0

    def module(self, name: str, including: tuple[str, ...]) -> bytes:
        """Return a module's text with every include replaced by its data: URI."""
        if name in including:
            raise ConversionError("stylesheet_invalid", f"{name} includes itself: {' → '.join((*including, name))}")
        content = self.file.contents[name]
        text = text_of(content, parse(content, what=name, code="stylesheet_invalid")).encode()
        spots = _Spots.of(text)
        edits: list[tuple[int, int, bytes]] = []
        for start, href in spots.includes:
            part = self.file.included(name, href)
            found = _HREF.search(text, start)
            if part is not None and found is not None:
                uri = _uri(self.module(part, (*including, name)))
                self.modules[uri.decode()] = part
                edits.append((found.start(), found.end(), b'href="' + uri + b'"'))
        for start in spots.documents:
            tag = _TAG.match(text, start)
            # A stylesheet that is one literal element has no place for parameters.
            inline = not including and spots.end is None
            edits += [] if tag is None else self._read(name, text, tag, inline=inline)
        edits.sort()
        if not including and spots.end is not None:
            edits.append((spots.end, spots.end, self._declarations().encode()))
        # Included modules come first: what this one declares stands above them.
        self.output = replace(self.output, **spots.output)
        pieces, at = [], 0
        for start, end, replacement in edits:
            pieces += [text[at:start], replacement]
            at = end
        text = b"".join((*pieces, text[at:]))
        self._grow(name, len(text))
        return text

    def _grow(self, name: str, size: int) -> None:
        self.size += size
        if self.size > _MAX_BYTES:
            raise ConversionError("stylesheet_invalid", f"{name}: included so often that it exceeds {_MAX_BYTES} bytes")

    def parameters(self) -> Mapping[str, str]:
        """Return the parameters that are documents, and their XML."""
        return {f"{{{_PARAMETERS}}}{name}": self._document(part) for part, name in self.documents.items()}

    def _document(self, part: str) -> str:
        content = self.file.contents[part]
        return text_of(content, parse(content, what=part, code="stylesheet_invalid"))

    def _declarations(self) -> str:
        parameters = "".join(
            f'<x:param xmlns:x="{XSLT}" version="3.0" name="Q{{{_PARAMETERS}}}{name}"/>'
            for name in self.documents.values()
        )
        return parameters + (functions.declarations() if self.calls_functions else "")

    def _read(self, name: str, text: bytes, tag: re.Match[bytes], *, inline: bool) -> Iterator[tuple[int, int, bytes]]:
        """Yield the edits that hand over what a tag reads; what is none of the rule's files stays, and fails."""
        for found in _DOCUMENT.finditer(text, tag.start(), tag.end()):
            href = found["href"].decode()
            part = self.file.included(name, href) if href else name
            if part is not None and found["asked"]:
                yield *found.span(), b"true()"
            elif part is not None and inline:
                document = self._document(part).encode()
                self._grow(name, len(document))
                yield *found.span("href"), _uri(document)
            elif part is not None:
                parameter = self.documents.setdefault(part, f"document-{len(self.documents)}")
                yield *found.span(), f"$Q{{{_PARAMETERS}}}{parameter}".encode()


def _uri(document: bytes) -> bytes:
    return b"data:application/xml;base64," + b64encode(document)


@dataclass(slots=True)
class _Spots:
    """The byte positions of a module that are edited; `end` is the root's end tag, None when there is no place."""

    includes: list[tuple[int, str]] = field(default_factory=list)
    documents: list[int] = field(default_factory=list)
    output: dict[str, str] = field(default_factory=dict)
    end: int | None = None

    @classmethod
    def of(cls, text: bytes) -> "_Spots":
        spots, depth, begin, root = cls(), 0, 0, ""
        parser = expat.ParserCreate("utf-8", namespace_separator=" ")

        def start(tag: str, attributes: dict[str, str]) -> None:
            nonlocal depth, begin, root
            if depth == 0:
                begin, root = parser.CurrentByteIndex, tag
            elif tag in _INCLUDES and "href" in attributes:
                spots.includes.append((parser.CurrentByteIndex, attributes["href"]))
            elif tag == f"{XSLT} output" and "name" not in attributes:
                spots.output |= {key: attributes[key] for key in ("method", "encoding") if key in attributes}
            # An attribute of an element that is written is text, but for what stands in braces.
            if any("doc" in value and (tag.startswith(XSLT) or "{" in value) for value in attributes.values()):
                spots.documents.append(parser.CurrentByteIndex)
            depth += 1

        def end(_tag: str) -> None:
            nonlocal depth
            depth -= 1
            if depth == 0 and root in _ROOTS and parser.CurrentByteIndex > begin:
                spots.end = parser.CurrentByteIndex

        parser.StartElementHandler, parser.EndElementHandler = start, end
        parser.Parse(text, True)
        return spots


def assemble(file: RuleFile) -> Assembled:
    """Return a stylesheet ready to compile. Raises ConversionError `stylesheet_invalid`."""
    # Read from whatever encoding, a name is in the text as it is, or written with character references.
    calls = any(b"java:" in content or b"&#" in content or b"\0" in content for content in file.contents.values())
    assembly = _Assembly(file, calls)
    text = assembly.module(file.name, ()).decode()
    return Assembled(text, assembly.output, assembly.modules, assembly.parameters(), calls)
