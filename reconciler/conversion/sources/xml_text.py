"""Text inside of XML that is written by hand, which is what makes writing fast."""

import re
from collections.abc import Mapping
from types import MappingProxyType

ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""The characters that XML 1.0 has no way to write."""

ENTITIES: Mapping[str, str] = MappingProxyType({"&": "&amp;", "<": "&lt;", ">": "&gt;"})

MOST_TEXT = 10_000_000
"""The longest text, in characters: what a parser accepts without being told otherwise (libxml2)."""

_SPECIAL = re.compile(f"[&<>\r{ILLEGAL.pattern[1:]}")
_ATTRIBUTE = str.maketrans({**ENTITIES, '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"})
_CONTENT = str.maketrans({**ENTITIES, "\r": "&#13;"})


def content(text: str) -> str:
    """Return text as an element's content; what XML cannot hold becomes U+FFFD."""
    # Most texts have nothing special, and finding that out is the cheapest.
    return text if _SPECIAL.search(text) is None else ILLEGAL.sub("\ufffd", text).translate(_CONTENT)


def attribute(text: str) -> str:
    """Return text as an attribute's value, for between double quotes; what XML cannot hold becomes U+FFFD."""
    return ILLEGAL.sub("\ufffd", text).translate(_ATTRIBUTE)
