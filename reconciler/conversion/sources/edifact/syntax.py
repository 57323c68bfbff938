"""Service characters and character sets of an interchange (ISO 9735-1)."""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from reconciler.conversion.sources.segments import (
    Segments,
    ServiceCharacters,
    end_of_interchange,
    split,
    without_end_of_file,
)
from reconciler.errors import ConversionError

ENCODINGS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        # Levels A and B are ASCII. Partners who send more under these names send UTF-8 or Latin-1.
        "UNOA": ("utf-8", "latin-1"),
        "UNOB": ("utf-8", "latin-1"),
        # The same levels as airlines name them.
        "IATA": ("utf-8", "latin-1"),
        "IATB": ("utf-8", "latin-1"),
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

_BOM = b"\xef\xbb\xbf"
_UNA_LENGTH = 9
_UNB_START = 32
"""Characters of UNB that are enough to read the syntax identifier and its version from, however they are wrapped."""
_MOST_BLANKS = 99
"""White space between UNA and UNB."""
_NEW_REPETITION = "4"  # The syntax version that made the fifth service character the repetition separator.


def interchanges(payload: bytes) -> Iterator[Segments]:
    """Tokenize the interchanges of a file, each from UNB on; the first one's syntax identifier says the character set.

    Raises ConversionError `edifact_syntax` or `edifact_charset`.
    """
    source = _decoded(payload)
    start = 0
    while start < len(source):
        begin = start
        if source.startswith("UNA", start):
            begin = start + _UNA_LENGTH
            blanks = source[begin : begin + _MOST_BLANKS]
            begin += len(blanks) - len(blanks.lstrip())
            if not source.startswith("UNB", begin):
                line = source.count("\n", 0, start) + 1
                raise ConversionError("edifact_syntax", f"line {line}: UNB was expected after UNA")
        characters = _service_characters(source, start, begin)
        end = end_of_interchange(source, begin, characters, trailer="UNZ", header="UN[AB]")
        yield split(source, begin, end, characters, code="edifact_syntax")
        start = end


def _decoded(payload: bytes) -> str:
    start = without_end_of_file(payload.removeprefix(_BOM).lstrip())
    header = start[_UNA_LENGTH:].lstrip() if start.startswith(b"UNA") else start
    header = header[:_UNB_START].translate(None, b"\r\n")
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
    # A mark of UTF-8 says more than the name of an alphabet, which few partners change.
    for encoding in ("utf-8", *encodings) if payload.startswith(_BOM) else encodings:
        try:
            return start.decode(encoding)
        except UnicodeDecodeError as error:
            reason = f"byte {error.start} is not {encoding}, which {identifier} announces"
    raise ConversionError("edifact_charset", reason)


def _service_characters(source: str, start: int, begin: int) -> ServiceCharacters:
    """Return what UNA at `start` says, or what holds without it. The source has UNB at `begin`."""
    body = re.sub(r"[\r\n]", "", source[begin : begin + _UNB_START])
    if begin > start:
        component, element, _, release, repetition, terminator = tuple(source[start + 3 : start + _UNA_LENGTH])
    else:
        # Level B without UNA may use the information separators IS1, IS3 and IS4 instead, without a release character.
        component, element, release, repetition, terminator = (
            ("\x1f", "\x1d", " ", " ", "\x1c") if body[3:4] == "\x1d" else (":", "+", "?", "*", "'")
        )
    # UNB+UNOC:3+…: the version stands behind the identifier.
    version = body[9:10] if body[8:9] == component else ""
    return ServiceCharacters(
        component,
        element,
        release.strip(" "),
        repetition.strip(" ") if version == _NEW_REPETITION else "",
        terminator,
    )
