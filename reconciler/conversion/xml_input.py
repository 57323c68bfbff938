"""XML from outside, read so that it can do nothing: no DTD, no entities, no network, bounded depth."""

import re

from lxml import etree

from reconciler.errors import ConversionError

_DECLARATION = re.compile(r"\A\s*<\?xml\s.*?\?>", re.DOTALL)


class XmlFaultError(ConversionError):
    """XML is not well-formed, or has a DOCTYPE. `line` and `column` count from 1; None when unknown."""

    def __init__(self, code: str, reason: str, *, what: str, line: int | None, column: int | None) -> None:
        self.reason, self.what, self.line, self.column = reason, what, line, column
        place = "" if line is None else f", line {line}" + ("" if column is None else f", column {column}")
        super().__init__(code, f"{what}{place}: {reason}")


def parse(content: bytes, *, what: str, code: str, base_url: str = "") -> etree._ElementTree:
    """Parse XML. Raises XmlFaultError with `code`, naming the input as `what`, when it cannot or must not be read.

    libxml2 bounds the depth (256 elements) and the length of one text (10 MB).
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        tree = etree.ElementTree(etree.fromstring(content, parser, base_url=base_url))
    except etree.XMLSyntaxError as error:
        line, column = error.position
        reason = re.sub(r", line \d+, column \d+( \(.*\))?\Z", "", error.msg or "not XML")
        raise XmlFaultError(code, reason, what=what, line=line or None, column=column or None) from None
    if tree.docinfo.internalDTD is not None:
        raise XmlFaultError(code, "a DOCTYPE is refused; remove it", what=what, line=1, column=None)
    return tree


def text_of(content: bytes, tree: etree._ElementTree) -> str:
    """Return the text that `tree` was parsed from, without its XML declaration, every line at its place."""
    # docinfo names the encoding that libxml2 used, from the byte order mark or the declaration.
    text = content.decode(tree.docinfo.encoding or "utf-8").removeprefix("\ufeff")
    return _DECLARATION.sub(lambda found: "\n" * found.group().count("\n"), text)
