"""An interchange as XML.

    <EDIFACT>                                root; EANCOM when the messages' association code (0057) begins with EAN
      <UNB><UNB01><UNB0101>UNOC</UNB0101>…   a composite element: tag and position, and its components within
           <UNB05>1</UNB05>…</UNB>           a simple element
      <ORDERS directory="D96A">              a message, named by its type; `directory`: the table it was read by
        <UNH>…</UNH> <BGM>…</BGM>
        <GROUP_2><NAD>…</NAD>                segments within the groups of the directory, one element a repetition
                 <GROUP_5>…</GROUP_5></GROUP_2>
        <UNT>…</UNT>
      </ORDERS>
      <UNZ>…</UNZ>
    </EDIFACT>

UNG and UNE stand beside the messages that they enclose; several interchanges in one file follow each other. A message
of a directory that has no table is read by the nearest one's, and a segment that has no place there stays in the group
that is open. A type that no table knows is written without groups, and without `directory`.

Empty elements are left out. Whether an element is composite is for the directory to say, so that a composite of one
component is still `<LIN03><LIN0301>`; a simple element that carries several components nevertheless, or one that no
directory knows, is written as a composite, since nothing may be lost. An element that repeats (syntax version 4) is
written once for each repetition.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reconciler.conversion.sources.directory import Directory
from reconciler.conversion.sources.edifact.directories import SERVICE_SEGMENTS, Directories, directories
from reconciler.conversion.sources.edifact.structure import Structure
from reconciler.conversion.sources.edifact.syntax import interchanges
from reconciler.conversion.sources.segment_template import segment_template
from reconciler.conversion.sources.segments import Segments
from reconciler.errors import ConversionError

_KIND = re.compile(r"[A-Z][A-Z0-9]{0,13}")
_Stream = Iterator[tuple[int, str, str]]
"""The index of each segment, its tag and its shape."""


def to_xml(payload: bytes, own: Sequence[Directory] = ()) -> bytes:
    """Return the interchanges of a file as XML, in UTF-8; `own` directories go before the built-in ones.

    Raises ConversionError `edifact_syntax`, `edifact_charset`, `edifact_structure`, `edifact_count` or
    `edifact_reference`; the message says segment, line, column and what was expected.
    """
    known = directories(tuple(own))
    writers = [_Writer(segments, known) for segments in interchanges(payload)]
    xml = "".join(writer.write() for writer in writers)
    root = next((writer.root for writer in writers if writer.root), "EDIFACT")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root}>{xml}</{root}>\n'.encode()


@dataclass(frozen=True, slots=True)
class _Header:
    """An opened interchange, functional group or message: what its trailer has to repeat."""

    tag: str
    reference: str
    index: int


class _Writer:
    """Walks through the segments of one interchange once. `root` is known then, unless it has no message."""

    def __init__(self, segments: Segments, known: Directories) -> None:
        self._segments = segments
        self._directories = known
        self._element = segments.characters.element
        self._component = segments.characters.component
        self._formats: list[str] = []
        self._out: list[str] = []
        self.root = ""

    def write(self) -> str:
        """Return the content of the XML's root."""
        stream = self._stream()
        next(stream, None)
        elements = self._elements(0, ("UNB",))
        interchange = self._header(elements, 5, 0)
        self._write(0)
        messages = groups = 0
        for index, _, _ in stream:
            elements = self._elements(index, ("UNH", "UNG", "UNZ"))
            match elements[0]:
                case "UNH":
                    self._message(index, elements, stream)
                    messages += 1
                case "UNG":
                    self._functional_group(index, elements, stream)
                    groups += 1
                case _:
                    self._check(index, elements, groups or messages, interchange)
                    self._write(index)
                    return self._finished(stream)
        raise self._error("edifact_structure", len(self._segments.texts), "UNZ was expected before the end")

    def _stream(self) -> _Stream:
        """Yield the segments, whose formats are in `_formats` when the next is asked for: many are filled at once."""
        index = 0
        for pieces, shapes in self._segments.pieces():
            at = 0
            for shape in shapes:
                yield index, pieces[at], shape
                index += 1
                at += 1 + len(shape) - shape.count("x")
            self._out.append("".join(self._formats) % tuple(pieces))
            self._formats.clear()

    def _finished(self, stream: _Stream) -> str:
        for index, _, _ in stream:
            raise self._error("edifact_structure", index, "UNZ ends an interchange; UNA or UNB may begin another")
        return self._segments.written("".join(self._out))

    def _functional_group(self, start: int, header: list[str], stream: _Stream) -> None:
        group = self._header(header, 5, start)
        self._write(start)
        messages = 0
        for index, _, _ in stream:
            elements = self._elements(index, ("UNH", "UNE"))
            if elements[0] == "UNH":
                self._message(index, elements, stream)
                messages += 1
            else:
                self._check(index, elements, messages, group)
                self._write(index)
                return
        raise self._error("edifact_structure", len(self._segments.texts), "UNE was expected before the end")

    def _message(self, start: int, elements: list[str], stream: _Stream) -> None:
        """Write a message from its UNH to its UNT."""
        header = self._header(elements, 1, start)
        kind, version, release, _, association = (self._value(elements, 2) + 4 * self._component).split(
            self._component
        )[:5]
        if _KIND.fullmatch(kind) is None:
            raise self._error("edifact_structure", start, f"a message type (UNH0201) was expected, not {kind!r}")
        structure = self._directories.structure(version + release, kind)
        message, steps, formats = structure.message, structure.steps, self._formats
        self.root = self.root or ("EANCOM" if association.startswith("EAN") else "EDIFACT")
        formats.append(f'<{kind} directory="{message.directory}">' if message.directory else f"<{kind}>")
        self._write(start)
        at, last = 0, len(message.places) - 1
        for index, tag, shape in stream:
            at, template = steps.get((at, tag, shape)) or self._step(index, structure, at, tag, shape)
            formats.append(template)
            if at == last:
                self._check(index, self._elements(index), index - start + 1, header)
                formats.append(f"</{kind}>")
                return
        raise self._error("edifact_structure", len(self._segments.texts), "UNT was expected before the end")

    def _step(self, index: int, structure: Structure, at: int, tag: str, shape: str) -> tuple[int, str]:
        """Return the next place, and the format of a segment with the groups that begin and end before it."""
        try:
            step = structure.step(at, tag, shape)
        except ValueError as error:
            raise self._error("edifact_syntax", index, str(error)) from None
        if step is None:
            raise self._error("edifact_structure", index, f"expected {structure.message.expected(at)}")
        return step

    def _write(self, index: int) -> None:
        """Write a service segment."""
        pieces, shape = self._segments.pieces_of(index)
        try:
            template = segment_template(pieces[0], SERVICE_SEGMENTS[pieces[0]], shape)
        except ValueError as error:
            raise self._error("edifact_syntax", index, str(error)) from None
        self._formats.append(template)

    def _elements(self, index: int, expected: tuple[str, ...] = ()) -> list[str]:
        """Return a segment's tag, which has to be one of those that were expected, and its elements."""
        elements = self._segments.texts[index].split(self._element) if self._segments.texts else [""]
        if expected and elements[0] not in expected:
            raise self._error("edifact_structure", index, f"expected {' or '.join(expected)}")
        return elements

    @staticmethod
    def _value(elements: list[str], position: int) -> str:
        return elements[position] if position < len(elements) else ""

    def _header(self, elements: list[str], position: int, index: int) -> _Header:
        return _Header(elements[0], self._value(elements, position), index)

    def _check(self, index: int, trailer: list[str], count: int, header: _Header) -> None:
        """Compare a trailer's count and reference with what came before it."""
        stated, reference = self._value(trailer, 1), self._value(trailer, 2)
        if not (stated.isascii() and stated.isdigit() and stated.lstrip("0") == str(count or "")):
            raise self._error("edifact_count", index, f"the count {stated!r} should be {count}")
        if reference != header.reference:
            expected = f"the reference {reference!r} should be {header.reference!r}, as in {header.tag}"
            raise self._error("edifact_reference", index, expected)

    def _error(self, code: str, index: int, reason: str) -> ConversionError:
        return ConversionError(code, f"{self._segments.where(index)}: {reason}")
