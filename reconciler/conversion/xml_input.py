"""XML from outside, read so that it can do nothing: no DTD, no entities, no network, bounded depth."""

import re
from contextlib import suppress
from typing import Any, cast
from xml.parsers import expat

from lxml import etree

from reconciler.errors import ConversionError

_DECLARATION = re.compile(r"\A\s*<\?xml\s.*?\?>", re.DOTALL)

_ENCODING = re.compile(rb"""(?:\xef\xbb\xbf)?<\?xml\s[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)""")
_MOST_PROLOG = 64 * 1024
_PLAIN = re.compile(rb"""(?:<\?xml version=["']1\.0["'](?: encoding=["'](?:UTF|utf)-8["'])?\?>)?\s*(?=<[A-Za-z_])""")
_SMALL = 1 << 20
_AT_ONCE = 2048
_DEPTH = 256
_WIDE = (b"\xff\xfe", b"\xfe\xff", b"\x00", b"<\x00", b"\x4c\x6f\xa7\x94")
"""How XML begins that is not written in a superset of ASCII: UTF-16, UTF-32, EBCDIC."""
_MARKS = {
    b"\xef\xbb\xbf": "utf-8",
    b"\xff\xfe\0\0": "utf-32",
    b"\0\0\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
"""Byte order marks."""


class XmlFaultError(ConversionError):
    """XML is not well-formed, or has a DOCTYPE. `line` and `column` count from 1; None when unknown."""

    def __init__(self, code: str, reason: str, *, what: str, line: int | None, column: int | None) -> None:
        self.reason, self.what, self.line, self.column = reason, what, line, column
        place = "" if line is None else f", line {line}" + ("" if column is None else f", column {column}")
        super().__init__(code, f"{what}{place}: {reason}")


class _DoctypeError(Exception):
    """A document has a DOCTYPE."""


class _NoDoctype:
    """A target that builds nothing: what is read is checked as fast as libxml2 reads, without the memory of a tree."""

    def doctype(self, _name: str, _public: str | None, _system: str | None) -> None:
        raise _DoctypeError

    def close(self) -> None:
        pass


def parse(content: bytes, *, what: str, code: str) -> etree._ElementTree:
    """Parse XML. Raises XmlFaultError with `code`, naming the input as `what`, when it cannot or must not be read.

    libxml2 bounds the depth (256 elements) and the length of one text (10 MB).
    """
    tree = etree.ElementTree(_read(content, _parser(), what=what, code=code))
    if tree.docinfo.internalDTD is not None:
        raise _doctype(what, code)
    return tree


def in_utf8(content: bytes, *, what: str, code: str) -> bytes:
    """Return XML in UTF-8, after the same checks as `parse`, whose errors it raises."""
    encoding = _ENCODING.match(content)
    if content.startswith(_WIDE) or (encoding and encoding[1].lower() not in {b"utf-8", b"us-ascii"}):
        return text_of(content, parse(content, what=what, code=code)).encode()
    _read(content, _CHECKING, what=what, code=code)
    return content


def is_plain(content: bytes) -> bool:
    """Say whether no parser can find a DOCTYPE, an entity or a great depth in this, as is seen without one, and sooner.

    It is small, and has no declarations, comments, CDATA and processing instructions, so that every `<` begins a tag,
    or else it is no XML. Counting them bounds the depth from above.
    """
    begun = _PLAIN.match(content)
    if begun is None or len(content) > _SMALL or _has(content, b"<!") or _has(content[begun.end() :], b"<?"):
        return False
    depth = 0
    for start in range(0, len(content), _AT_ONCE):
        tags, ends = content.count(b"<", start, start + _AT_ONCE), content.count(b"</", start, start + _AT_ONCE + 1)
        # An element that ends in its own tag counts as if it stayed open.
        if depth + tags - ends > _DEPTH:
            return False
        depth += tags - 2 * ends
    return True


def _has(content: bytes, pair: bytes) -> bool:
    # That the second byte is nowhere, as mostly, is seen a hundred times as fast as that the pair is not.
    return pair[1] in content and pair in content


def without_doctype(content: bytes) -> bytes:
    """Return XML with its DOCTYPE, if it has one, put out by blanks: nothing of it is read, no entity is known.

    For XML Schemas, of which the W3C's own begin with one. What is no XML, not in UTF-8 or of a DOCTYPE longer than
    64 KiB comes back as it is.
    """
    at: list[int] = []
    parser = expat.ParserCreate()

    def end() -> None:
        at.append(parser.CurrentByteIndex)
        raise _DoctypeError

    def element(_name: str, _attributes: dict[str, str]) -> None:
        raise _DoctypeError

    parser.StartDoctypeDeclHandler = lambda *_: at.append(parser.CurrentByteIndex)
    parser.EndDoctypeDeclHandler, parser.StartElementHandler = end, element
    with suppress(_DoctypeError, expat.ExpatError):
        parser.Parse(content[:_MOST_PROLOG], False)
    start = content.rfind(b"<!DOCTYPE", 0, at[0] + 1) if at else -1
    if len(at) != 2 or start < 0:  # noqa: PLR2004 - it begins and ends
        return content
    stop = content.index(b">", at[1]) + 1
    return content[:start] + re.sub(rb"[^\n]", b" ", content[start:stop]) + content[stop:]


def _parser(target: Any = None) -> etree.XMLParser:  # noqa: ANN401 - lxml takes any object with some of the methods
    return etree.XMLParser(target=target, resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)


_CHECKING = _parser(_NoDoctype())
"""Made once: making a parser takes as long as reading 10 kB. lxml lets one thread at a time use it."""


def _read(content: bytes, parser: etree.XMLParser, *, what: str, code: str) -> etree._Element:
    try:
        root = etree.fromstring(content, parser)
    except _DoctypeError:
        raise _doctype(what, code) from None
    except etree.XMLSyntaxError as error:
        line, column = error.position
        reason = re.sub(r", line \d+, column \d+( \(.*\))?\Z", "", error.msg or "not XML")
        raise XmlFaultError(code, reason, what=what, line=line or None, column=column or None) from None
    # With a target lxml does not raise for errors of namespaces alone.
    for entry in cast("list[Any]", parser.error_log):
        if entry.level >= etree.ErrorLevels.ERROR:
            raise XmlFaultError(code, entry.message, what=what, line=entry.line or None, column=entry.column or None)
    return root


def _doctype(what: str, code: str) -> XmlFaultError:
    return XmlFaultError(code, "a DOCTYPE is refused; remove it", what=what, line=None, column=None)


def text_of(content: bytes, tree: etree._ElementTree) -> str:
    """Return the text that `tree` was parsed from, without its XML declaration, every line at its place."""
    # docinfo names the encoding of the declaration; without one it says UTF-8 of UTF-16, too.
    marked = next((encoding for mark, encoding in _MARKS.items() if content.startswith(mark)), None)
    text = content.decode(marked or tree.docinfo.encoding or "utf-8").removeprefix("\ufeff")
    return _DECLARATION.sub(lambda found: "\n" * found.group().count("\n"), text)
