"""AS2 names in headers (RFC 4130 section 6.2)."""

import re

_PLAIN = re.compile(r"[!#-\[\]-~]{1,128}")
_BARE = re.compile(r"[!#-~](?:[ -~]{0,126}[!#-~])?")
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\[\\"]){1,256})"')


def quoted(name: str) -> str:
    """Return a name as the header writes it: in quotes when it has a blank, a quote or a backslash."""
    if _PLAIN.fullmatch(name):
        return name
    return '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'


def unquoted(value: str | None) -> str | None:
    """Return the name that a header writes; None when there is no header or its value is no name.

    Some products leave out the quotes around a name with blanks or backslashes.
    """
    text = (value or "").strip()
    if _BARE.fullmatch(text):
        return text
    found = _QUOTED.fullmatch(text)
    return re.sub(r"\\(.)", r"\1", found[1]) if found else None
