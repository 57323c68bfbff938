"""Text inside of XML that is written by hand, which is what makes writing fast."""

import re
from collections.abc import Mapping
from types import MappingProxyType

ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""The characters that XML 1.0 has no way to write."""

ENTITIES: Mapping[str, str] = MappingProxyType({"&": "&amp;", "<": "&lt;", ">": "&gt;"})

MOST_TEXT = 10_000_000
"""The longest text, in characters: what a parser accepts without being told otherwise (libxml2)."""

_ATTRIBUTE = str.maketrans({**ENTITIES, '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"})
_CONTENT = str.maketrans({**ENTITIES, "\r": "&#13;"})


def content(text: str) -> str:
    """Return text as an element's content. It has no illegal characters."""
    return text.translate(_CONTENT)


def attribute(text: str) -> str:
    """Return text as an attribute's value, for between double quotes. It has no illegal characters."""
    return text.translate(_ATTRIBUTE)
