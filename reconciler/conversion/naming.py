"""Names of the files that IN rules deliver.

A name pattern is text with tokens: `{mailboxUuid}` `{envelopeUuid}` `{randomNumber}` `{templateUuid}` `{date FORMAT}`
`{"documentId":"fieldName"}`. What must not be in a name is an error in the pattern's own text, and becomes `_` where it
comes from a field.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import count
from typing import assert_never
from uuid import UUID

from reconciler.conversion import date_format
from reconciler.envelope.template import FieldType
from reconciler.envelope.xml import FieldTexts
from reconciler.errors import ConversionError

DEFAULT_PATTERN = "{envelopeUuid}.xml"
"""The pattern of a rule that has none."""

MOST_BYTES = 220
"""The longest name in UTF-8: file systems hold 255 bytes, and a name that is taken grows."""

FIELD_TYPES = frozenset(
    {
        FieldType.TEXT,
        FieldType.NUMBER,
        FieldType.CURRENCY,
        FieldType.DATE,
        FieldType.DICTIONARY,
        FieldType.LOOKUP,
        FieldType.FORMULA,
        FieldType.DUPLICATE,
        FieldType.AUTONUMBER,
    }
)
"""The types of fields that a name can be made of."""

_FIELD_BEGINS = re.compile(r'\{\s*"')
_FORBIDDEN = re.compile(r"[\\/:?*<>|\x00-\x1f\x7f-\x9f]")


class Variable(StrEnum):
    """A token without parameters."""

    MAILBOX_UUID = "mailboxUuid"
    ENVELOPE_UUID = "envelopeUuid"
    RANDOM_NUMBER = "randomNumber"
    TEMPLATE_UUID = "templateUuid"


_VARIABLES = {str(variable): variable for variable in Variable}
_CERTAIN = re.compile(rf"(?!\.)(?:[A-Za-z0-9_. -]|\{{(?:{'|'.join(_VARIABLES)})\}})+")
"""Patterns that are right at first sight: letters, digits, and tokens without parameters."""


@dataclass(frozen=True, slots=True)
class Text:
    """Text that stands for itself."""

    text: str


@dataclass(frozen=True, slots=True)
class Date:
    """The time of the conversion."""

    format: str


@dataclass(frozen=True, slots=True)
class FieldText:
    """The text of a field of the envelope; `character` is where it stands in the pattern, from 1."""

    document_id: str
    name: str
    character: int = field(default=1, compare=False)


class NamePatternError(ValueError):
    """A pattern is wrong; `character` says where, from 1."""

    def __init__(self, character: int, reason: str) -> None:
        self.character = character
        super().__init__(f"name pattern, character {character}: {reason}")


@dataclass(frozen=True, slots=True)
class NamePattern:
    """A pattern that was read."""

    parts: tuple[Text | Variable | Date | FieldText, ...]

    @property
    def fields(self) -> tuple[tuple[str, str], ...]:
        """The fields (document, name) that the name is made of."""
        return tuple((part.document_id, part.name) for part in self.parts if isinstance(part, FieldText))


def check(pattern: str) -> None:
    """Raise NamePatternError when a pattern is wrong."""
    if not _CERTAIN.fullmatch(pattern):
        parse(pattern)


def parse(pattern: str) -> NamePattern:
    """Read a pattern. Raises NamePatternError, which says what is wrong and how to mend it."""
    parts: list[Text | Variable | Date | FieldText] = []
    at = 0
    while at < len(pattern):
        if pattern[at] == "{":
            try:
                part, at = _token(pattern, at)
            except ValueError as error:
                raise NamePatternError(at + 1, str(error)) from None
            parts.append(part)
        else:
            end = pattern.find("{", at)
            end = len(pattern) if end < 0 else end
            _check_text(pattern[at:end], at)
            parts.append(Text(pattern[at:end]))
            at = end
    if not parts:
        raise NamePatternError(1, f"it is empty; the shortest useful one is {DEFAULT_PATTERN}")
    return NamePattern(tuple(parts))


def _token(pattern: str, at: int) -> tuple[Variable | Date | FieldText, int]:
    """Read the token at `{` and return it with the position behind it."""
    if _FIELD_BEGINS.match(pattern, at):
        return _field(pattern, at)
    end = pattern.find("}", at)
    if end < 0:
        raise ValueError("the { is not closed with }")
    word = pattern[at + 1 : end]
    if word == "date" or word.startswith("date "):
        date = Date(word.removeprefix("date").strip())
        date_format.check(date.format)
        if _FORBIDDEN.search(date.format):
            raise ValueError(rf"the date format {date.format} has what cannot be in a name: \ / : ? * < > |")
        return date, end + 1
    variable = _VARIABLES.get(word)
    if variable is None:
        known = ", ".join(f"{{{variable}}}" for variable in Variable)
        raise ValueError(f'there is no {{{word}}}; there are {known}, {{date FORMAT}} and {{"documentId":"fieldName"}}')
    return variable, end + 1


def _field(pattern: str, at: int) -> tuple[FieldText, int]:
    try:
        found, end = json.JSONDecoder().raw_decode(pattern, at)
    except json.JSONDecodeError:
        found, end = None, at
    if not isinstance(found, dict) or len(found) != 1:
        raise ValueError('a field is written {"documentId":"fieldName"}')
    document_id, name = next(iter(found.items()))
    if not isinstance(name, str) or not document_id or not name:
        raise ValueError('a field is written {"documentId":"fieldName"}, both in quotes')
    return FieldText(document_id, name, at + 1), end


def _check_text(text: str, at: int) -> None:
    wrong = _FORBIDDEN.search(text.replace("}", "/"))
    if wrong is not None:
        char = text[wrong.start()]
        mend = r"closes nothing" if char == "}" else r"cannot be in a name, as \ / : ? * < > | cannot; write - or _"
        raise NamePatternError(at + wrong.start() + 1, f"{char!r} {mend}")
    if at == 0 and text.startswith("."):
        raise NamePatternError(1, "a name does not begin with a dot; put something before it")


def render(
    pattern: NamePattern,
    *,
    texts: FieldTexts,
    mailbox_uuid: UUID,
    envelope_uuid: UUID,
    template_uuid: UUID,
    now: datetime,
    random_number: int,
    types: Callable[[str, str], str | None] | None = None,
) -> str:
    """Return the name of the file.

    `texts` holds what the envelope's fields say that the pattern names. `types` gives the type of a field (document,
    name) that stands in no table, None for no such field; without it the envelope alone tells. Raises ConversionError
    `filename_empty`, `filename_field` or `filename_too_long`.
    """
    variables = {
        Variable.MAILBOX_UUID: mailbox_uuid,
        Variable.ENVELOPE_UUID: envelope_uuid,
        Variable.RANDOM_NUMBER: random_number,
        Variable.TEMPLATE_UUID: template_uuid,
    }
    name = ""
    for part in pattern.parts:
        match part:
            case Text(text):
                name += text
            case Variable():
                name += str(variables[part])
            case Date(format_):
                name += date_format.formatted(format_, now)
            case FieldText():
                value = _FORBIDDEN.sub("_", _value(part, texts, types))
                name += value if name else re.sub(r"\A\.+", lambda dots: "_" * len(dots[0]), value)
            case _:
                assert_never(part)
    # A dot in front stands in the pattern, before it nothing but empty fields: an extension is no name.
    if not name or name.startswith("."):
        raise ConversionError(
            "filename_empty", "the name consists of nothing but empty fields; fill one, or add {envelopeUuid}"
        )
    if len(name.encode()) > MOST_BYTES:
        raise ConversionError("filename_too_long", f"the name is longer than {MOST_BYTES} bytes: {name[:40]}…")
    return name


def misfits(pattern: NamePattern, types: Callable[[str, str], str | None]) -> Iterator[tuple[int, str]]:
    """Yield where in a pattern, from 1, a field stands that no name can be made of, and why; `types` as in `render`."""
    for part in pattern.parts:
        if isinstance(part, FieldText):
            reason = _misfit(part, types)
            if reason:
                yield part.character, reason


def _misfit(field: FieldText, types: Callable[[str, str], str | None]) -> str:
    where = f"{field.name} of the document {field.document_id}"
    type_ = types(field.document_id, field.name)
    if type_ is None:
        return f"the template has no field {where} that stands in no table"
    if type_ not in FIELD_TYPES:
        return f"{where} is a {type_}; a name is made of {', '.join(sorted(FIELD_TYPES))}"
    return ""


def _value(field: FieldText, texts: FieldTexts, types: Callable[[str, str], str | None] | None) -> str:
    where = f"{field.name} of the document {field.document_id}"
    reason = "" if types is None else _misfit(field, types)
    if reason:
        raise ConversionError("filename_field", reason)
    values = texts[field.document_id, field.name]
    if values is None:
        raise ConversionError("filename_field", f"{where} is a table; a name is made of fields outside of tables")
    return "_".join(text.strip() for text in values if text.strip())


def alternatives(name: str, now: datetime) -> Iterator[str]:
    """Yield the name, then the name with the time of the conversion, then endlessly with a sequence number from 2."""
    yield name
    stem, dot, extension = name.rpartition(".")
    if not stem:
        stem, dot, extension = name, "", ""
    timed = f"{stem}_{now:%Y-%m-%d_%H-%M-%S}"
    yield f"{timed}{dot}{extension}"
    for number in count(2):
        yield f"{timed}_{number}{dot}{extension}"
