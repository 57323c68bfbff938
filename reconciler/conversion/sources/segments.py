"""Text in service characters, split into its segments.

Splitting is what makes the tokenizer fast, so whatever must not split is first put out of the way: a released service
character and the characters that XML would escape become control characters, which no segment may contain, and
`Segments.written` puts them back into the finished XML.
"""

import re
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice, repeat

from reconciler.conversion.sources.xml_text import ENTITIES, ILLEGAL, MOST_TEXT
from reconciler.errors import ConversionError

_AT_ONCE = 2000
"""Segments: enough to make little of what is done once for them, and few enough to need no memory to speak of."""
_MOST_BLANKS = 99
"""White space between a segment and the next."""


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
    """The segments of an interchange, each still in one piece. `source` has their characters from `start` on.

    The shape of a segment says how it is structured: `x` is a text, and `+`, `:` and `*` separate elements, components
    and repetitions, whatever characters do it in the interchange: `x+x++x:x`.
    """

    texts: list[str]
    characters: ServiceCharacters
    hidden: Mapping[str, str]
    source: str
    start: int

    def written(self, xml: str) -> str:
        """Return the XML with what was hidden from the tokenizer put back."""
        for placeholder, text in self.hidden.items():
            xml = xml.replace(placeholder, text)
        return xml

    def pieces(self) -> Iterator[tuple[list[str], list[str]]]:
        """Yield, of many segments at a time, all texts that separators separate, and the segments' shapes.

        A segment has one piece more than its shape has separators.
        """
        for start in range(0, len(self.texts), _AT_ONCE):
            yield self._pieces(self.texts[start : start + _AT_ONCE])

    def pieces_of(self, index: int) -> tuple[list[str], str]:
        """Return the pieces of one segment, and its shape."""
        pieces, (shape,) = self._pieces([self.texts[index]])
        return pieces, shape

    def _pieces(self, texts: list[str]) -> tuple[list[str], list[str]]:
        # Made one kind of separator, the others need not be looked for.
        element = self.characters.element
        joined = element.join(texts)
        for separator in filter(None, (self.characters.component, self.characters.repetition)):
            joined = joined.replace(separator, element)
        return joined.split(element), _shapes(texts, self.characters)

    def where(self, index: int) -> str:
        """Return where the segment with this index stands, for a message: its number from 1, line and column."""
        chars = self.characters
        escape = f"{re.escape(chars.release)}.|" if chars.release else ""
        segment = re.compile(f"(?:{escape}[^{re.escape(chars.terminator)}])*{re.escape(chars.terminator)}?", re.DOTALL)
        nothing = string.whitespace + chars.terminator
        matches = (found for found in segment.finditer(self.source, self.start) if found.group().strip(nothing))
        offset = next((match.start() for match in islice(matches, index, None)), len(self.source))
        while offset < len(self.source) and self.source[offset].isspace():
            offset += 1
        before = self.source[:offset]
        tag = re.split(r"\W", self.texts[index][:4])[0] if index < len(self.texts) else "end"
        line, column = before.count("\n") + 1, offset - before.rfind("\n")
        return f"segment {index + 1} ({tag}), line {line}, column {column}"


def without_end_of_file(payload: bytes) -> bytes:
    """Return a file without the marks that old systems put at its end (Control-Z, NUL), and what follows them."""
    content = payload.rstrip(b"\x1a\0 \t\r\n")
    tail = payload[len(content) :]
    return content + tail[: min((at for at in (tail.find(b"\x1a"), tail.find(b"\0")) if at >= 0), default=len(tail))]


def end_of_interchange(source: str, start: int, characters: ServiceCharacters, *, trailer: str, header: str) -> int:
    """Return where the next interchange of the file begins: after a trailer and before a header; else the end."""
    terminator, element, release = map(re.escape, (characters.terminator, characters.element, characters.release))
    another = re.compile(f"{trailer}{element}[^{terminator}]{{0,99}}{terminator}\\s*(?={header}[^A-Z0-9])")
    segment_ends = re.compile((f"(?<!{release})" if release else "") + f"{terminator}\\s*\\Z")
    for found in another.finditer(source, start):
        if segment_ends.search(source, max(start, found.start() - _MOST_BLANKS), found.start()):
            return found.end()
    return len(source)


def split(source: str, start: int, end: int, characters: ServiceCharacters, *, code: str) -> Segments:
    """Split the source from `start` to `end`.

    Line breaks are dropped wherever they stand, since they only wrap lines; a terminator that is itself a line break is
    honoured. What is empty between two terminators is no segment. Raises ConversionError with `code`.
    """
    used = characters.all
    if len(set(used)) < len(used) or any(char.isalnum() or char in " \0" for char in used):
        raise ConversionError(code, f"the service characters {used!r} must be different marks")
    body = source[start:end]
    for line_break in {"\r", "\n"} - {characters.terminator}:
        body = body.replace(line_break, "")
    _refuse_control_characters(body, characters, code)
    body, hidden = _hide(body, characters)
    texts = [text.lstrip() for text in body.split(characters.terminator)]
    # Many an editor drops the line break at the end of a file.
    if texts[-1] and characters.terminator not in "\r\n":
        raise ConversionError(
            code,
            f"the last segment, number {len(texts)}, does not end: {characters.terminator!r} was expected after it",
        )
    texts = [text for text in texts if text]
    if len(body) > MOST_TEXT and (longest := max(map(len, texts))) > MOST_TEXT:
        raise ConversionError(code, f"a segment of {longest} characters is longer than {MOST_TEXT}")
    return Segments(texts, characters, hidden, source, start)


def _shapes(texts: list[str], characters: ServiceCharacters) -> list[str]:
    """Return the shapes of segments, of which there is one at least."""
    marks = {characters.component: ":", characters.element: "+", characters.repetition: "*", characters.terminator: "'"}
    marks.pop("", None)
    # Marks at both ends, so that no text is left out there.
    joined = characters.terminator.join(("", *texts, ""))
    if characters.all.isascii():
        table = bytearray(b" " * 256)
        for char, mark in marks.items():
            table[ord(char)] = ord(mark)
        blanked = joined.encode().translate(table)
    else:
        blanked = "".join(map(marks.get, joined, repeat(" "))).encode()
    # With blanks for text, splitting finds where one is, several times as fast as anything else.
    return b"x".join(blanked.split()).decode()[1:-1].split("'")


def _refuse_control_characters(body: str, characters: ServiceCharacters, code: str) -> None:
    if body.isprintable():
        return
    if any(map(ILLEGAL.match, characters.all)):
        separated = body.translate(dict.fromkeys(map(ord, characters.all)))
    else:
        separated = body
    found = ILLEGAL.search(separated)
    if found is not None:
        number = body.count(characters.terminator, 0, body.find(found[0])) + 1
        raise ConversionError(code, f"segment {number}: the control character U+{ord(found[0]):04X} is not allowed")


def _hide(body: str, characters: ServiceCharacters) -> tuple[str, Mapping[str, str]]:
    """Return the text with placeholders, and each placeholder's XML."""
    free = (char for char in map(chr, chain(range(1, 9), range(14, 32))) if char not in characters.all)
    hidden: dict[str, str] = {}
    if characters.release in body and characters.release:
        placeholders = {char: next(free) for char in characters.all}
        hidden = {placeholder: ENTITIES.get(char, char) for char, placeholder in placeholders.items()}
        pairs = re.compile(re.escape(characters.release) + "(.?)", re.DOTALL)
        body = pairs.sub(lambda pair: placeholders.get(pair[1], pair[1]), body)
    for char, entity in ENTITIES.items():
        if char in body and char not in characters.all:
            placeholder = next(free)
            hidden[placeholder] = entity
            body = body.replace(char, placeholder)
    return body, hidden
