"""Edits of a YAML text: what is not edited stays as it is, to the byte; comments and order too.

Only what stands in the text is seen: an alias is a value without parts, and merged keys are not there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from _ruamel_yaml import CParser
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from reconciler.desired.writing.yaml_text import INDENT, Written, block, entry, flow, is_block, key_text

Path = Sequence[str]


@dataclass(slots=True, eq=False)
class _Node:
    """A value and where it begins and ends in the text. Of a block, both are those of its entries."""

    start: int
    end: int
    is_flow: bool = True
    entries: "dict[str, _Entry] | None" = None
    """The entries of a mapping; None for every other value."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A key, from where to where it stands, and its value."""

    start: int
    end: int
    value: _Node


@dataclass(slots=True)
class YamlEdit:
    """A YAML text while it is edited."""

    text: str
    _roots: list[_Node] = field(default_factory=list)
    _events: Iterator[Event] = field(init=False)
    _lines: list[int] = field(init=False)
    """Where each line begins."""

    def __post_init__(self) -> None:
        self._read()

    def has(self, path: Path) -> bool:
        """Say whether something stands at a path."""
        return self._entry(path) is not None

    def depth(self, path: Path) -> int:
        """Return how many of the first parts of a path stand in the text, as far as they are mappings."""
        return next(length for length in range(len(path), -1, -1) if self._mapping(path[:length]) is not None)

    def set(self, path: Path, value: Written) -> None:
        """Write a value at a path, in place of what stands there or behind the last entry of the mapping above.

        Raises KeyError when there is no mapping above.
        """
        found = self._entry(path)
        if found is not None:
            self._replace(found, value)
            return
        mapping = self._mapping(path[:-1])
        if mapping is None:
            raise KeyError(path)
        self._insert(path, mapping, value)

    def remove(self, path: Path) -> None:
        """Take an entry out, with the comment that stands right above it. Raises KeyError when it is not there."""
        mapping, found = self._mapping(path[:-1]), self._entry(path)
        if mapping is None or found is None:
            raise KeyError(path)
        entries = list((mapping.entries or {}).values())
        if len(entries) == 1:
            owner = self._entry(path[:-1])
            if owner is not None:
                self._replace(owner, {})
            return
        if mapping.is_flow:
            place = entries.index(found)
            if place + 1 < len(entries):
                self._splice(found.start, entries[place + 1].start, "")
            else:
                self._splice(entries[place - 1].value.end, found.value.end, "")
            return
        self._splice(self._beginning(found), self._line_end(found.value.end), "")

    def order(self, path: Path, keys: Sequence[str]) -> None:
        """Bring the entries of a mapping into an order. Raises KeyError when other keys stand there."""
        mapping = self._mapping(path)
        if mapping is None or mapping.entries is None or set(keys) != set(mapping.entries):
            raise KeyError(path)
        if list(mapping.entries) == list(keys):
            return
        found = list(mapping.entries.values())
        if mapping.is_flow:
            texts = {key: self.text[item.start : item.value.end] for key, item in mapping.entries.items()}
            self._splice(found[0].start, found[-1].value.end, ", ".join(texts[key] for key in keys))
            return
        begins = [*map(self._beginning, found), self._line_end(found[-1].value.end)]
        chunks = dict(zip(mapping.entries, pairwise(begins), strict=True))
        texts = {key: self.text[begin:end] for key, (begin, end) in chunks.items()}
        ended = [text if text.endswith("\n") else f"{text}\n" for text in (texts[key] for key in keys)]
        self._splice(begins[0], begins[-1], "".join(ended))

    # --- reading -------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        self._lines = [0]
        for line in self.text.split("\n"):
            self._lines.append(self._lines[-1] + len(line) + 1)
        parser = CParser(self.text)
        self._events = iter(parser.get_event, None)
        documents = (event for event in self._events if isinstance(event, DocumentStartEvent))
        self._roots = [self._node(next(self._events)) for _ in documents]

    def _node(self, event: Event) -> _Node:
        start = self._offset(event.start_mark.line, event.start_mark.column)
        match event:
            case ScalarEvent() | AliasEvent():
                return _Node(start, self._end(event))
            case MappingStartEvent():
                node = _Node(start, start, bool(event.flow_style), {})
            case SequenceStartEvent():
                node = _Node(start, start, bool(event.flow_style))
            case _:
                raise ValueError(f"no value begins with {event}")
        for inner in self._events:
            if isinstance(inner, MappingEndEvent | SequenceEndEvent):
                if node.is_flow:
                    node.end = self._end(inner)
                break
            below = self._node(inner)
            if node.entries is not None:
                value = self._node(next(self._events))
                name = self.text[below.start : below.end] if not isinstance(inner, ScalarEvent) else inner.value
                node.entries[name] = _Entry(below.start, below.end, value)
                below = value
            node.end = below.end
        return node

    def _offset(self, line: int, column: int) -> int:
        return min(self._lines[line] + column, len(self.text))

    def _end(self, event: Event) -> int:
        line, column = event.end_mark.line, event.end_mark.column
        # A text of several lines ends where the next line begins.
        return self._offset(line, column) - (1 if column == 0 and line > event.start_mark.line else 0)

    def _mapping(self, path: Path) -> _Node | None:
        """Return the mapping at a path that stands in the last document that has it."""
        found = None
        for root in self._roots:
            node = root
            for part in path:
                inner = (node.entries or {}).get(part)
                if inner is None:
                    break
                node = inner.value
            else:
                found = node if node.entries is not None else found
        return found

    def _entry(self, path: Path) -> _Entry | None:
        found = None
        for root in self._roots:
            node: _Node | None = root
            for part in path[:-1]:
                inner = ((node.entries if node else None) or {}).get(part)
                node = inner.value if inner else None
            found = ((node.entries if node else None) or {}).get(path[-1], found) if path else None
        return found

    # --- writing -------------------------------------------------------------------------------------------------

    def _replace(self, found: _Entry, value: Written) -> None:
        colon = self.text.index(":", found.end) + 1
        column = self._column(found.start)
        if self._is_inside_flow(found) or not is_block(value, column + colon - found.start + 1):
            old = found.value
            if "\n" not in self.text[colon : old.start]:
                self._splice(old.start, old.end, flow(value))
            else:
                comment = self.text[colon : self._line_end(colon)].rstrip("\n")
                self._splice(colon, old.end, f" {flow(value)}{comment}")
            return
        rest = self.text[found.value.end : self._line_end(found.value.end)].rstrip("\n")
        if "\n" in self.text[colon : found.value.start]:  # then a comment behind the key stays where it is
            rest = self.text[colon : self._line_end(colon)].rstrip("\n")
        lines = "\n".join(block(value, column + INDENT))
        self._splice(colon, self._line_end(found.value.end), f"{rest}\n{lines}\n")

    def _is_inside_flow(self, found: _Entry) -> bool:
        return any(found.value in [item.value for item in (node.entries or {}).values()] for node in self._flows())

    def _flows(self) -> Iterator[_Node]:
        pending = list(self._roots)
        while pending:
            node = pending.pop()
            if node.is_flow and node.entries:
                yield node
            pending += [item.value for item in (node.entries or {}).values()]

    def _insert(self, path: Path, mapping: _Node, value: Written) -> None:
        entries = list((mapping.entries or {}).values())
        key = path[-1]
        if mapping.is_flow and entries:
            self._splice(entries[-1].value.end, entries[-1].value.end, f", {key_text(key)}: {flow(value)}")
            return
        if mapping.is_flow:
            owner = self._entry(path[:-1])
            if owner is None:
                self._splice(mapping.start, mapping.end, "\n".join(entry(key, value, 0)) + "\n")
            else:
                self._replace(owner, {key: value})
            return
        at = self._line_end(entries[-1].value.end)
        lines = "".join(f"{line}\n" for line in entry(key, value, self._column(entries[0].start)))
        ended = "" if self.text[:at].endswith("\n") else "\n"
        self._splice(at, at, ended + lines)

    def _column(self, at: int) -> int:
        return at - (self.text.rfind("\n", 0, at) + 1)

    def _line_end(self, at: int) -> int:
        """Return where the line after a place begins."""
        end = self.text.find("\n", at)
        return len(self.text) if end < 0 else end + 1

    def _beginning(self, found: _Entry) -> int:
        """Return where the lines of a block's entry begin: with the comment right above it."""
        begin = self.text.rfind("\n", 0, found.start) + 1
        column = found.start - begin
        while begin:
            above = self.text.rfind("\n", 0, begin - 1) + 1
            line = self.text[above : begin - 1]
            if not line.startswith(" " * column + "#"):
                break
            begin = above
        return begin

    def _splice(self, begin: int, end: int, text: str) -> None:
        self.text = self.text[:begin] + text + self.text[end:]
        self._read()
