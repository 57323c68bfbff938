"""An X12 interchange as XML.

    <X12>
      <ISA><ISA01>00</ISA01>…</ISA>          without the blanks that pad the header to its fixed width
      <GS>…</GS>
      <T850>                                 a transaction set, T and its number
        <ST>…</ST> <BEG>…</BEG>
        <LOOP_PO1><PO1>…</PO1>               a loop, named by its first segment, one element a repetition
          <LOOP_PID>…</LOOP_PID></LOOP_PO1>
        <SE>…</SE>
      </T850>
      <GE>…</GE>
      <IEA>…</IEA>
    </X12>

Elements are named as in EDIFACT: `PO101`, components `REF0401`. Hierarchical levels (HL) nest as their parents (HL02)
say, in whatever order they come: the packs of a shipment are within the shipment's `LOOP_HL`. Empty elements are left
out. Several interchanges in one file follow each other. The tables hold for versions 4010 to 6020, each with its own
loops; in a set of another version a segment that has no place in them stays in the loop that is open. A set that has no
table is written without loops.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib import resources

from reconciler.conversion.sources.directory import Directory, parse_directory
from reconciler.conversion.sources.message import Message, flat
from reconciler.conversion.sources.segment_template import segment_template
from reconciler.conversion.sources.segments import (
    Segments,
    ServiceCharacters,
    end_of_interchange,
    split,
    without_end_of_file,
)
from reconciler.conversion.sources.xml_text import ENTITIES, ILLEGAL
from reconciler.errors import ConversionError

_ISA_ELEMENTS = 16
_REPETITION_SINCE = "00402"
_HIERARCHY = "HL"
_DEEPEST = 100
_LONGEST_ISA = 1000
_VERSIONS = ("004010", "006020")
"""The first and the last version that the tables hold for (GS08)."""
_LOOP_SINCE = re.compile(r"(?P<loop>\((?P<first>\w+)[^()]*\))@(?P<since>\w+)")
"""A loop that versions before this one do not have: they have its first segment alone."""
_NUMBER = re.compile(r"T[0-9]{3}")


def to_xml(payload: bytes) -> bytes:
    """Return the interchanges of a file as XML, in UTF-8.

    Raises ConversionError `x12_syntax`, `x12_structure`, `x12_count` or `x12_reference`; the message says segment,
    line, column and what was expected.
    """
    xml = "".join(_Writer(segments).write() for segments in _interchanges(payload))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<X12>{xml}</X12>\n'.encode()


@lru_cache(maxsize=16)
def _transactions(version: str = _VERSIONS[1]) -> Directory:
    text = (resources.files(__package__) / "transactions.txt").read_text()
    text = _LOOP_SINCE.sub(lambda loop: loop["first"] if version < loop["since"] else loop["loop"], text)
    return parse_directory(text, header="ST", trailer="SE")


def _interchanges(payload: bytes) -> Iterator[Segments]:
    """Split the interchanges of a file, each at the separators that its ISA announces by using them."""
    content = without_end_of_file(payload.removeprefix(b"\xef\xbb\xbf").lstrip())
    try:
        source = content.decode()
    except UnicodeDecodeError:
        source = content.decode("latin-1")
    start = 0
    while start < len(source) or start == 0:
        characters = _separators(source[start : start + _LONGEST_ISA])
        end = end_of_interchange(source, start, characters, trailer="IEA", header="ISA")
        yield split(source, start, end, characters, code="x12_syntax")
        start = end


def _separators(source: str) -> ServiceCharacters:
    element = source[3:4]
    header = source.split(element, _ISA_ELEMENTS) if source.startswith("ISA") and element else []
    if len(header) <= _ISA_ELEMENTS or len(header[_ISA_ELEMENTS]) < len(":~"):
        found = f"; found {source[:3]!r}" if not source.startswith("ISA") else ""
        raise ConversionError("x12_syntax", f"an interchange begins with ISA and its 16 elements{found}")
    component, terminator = header[_ISA_ELEMENTS][0], header[_ISA_ELEMENTS][1]
    if component.isalnum() or terminator.isalnum() or element in {component, terminator}:
        reason = "the last of the 16 elements of ISA is one mark, behind which the first segment ends with another"
        raise ConversionError("x12_syntax", f"{reason}; found {component + terminator!r}")
    repetition = header[11] if header[12] >= _REPETITION_SINCE and len(header[11]) == 1 else ""
    return ServiceCharacters(component, element, "", "" if repetition.isalnum() else repetition, terminator)


@lru_cache(maxsize=64)
def _structure(name: str, version: str) -> Message:
    """Return the structure of a transaction set in a version, such as 004010; a loose one when no table has it."""
    message = _transactions(version).messages.get(name)
    if message is None:
        return flat("ST", "SE")
    return message if _VERSIONS[0] <= version <= _VERSIONS[1] else replace(message, loose=True)


@dataclass(frozen=True, slots=True)
class _Level:
    """A hierarchical level: what it says, and the levels within it. The interchange itself is at depth 0."""

    depth: int
    parts: "list[str | _Level]" = field(default_factory=list)

    def texts(self) -> Iterator[str]:
        """Yield the XML of what is within."""
        for part in self.parts:
            if isinstance(part, str):
                yield part
            else:
                yield f"<LOOP_{_HIERARCHY}>"
                yield from part.texts()
                yield f"</LOOP_{_HIERARCHY}>"


class _Writer:
    """Walks through the segments once."""

    def __init__(self, segments: Segments) -> None:
        self._segments = segments
        self._root = _Level(0)
        self._out = self._root.parts
        """Where the next segment goes: the interchange, or a level of it."""

    def write(self) -> str:
        """Return the content of the XML's root."""
        stream = enumerate(self._segments.texts)
        _, header = self._next(stream, "ISA")
        self._out.append(self._header(header))
        groups = 0
        while True:
            index, elements = self._next(stream, "TA1", "GS", "IEA")
            self._write(index, elements[0])
            if elements[0] == "IEA":
                self._check(index, elements, groups, _value(header, 13))
                break
            if elements[0] == "GS":
                self._functional_group(elements, stream)
                groups += 1
        if index + 1 < len(self._segments.texts):
            raise self._error("x12_structure", index + 1, "IEA ends an interchange; ISA may begin another")
        return self._segments.written("".join(self._root.texts()))

    def _functional_group(self, header: list[str], stream: Iterator[tuple[int, str]]) -> None:
        sets = 0
        while True:
            index, elements = self._next(stream, "ST", "GE")
            if elements[0] == "GE":
                self._write(index, elements[0])
                self._check(index, elements, sets, _value(header, 6))
                return
            self._transaction_set(index, elements, stream, _value(header, 8))
            sets += 1

    def _transaction_set(self, start: int, header: list[str], stream: Iterator[tuple[int, str]], version: str) -> None:
        """Write a transaction set from its ST to its SE."""
        name = f"T{_value(header, 1)}"
        if _NUMBER.fullmatch(name) is None:
            raise self._error(
                "x12_structure", start, f"the number of a transaction set (ST01) was expected, not {name[1:]!r}"
            )
        message = _structure(name, version[: len(_VERSIONS[0])])
        self._out.append(f"<{name}>")
        self._write(start, header[0])
        levels = {"": self._root}
        at = 0
        for index, text in stream:
            elements = text.split(self._segments.characters.element)
            at = self._step(index, message, at, elements, levels)
            self._write(index, elements[0])
            if at == len(message.places) - 1:
                self._check(index, elements, index - start + 1, _value(header, 2))
                self._out.append(f"</{name}>")
                return
        raise self._error("x12_structure", len(self._segments.texts), "SE was expected before the end")

    def _step(self, index: int, message: Message, at: int, elements: list[str], levels: dict[str, _Level]) -> int:
        """End and begin the loops before a segment and return its place. `levels` are those of the set, by number."""
        step = message.step(at, elements[0])
        if step is None:
            raise self._error("x12_structure", index, f"expected {message.expected(at)}")
        names = message.triggers
        for number in step.ended:
            if names[number] == _HIERARCHY:
                self._out = self._root.parts
            else:
                self._out.append(f"</LOOP_{names[number]}>")
        for number in step.begun:
            if names[number] == _HIERARCHY:
                self._out = self._level(index, elements, levels).parts
            else:
                self._out.append(f"<LOOP_{names[number]}>")
        return step.place

    def _level(self, index: int, elements: list[str], levels: dict[str, _Level]) -> _Level:
        """Begin a level within its parent."""
        parent = levels.get(_value(elements, 2))
        if parent is None:
            known = ", ".join(filter(None, levels)) or "none"
            reason = f"the parent {_value(elements, 2)!r} (HL02) is no level before this one; expected one of {known}"
            raise self._error("x12_structure", index, reason)
        if parent.depth == _DEEPEST:
            raise self._error("x12_structure", index, f"hierarchical levels nest {_DEEPEST} deep at most")
        level = _Level(parent.depth + 1)
        parent.parts.append(level)
        number = _value(elements, 1)
        if number:
            levels[number] = level
        return level

    def _header(self, elements: list[str]) -> str:
        # A separator may be a character that XML escapes or cannot hold; as a separator it was not put out of the way.
        unwritable = {char: "\ufffd" for char in self._segments.characters.all if ILLEGAL.match(char)}
        table = str.maketrans({**ENTITIES, **unwritable})
        values = [element.rstrip(" ").translate(table) for element in elements]
        # ISA announces the separators as values, so that none of its own elements is split.
        shape = "+".join("x" if value else "" for value in values)
        return segment_template("ISA", "", shape) % tuple(values)

    def _write(self, index: int, tag: str) -> None:
        pieces, shape = self._segments.pieces_of(index)
        try:
            template = segment_template(tag, _transactions().segments.get(tag, ""), shape)
        except ValueError as error:
            raise self._error("x12_syntax", index, str(error)) from None
        self._out.append(template % tuple(pieces))

    def _next(self, stream: Iterator[tuple[int, str]], *expected: str) -> tuple[int, list[str]]:
        index, text = next(stream, (len(self._segments.texts), ""))
        elements = text.split(self._segments.characters.element)
        if elements[0] not in expected:
            raise self._error("x12_structure", index, f"expected {' or '.join(expected)}")
        return index, elements

    def _check(self, index: int, trailer: list[str], count: int, reference: str) -> None:
        """Compare a trailer's count and reference with what came before it."""
        stated, repeated = _value(trailer, 1), _value(trailer, 2)
        if not (stated.isascii() and stated.isdigit() and stated.lstrip("0") == str(count or "")):
            raise self._error("x12_count", index, f"the count {stated!r} should be {count}")
        # Control numbers are numbers: zeros may lead them in one place and not in the other.
        if repeated.strip().lstrip("0") != reference.strip().lstrip("0"):
            raise self._error("x12_reference", index, f"the reference {repeated!r} should be {reference!r}")

    def _error(self, code: str, index: int, reason: str) -> ConversionError:
        return ConversionError(code, f"{self._segments.where(index)}: {reason}")


def _value(elements: list[str], position: int) -> str:
    return elements[position] if position < len(elements) else ""
