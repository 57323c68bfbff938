"""The line of a file that an error shows."""

import re
from functools import lru_cache

_PASSWORD = re.compile(r"(/[^\s:/@'\"]*:)\S+(?=@)")


@lru_cache(maxsize=4)
def _lines(text: str) -> list[str]:
    return text.splitlines()


def excerpt(text: str, line: int) -> str:
    """Return a line of a text, counted from 1, without the password of a URL; empty when there is no such line."""
    lines = _lines(text)
    return _PASSWORD.sub(r"\1•••", lines[line - 1]).rstrip() if 0 < line <= len(lines) else ""
