"""Regular expressions that cannot hang: RE2 matches in time linear in the input."""

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import re2

_CERTAIN = re.compile(r"(?:(?:[\w ,;:=@#%&~/<>!'\"-]|\\[.+*?()\[\]{}|^$/-]|\.)[*+?]?){0,200}", re.ASCII)
"""Patterns of which nobody has to ask RE2 whether it compiles them: literals, dots, and at most one quantifier each."""


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> "re2._Regexp":
    import re2  # noqa: PLC0415 - most patterns of a configuration are certain

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else "it does not compile"
        raise ValueError(reason.decode() if isinstance(reason, bytes) else str(reason)) from None


def check(pattern: str) -> None:
    """Raise ValueError with RE2's reason when the pattern does not compile; look-around and back-references do not."""
    if not _CERTAIN.fullmatch(pattern):
        _compiled(pattern)


def full_match(pattern: str, text: str) -> bool:
    """Say whether the whole text matches."""
    return _compiled(pattern).fullmatch(text) is not None


def found_in(pattern: str, content: bytes) -> bool:
    """Say whether some part of the content matches. Content that is not UTF-8 is read as ISO 8859-1."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return _compiled(pattern).search(text) is not None
