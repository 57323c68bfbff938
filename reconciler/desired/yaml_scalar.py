"""Plain scalars by the core schema of YAML 1.2.2, section 10.3: `on`, `no`, `1:30` and `2026-01-01` are text."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from reconciler.desired.yaml_document import Scalar

_MAY_BE_TYPED = frozenset("-+.0123456789~ntfNTF")
_LONGEST_NUMBER = 40
"""Characters: a longer scalar is text, so that no number takes long to read."""
_WORDS: Mapping[str, bool | None] = MappingProxyType(
    dict.fromkeys(("", "~", "null", "Null", "NULL"))
    | dict.fromkeys(("true", "True", "TRUE"), True)
    | dict.fromkeys(("false", "False", "FALSE"), False)
)
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL_FLOAT = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


def scalar(text: str) -> Scalar:
    """Return what a plain scalar means by YAML 1.2's core schema."""
    value: Scalar = text
    if (text and text[0] not in _MAY_BE_TYPED) or len(text) > _LONGEST_NUMBER:
        return value
    if text in _WORDS:
        value = _WORDS[text]
    elif _INTEGER.fullmatch(text):
        value = int(text)
    elif _OTHER_BASE.fullmatch(text):
        value = int(text, 0)
    elif _FLOAT.fullmatch(text):
        value = float(text)
    elif _SPECIAL_FLOAT.fullmatch(text):
        value = float(text.replace(".", ""))
    return value
