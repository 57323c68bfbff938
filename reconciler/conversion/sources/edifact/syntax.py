"""Service characters, character sets and segments of an interchange (ISO 9735-1).

Splitting is what makes the tokenizer fast, so whatever must not split is first put out of the way: a released service
character and the characters that XML would escape become control characters, which no interchange may contain, and
`Segments.written` puts them back into the finished XML.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain, islice
from types import MappingProxyType

from reconciler.errors import ConversionError

ENCODINGS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        # Levels A and B are ASCII. Partners who send more under these names send UTF-8 or Latin-1.
        "UNOA": ("utf-8", "latin-1"),
        "UNOB": ("utf-8", "latin-1"),
        "UNOC": ("iso8859-1",),
        "UNOD": ("iso8859-2",),
        "UNOE": ("iso8859-5",),
        "UNOF": ("iso8859-7",),
        "UNOG": ("iso8859-3",),
        "UNOH": ("iso8859-4",),
        "UNOI": ("iso8859-6",),
        "UNOJ": ("iso8859-8",),
        "UNOK": ("iso8859-9",),
        "UNOL": ("iso8859-15",),
        "UNOW": ("utf-8",),
        "UNOX": ("iso2022_jp_2",),
        "UNOY": ("utf-8",),
    }
)
"""Syntax identifier (0001) → the encodings to try, in order."""

_UNA_LENGTH = 9
_END_OF_FILE = b"\x1a\0"
_NEW_REPETITION = "4"  # The syntax version that made the fifth service character the repetition separator.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ENTITIES = MappingProxyType({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


@dataclass(frozen=True, slots=True)
class ServiceCharacters:
    """The characters that structure an interchange; empty: this interchange has none of that kind."""

    component: str = ":"
    element: str = "+"
    release: str = "?"
    repetition: str = ""
    terminator: str = "'"

    @property
    def all(self) -> str:
        """All of them in one text."""
        return self.component + self.element + self.release + self.repetition + self.terminator


@dataclass(frozen=True, slots=True)
class Segments:
    """The segments of an interchange, from UNB on, each still in one piece."""

    texts: list[str]
    characters: ServiceCharacters
    hidden: Mapping[str, str]
    source: str

    def written(self, xml: str) -> str:
        """Return the XML with what was hidden from the tokenizer put back."""
        for placeholder, text in self.hidden.items():
            xml = xml.replace(placeholder, text)
        return xml

    def where(self, index: int) -> str:
        """Return where the segment with this index stands, for a message: its number from 1, line and column."""
        chars = self.characters
        escape = f"{re.escape(chars.release)}.|" if chars.release else ""
        segment = re.compile(f"(?:{escape}[^{re.escape(chars.terminator)}])*{re.escape(chars.terminator)}?", re.DOTALL)
        matches = segment.finditer(self.source, self.source.index("UNB"))
        offset = next((match.start() for match in islice(matches, index, None)), len(self.source))
        while offset < len(self.source) and self.source[offset].isspace():
            offset += 1
        before = self.source[:offset]
        tag = self.texts[index][:3] if index < len(self.texts) else "end"
        line, column = before.count("\n") + 1, offset - before.rfind("\n")
        return f"segment {index + 1} ({tag}), line {line}, column {column}"


def segments_of(payload: bytes) -> Segments:
    """Tokenize an interchange.

    Line breaks are dropped wherever they stand, since they only wrap lines; a terminator that is itself a line break is
    honoured. Raises ConversionError `edifact_syntax` or `edifact_charset`.
    """
    source = _decoded(payload)
    characters, body = _service_characters(source)
    for line_break in {"\r", "\n"} - {characters.terminator}:
        body = body.replace(line_break, "")
    _refuse_control_characters(body, characters)
    body, hidden = _hide(body, characters)
    texts = [text.lstrip() for text in body.split(characters.terminator)]
    if texts.pop():
        raise ConversionError(
            "edifact_syntax",
            f"the last segment, number {len(texts) + 1}, does not end: {characters.terminator!r} was expected after it",
        )
    if characters.terminator in "\r\n":
        texts = [text for text in texts if text]
    return Segments(texts, characters, hidden, source)


def _decoded(payload: bytes) -> str:
    start = payload.removeprefix(b"\xef\xbb\xbf").lstrip().rstrip(_END_OF_FILE)
    header = start[_UNA_LENGTH:].lstrip() if start.startswith(b"UNA") else start
    if not header.startswith(b"UNB"):
        found = header[:3].decode("ascii", "backslashreplace")
        raise ConversionError("edifact_syntax", f"an interchange begins with UNA or UNB; found {found!r}")
    identifier = header[4:8].decode("ascii", "backslashreplace")
    encodings = ENCODINGS.get(identifier)
    if encodings is None:
        raise ConversionError(
            "edifact_charset", f"segment 1 (UNB): syntax identifier {identifier!r} is none of {', '.join(ENCODINGS)}"
        )
    reason = ""
    for encoding in encodings:
        try:
            return start.decode(encoding)
        except UnicodeDecodeError as error:
            reason = f"byte {error.start} is not {encoding}, which {identifier} announces"
    raise ConversionError("edifact_charset", reason)


def _service_characters(source: str) -> tuple[ServiceCharacters, str]:
    """Return the service characters and the text from UNB on."""
    if source.startswith("UNA"):
        component, element, _, release, repetition, terminator = tuple(source[3:_UNA_LENGTH])
        body = source[_UNA_LENGTH:].lstrip()
    else:
        body = source
        # Level B without UNA may use the information separators IS1, IS3 and IS4 instead, without a release character.
        component, element, release, repetition, terminator = (
            ("\x1f", "\x1d", " ", " ", "\x1c") if body[3:4] == "\x1d" else (":", "+", "?", "*", "'")
        )
    # UNB+UNOC:3+…: the version stands behind the identifier.
    version = body[9:10] if body[8:9] == component else ""
    characters = ServiceCharacters(
        component,
        element,
        release.strip(" "),
        repetition.strip(" ") if version == _NEW_REPETITION else "",
        terminator,
    )
    used = characters.all
    if len(set(used)) < len(used) or any(char.isalnum() or char == " " for char in used):
        raise ConversionError("edifact_syntax", f"UNA: the service characters {used!r} must be different marks")
    return characters, body


def _refuse_control_characters(body: str, characters: ServiceCharacters) -> None:
    found = _ILLEGAL.search(body.translate(dict.fromkeys(map(ord, characters.all))))
    if found is not None:
        number = body.count(characters.terminator, 0, body.find(found[0])) + 1
        raise ConversionError(
            "edifact_syntax", f"segment {number}: the control character U+{ord(found[0]):04X} is not allowed"
        )


def _hide(body: str, characters: ServiceCharacters) -> tuple[str, Mapping[str, str]]:
    """Return the text with placeholders, and each placeholder's XML."""
    free = (char for char in map(chr, chain(range(1, 9), range(14, 32))) if char not in characters.all)
    hidden: dict[str, str] = {}
    if characters.release in body and characters.release:
        placeholders = {char: next(free) for char in characters.all}
        hidden = {placeholder: _ENTITIES.get(char, char) for char, placeholder in placeholders.items()}
        pairs = re.compile(re.escape(characters.release) + "(.?)", re.DOTALL)
        body = pairs.sub(lambda pair: placeholders.get(pair[1], pair[1]), body)
    for char, entity in _ENTITIES.items():
        if char in body and char not in characters.all:
            placeholder = next(free)
            hidden[placeholder] = entity
            body = body.replace(char, placeholder)
    return body, hidden
