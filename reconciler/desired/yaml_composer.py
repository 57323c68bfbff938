"""YAML text to documents: the events of libyaml's parser into plain data and a table of positions.

Scalars follow the core schema of YAML 1.2.2, section 10.3: `on`, `no`, `1:30` and `2026-01-01` are text. Keys are
always text. Merge keys (`<<`) work as in YAML 1.1: what stands in the mapping itself wins. A variable in a plain
scalar is read as if its value stood there; in a quoted one it is text.
"""

import re
from array import array
from dataclasses import dataclass, field
from sys import intern
from typing import NoReturn

from _ruamel_yaml import CParser
from ruamel.yaml.error import MarkedYAMLError, StringMark
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from reconciler.desired.codes import Code
from reconciler.desired.excerpt import excerpt
from reconciler.desired.nearest import nearest
from reconciler.desired.variables import VariableError, Variables, as_text
from reconciler.desired.yaml_document import COLUMN_BITS, Content, Scalar, Yaml
from reconciler.desired.yaml_scalar import scalar
from reconciler.errors import Position, Problem

MAX_DEPTH = 64
MAX_ALIASED = 1_000_000
"""Values that aliases may stand for, all together, in one file: what a bomb of nested aliases runs into."""

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_STRING_TAGS = ("!", "tag:yaml.org,2002:str")


@dataclass(slots=True)
class _Open:
    """A container whose end has not come yet. `places` are its entries' positions, `size` counts the values inside."""

    container: dict[str, Yaml] | list[Yaml]
    start: int
    anchor: str | None
    places: list[int] = field(default_factory=list)
    key: str | None = None
    key_start: int = 0
    size: int = 1
    height: int = 1


@dataclass(frozen=True, slots=True)
class _Anchored:
    value: Yaml
    size: int
    height: int


class Composer:
    """Reads one file's text; `documents` and `problems` hold what came out. Without variables `${` is text."""

    def __init__(self, file: str, text: str, variables: Variables | None = None) -> None:
        self.file = file
        self.text = text
        self.documents: list[Content] = []
        self._variables = variables
        self.problems: list[Problem] = []
        self._table = array("Q")
        self._offsets: dict[int, int] = {}
        self._stack: list[_Open] = []
        self._anchors: dict[str, _Anchored | None] = {}
        self._aliased = 0

    def compose(self) -> None:
        """Read the whole text; a mistake that makes the rest unreadable ends it early."""
        unprintable = _UNPRINTABLE.search(self.text)
        if unprintable is not None:
            before = self.text[: unprintable.start()].splitlines(keepends=True) or [""]
            ended = before[-1].endswith(("\n", "\r"))
            place = (len(before) << COLUMN_BITS) if ended else ((len(before) - 1) << COLUMN_BITS) + len(before[-1])
            self._problem(Code.YAML_SYNTAX, f"the character U+{ord(unprintable[0]):04X} cannot stand in YAML", place)
            return
        try:
            self._read(CParser(self.text))
        except MarkedYAMLError as error:
            message, mend = self._syntax(error)
            self._problem(Code.YAML_SYNTAX, message, _packed(error.problem_mark or error.context_mark), suggestion=mend)
        except _StoppedError:
            return

    def _syntax(self, error: MarkedYAMLError) -> tuple[str, str]:
        """Return what the parser found, and the mend for what people trip over most."""
        mark, since = error.problem_mark, error.context_mark
        line = excerpt(self.text, mark.line + 1) if mark is not None else ""
        if line.lstrip(" ").startswith("\t"):
            return "a tab cannot indent", "indent with spaces"
        in_flow = "flow" in (error.context or "")
        if in_flow and "${" in line:
            return f"not YAML: {error.problem}", "between braces or brackets a variable needs quotes, and is text then"
        if in_flow and since is not None and mark is not None and since.line < mark.line:
            return f"not YAML: {error.problem}", f"close the bracket that line {since.line + 1} opens"
        mend = ""
        if mark is not None and "mapping values" in error.problem and ":" not in line[: mark.column]:
            mend = "check the indentation of this line and of the one above"
        elif "':'" in error.problem or ": " in line:
            mend = "quote the text that contains a colon"
        return f"not YAML: {error.problem}" + (f" ({error.context} of line {since.line + 1})" if since else ""), mend

    def _read(self, parser: CParser) -> None:
        while (event := parser.get_event()) is not None:
            kind = type(event)
            if kind is ScalarEvent:
                self._scalar(event)
            elif kind is MappingStartEvent:
                self._open({}, event)
            elif kind is SequenceStartEvent:
                self._open([], event)
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                self._close()
            elif kind is AliasEvent:
                self._alias(event)
            elif kind is DocumentStartEvent:
                self._anchors.clear()

    def _scalar(self, event: ScalarEvent) -> None:
        start = _packed(event.start_mark)
        stack = self._stack
        tag = event.tag
        misunderstood = tag is not None and tag not in _STRING_TAGS
        if misunderstood:
            self._problem(Code.YAML_TAG, f"the tag {tag} means nothing here", start)
        if stack and stack[-1].key is None and type(stack[-1].container) is dict:
            self._key(event.value, start)
            return
        value: Yaml = None
        if not misunderstood:
            text, plain = event.value, tag is None and event.implicit[0]
            if "${" in text and self._variables is not None:
                value = self._expanded(text, start, self._variables, plain=plain)
                misunderstood = value is None
            else:
                value = scalar(text) if plain else text
            if value is None and stack and not misunderstood:
                self._null(start)
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored(value, 1, 0)
        self._put(value, start)

    def _expanded(self, text: str, start: int, variables: Variables, *, plain: bool) -> Scalar:
        """Return a scalar with its variables replaced; None, which is said already, when one has no value."""
        try:
            value, whole = variables.expanded(text)
        except VariableError as error:
            mend = nearest(error.name, list(variables.values)) if error.name else ""
            self._problem(Code.UNDEFINED_VARIABLE, str(error), start, suggestion=mend)
            return None
        if not plain:
            return as_text(value)
        read = value if whole or not isinstance(value, str) else scalar(value)
        if read is None:
            self._problem(Code.NULL_VALUE, f"'{text}' has no value", start)
        return read

    def _null(self, start: int) -> None:
        top = self._stack[-1]
        name = f"'{top.key}'" if top.key is not None else "an item of this list"
        message = f"{name} has no value"
        mend = "leave it out for its default, or write {} or [] for empty"
        self._problem(Code.NULL_VALUE, message, start if top.key is None else top.key_start, suggestion=mend)

    def _key(self, name: str, start: int) -> None:
        top = self._stack[-1]
        top.key, top.key_start = intern(name), start  # The same few words stand in every file.
        if name in top.container:
            first = top.places[2 * list(top.container).index(name)]
            also = self._position(first)
            self._problem(Code.DUPLICATE_KEY, f"the key '{name}' stands twice in this mapping", start, also=also)

    def _open(self, container: dict[str, Yaml] | list[Yaml], event: MappingStartEvent | SequenceStartEvent) -> None:
        start = _packed(event.start_mark)
        if event.tag is not None and not event.tag.startswith("tag:yaml.org,2002:"):
            self._problem(Code.YAML_TAG, f"the tag {event.tag} means nothing here", start)
        stack = self._stack
        if stack and stack[-1].key is None and type(stack[-1].container) is dict:
            self._stop(Code.YAML_SYNTAX, "a key must be a text, not a mapping or a list", start)
        if len(stack) == MAX_DEPTH:
            self._stop(Code.TOO_DEEP, f"nested deeper than {MAX_DEPTH} levels", start)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        stack.append(_Open(container, start, event.anchor))

    def _close(self) -> None:
        done = self._stack.pop()
        if type(done.container) is dict and "<<" in done.container:
            self._merge(done.container, done)
        self._offsets[id(done.container)] = len(self._table)
        self._table.extend(done.places)
        if done.anchor is not None:
            self._anchors[done.anchor] = _Anchored(done.container, done.size, done.height)
        self._put(done.container, done.start, done.size, done.height)

    def _alias(self, event: AliasEvent) -> None:
        start = _packed(event.start_mark)
        name = event.anchor
        stack = self._stack
        if name not in self._anchors:
            self._stop(Code.YAML_ALIAS, f"the alias *{name} has no anchor &{name} above it", start)
        target = self._anchors[name]
        if target is None:
            self._stop(Code.YAML_ALIAS, f"the alias *{name} stands inside what it stands for", start)
        self._aliased += target.size
        if self._aliased > MAX_ALIASED:
            self._stop(Code.YAML_ALIAS, f"the aliases of this file stand for more than {MAX_ALIASED:,} values", start)
        if len(stack) + target.height > MAX_DEPTH:
            self._stop(Code.TOO_DEEP, f"nested deeper than {MAX_DEPTH} levels", start)
        if stack and stack[-1].key is None and type(stack[-1].container) is dict:
            if not isinstance(target.value, str):
                self._stop(Code.YAML_SYNTAX, "a key must be a text, not a mapping or a list", start)
            self._key(target.value, start)
            return
        self._put(target.value, start, target.size, target.height)

    def _put(self, value: Yaml, start: int, size: int = 1, height: int = 0) -> None:
        if not self._stack:
            if value is not None:
                texts = ((self.file, self.text),)
                self.documents.append(Content(texts, value, start, self._table, self._offsets))
            return
        top = self._stack[-1]
        top.size += size
        top.height = max(top.height, height + 1)
        container = top.container
        if isinstance(container, list):
            container.append(value)
            top.places += (start, start)
            return
        key, top.key = top.key, None
        if key is not None and key not in container:
            container[key] = value
            top.places += (top.key_start, start)

    def _merge(self, mapping: dict[str, Yaml], done: _Open) -> None:
        """Put the merged keys where `<<` stands, so that their order is the one that a reader sees."""
        names = list(mapping)
        here = names.index("<<")
        merged = mapping.pop("<<")
        places = [done.places[2 * number : 2 * number + 2] for number in range(len(names))]
        own = {name: (mapping[name], places[number]) for number, name in enumerate(names) if name != "<<"}
        inherited: dict[str, tuple[Yaml, list[int]]] = {}
        for source in merged if isinstance(merged, list) else [merged]:
            if not isinstance(source, dict):
                self._problem(Code.BAD_VALUE, "<< takes a mapping or a list of mappings", places[here][1])
                continue
            offset = self._offsets[id(source)]
            for number, (name, value) in enumerate(source.items()):
                if name not in own:
                    spot = offset + 2 * number
                    inherited.setdefault(name, (value, list(self._table[spot : spot + 2])))
        before = {name: own[name] for name in names[:here]}
        after = {name: own[name] for name in names[here + 1 :]}
        mapping.clear()
        done.places.clear()
        for name, (value, place) in (before | inherited | after).items():
            mapping[name] = value
            done.places += place

    def _position(self, place: int) -> Position:
        line, column = divmod(place, 1 << COLUMN_BITS)
        return Position(self.file, line + 1, column + 1)

    def _problem(
        self, code: Code, message: str, place: int, *, suggestion: str = "", also: Position | None = None
    ) -> None:
        position = self._position(place)
        self.problems.append(
            Problem(
                position=position,
                code=code.value,
                message=message,
                path=self._address(),
                source=excerpt(self.text, position.line),
                suggestion=suggestion,
                also=also,
            )
        )

    def _address(self) -> str:
        """Return the path to what is being read."""
        parts = (
            f"[{len(top.container)}]"
            if isinstance(top.container, list)
            else f".{top.key}"
            if top.key is not None
            else ""
            for top in self._stack
        )
        return "".join(parts).removeprefix(".")

    def _stop(self, code: Code, message: str, place: int) -> NoReturn:
        self._problem(code, message, place)
        raise _StoppedError


class _StoppedError(Exception):
    """What follows in the file cannot be understood any more."""


def _packed(mark: StringMark) -> int:
    place: int = (mark.line << COLUMN_BITS) + mark.column
    return place
