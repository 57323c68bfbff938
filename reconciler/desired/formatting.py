"""YAML in one form: blocks indented by two, no blanks at line ends, at most one empty line, a line feed at the end.

What stands in a line is never touched, only the space before it, after a dash and at its end; so comments, quotes and
order stay as they are. What is formatted is read again and returned only when it means the same.
"""

import re
from dataclasses import dataclass, field

from _ruamel_yaml import CParser
from ruamel.yaml.error import MarkedYAMLError, StringMark
from ruamel.yaml.events import Event, MappingEndEvent, MappingStartEvent, ScalarEvent, SequenceEndEvent
from ruamel.yaml.events import SequenceStartEvent as ListStartEvent

from reconciler.desired.yaml_composer import Composer
from reconciler.desired.yaml_document import Yaml

INDENT = 2

_DASHES = re.compile(r"(?:- +)+(?=[^\s#])")


class UnformattableError(ValueError):
    """The text is no YAML, or would mean something else when it is indented anew."""


@dataclass(frozen=True, slots=True)
class _Block:
    """A block collection: the column where it begins, and the one where it shall begin."""

    old: int
    new: int

    @property
    def shift(self) -> int:
        return self.new - self.old


@dataclass(slots=True)
class _Layout:
    """By how much each line moves; `inside` are the lines within a scalar, which stay as they are behind that."""

    lines: list[str]
    shifts: dict[int, int] = field(default_factory=dict)
    inside: set[int] = field(default_factory=set)
    _stack: list[_Block] = field(default_factory=list)
    _flow: int = 0

    def read(self, text: str) -> None:
        parser = CParser(text)
        event = parser.get_event()
        while event is not None:
            following = parser.get_event()
            self._take(event, following)
            event = following

    def _take(self, event: Event, following: Event) -> None:
        match event:
            case MappingStartEvent() | ListStartEvent() if self._flow or event.flow_style:
                self._flow += 1
                self._note(event.start_mark)
            case MappingEndEvent() | SequenceEndEvent() if self._flow:
                self._flow -= 1
                self._note(event.start_mark)
            case MappingStartEvent() | ListStartEvent():
                self._open(event, following)
                self._note(event.start_mark)
            case MappingEndEvent() | SequenceEndEvent():
                self._stack.pop()
            case ScalarEvent():
                self._note(event.start_mark)
                end = event.end_mark
                for line in range(event.start_mark.line + 1, end.line + (end.column > 0)):
                    self.inside.add(line)
                    self.shifts[line] = self._stack[-1].shift if self._stack else 0
            case _:
                pass

    def _open(self, event: MappingStartEvent | ListStartEvent, following: Event) -> None:
        column = event.start_mark.column
        if event.anchor is not None or event.tag is not None:  # the event begins with them, the block later
            mark = following.start_mark
            column = mark.column
            if isinstance(event, ListStartEvent):
                column = max(self.lines[mark.line].rfind("-", 0, mark.column), 0)
        self._stack.append(_Block(column, self._stack[-1].new + INDENT if self._stack else 0))

    def _note(self, mark: StringMark) -> None:
        line = self.lines[mark.line]
        begin = len(line) - len(line.lstrip(" "))
        blocks = [block for block in self._stack if block.old == begin] or self._stack[-1:]
        if blocks:
            self.shifts.setdefault(mark.line, blocks[-1].shift)

    def shift(self, number: int) -> int:
        """Return by how much a line moves; a comment, and a dash alone, as the next line that begins where it does."""
        if number in self.shifts:
            return self.shifts[number]
        column = _column(self.lines[number])
        below = next((line for line in range(number + 1, len(self.lines)) if line in self.shifts), None)
        if below is not None and _column(self.lines[below]) == column:
            return self.shifts[below]
        for line in range(number - 1, -1, -1):
            if line in self.shifts and line not in self.inside and _column(self.lines[line]) <= column:
                return self.shifts[line]
        return self.shifts[below] if below is not None else 0


def formatted(text: str) -> str:
    """Return a YAML text in the one form; itself when it has that form. Raises UnformattableError."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    layout = _Layout(text.split("\n"))
    try:
        layout.read(text)
    except MarkedYAMLError as error:
        raise UnformattableError("it is not YAML; see: reconciler validate") from error
    made: list[str] = []
    for number, line in enumerate(layout.lines):
        if number in layout.inside:
            made.append(_moved(line, layout.shifts[number]))
        elif line.strip():
            made.append(_dashed(_moved(line.rstrip(), layout.shift(number))))
        elif made and made[-1]:
            made.append("")
    result = "\n".join(made).strip("\n") + "\n" if any(made) else ""
    if _meaning(result) != _meaning(text):
        raise UnformattableError("it would mean something else when it is indented anew")
    return result


def _column(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _moved(line: str, shift: int) -> str:
    if not line.strip():
        return line
    return " " * max(_column(line) + shift, 0) + line.lstrip(" ")


def _dashed(line: str) -> str:
    """Return a line with one blank behind each of the dashes that it begins with."""
    column = _column(line)
    dashes = _DASHES.match(line, column)
    return line if dashes is None else line[:column] + "- " * dashes[0].count("-") + line[dashes.end() :]


def _meaning(text: str) -> tuple[list[Yaml], list[str]]:
    composer = Composer("", text)
    composer.compose()
    return [document.data for document in composer.documents], [problem.code for problem in composer.problems]
