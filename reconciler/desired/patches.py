"""Patches of an environment: what it has otherwise at some addresses, merged into the documents that stand there."""

from array import array
from collections.abc import Callable, Iterator

from reconciler.desired.codes import Code
from reconciler.desired.nearest import nearest
from reconciler.desired.yaml_document import COLUMN_BITS, LINE_BITS, Content, Yaml, YamlDocument
from reconciler.errors import Problem

_ELSEWHERE = 1 << (LINE_BITS + COLUMN_BITS)
"""What is added to a packed place that is in the second text of a document, the environment's file."""
_MADE = ("gateway",)
"""What an environment may have although `reconciler.yaml` has nothing of it."""

Document = tuple[str, int]
"""A file and the number of the document in it."""


class Patches:
    """The patches of one environment. Each is merged into the first document that has its address."""

    def __init__(self, environment: YamlDocument) -> None:
        self._environment = environment
        data = environment.content.data
        patches = data.get("patches") if isinstance(data, dict) else None
        self._patches = {
            address: patch
            for address, patch in (patches if isinstance(patches, dict) else {}).items()
            if isinstance(patch, dict)
        }
        self._taken: dict[str, Document] = {}

    def concern(self, data: Yaml, *, is_root: bool) -> bool:
        """Say whether a document has an address that is patched."""
        paths = (address.split(".") for address in self._patches)
        return any((is_root and path[0] in _MADE) or isinstance(_at(data, path), dict) for path in paths)

    def merged(self, content: Content, document: Document, *, is_root: bool) -> Content:
        """Return a document's content with what the patches have otherwise."""
        for address, written in self._patches.items():
            path, patch = address.split("."), written
            if self._taken.get(address, document) != document:
                continue
            if is_root and path[0] in _MADE and isinstance(content.data, dict):
                patch = {path[0]: _nested(path[1:], patch)}
                path = []
            elif not isinstance(_at(content.data, path), dict):
                continue
            self._taken[address] = document
            content = _Merge(content, self._environment.content).of(path, patch)
        return content

    def problems(self, documents: Callable[[], Iterator[Yaml]]) -> Iterator[Problem]:
        """Yield a mistake for each patch whose address no document had. `documents` are asked for what is alike."""
        lost = [address for address in self._patches if address not in self._taken]
        if not lost:
            return
        depths = {address.count(".") + 1 for address in lost}
        known = {name for data in documents() for depth in depths for name in _addresses(data, depth)}
        for address in lost:
            message = f"nothing stands at '{address}' that could be patched"
            mend = nearest(address, sorted(known))
            where = ("patches", address)
            yield self._environment.problem(Code.UNKNOWN_REFERENCE, message, where, of_key=True, suggestion=mend)


class _Merge:
    """Merges a patch into a content of which nothing is altered: anchors let its parts stand in several places."""

    def __init__(self, content: Content, environment: Content) -> None:
        self._content = content
        self._environment = environment
        self._table = array("Q", content.table)
        self._offsets = dict(content.offsets)

    def of(self, path: list[str], patch: dict[str, Yaml]) -> Content:
        content = self._content
        data = self._below(content.data, path, patch)
        texts = (*content.texts[:1], *self._environment.texts)
        return Content(texts, data, content.start, self._table, self._offsets)

    def _below(self, node: Yaml, path: list[str], patch: dict[str, Yaml]) -> Yaml:
        if not isinstance(node, dict):
            return node
        if not path:
            return self._merged(node, patch)
        places = [place for name in node for place in self._content.entry(node, name)]
        return self._placed(node | {path[0]: self._below(node[path[0]], path[1:], patch)}, places)

    def _merged(self, node: dict[str, Yaml], patch: dict[str, Yaml]) -> Yaml:
        merged: dict[str, Yaml] = {}
        places: list[int] = []
        for name, value in node.items():
            key_place, value_place = self._content.entry(node, name)
            if name in patch:
                new = patch[name]
                if isinstance(value, dict) and isinstance(new, dict):
                    merged[name] = self._merged(value, new)
                else:
                    merged[name] = self._adopted(new)
                    key_place, value_place = self._elsewhere(patch, name)
            else:
                merged[name] = value
            places += (key_place, value_place)
        for name, value in patch.items():
            if name not in node:
                merged[name] = self._adopted(value)
                places += self._elsewhere(patch, name)
        return self._placed(merged, places)

    def _elsewhere(self, container: dict[str, Yaml] | list[Yaml], part: str | int) -> tuple[int, int]:
        if id(container) not in self._environment.offsets:  # made of an address, not written
            return _ELSEWHERE, _ELSEWHERE
        key, value = self._environment.entry(container, part)
        return key + _ELSEWHERE, value + _ELSEWHERE

    def _adopted(self, value: Yaml) -> Yaml:
        match value:
            case dict():
                places = [place for name in value for place in self._elsewhere(value, name)]
                return self._placed({name: self._adopted(item) for name, item in value.items()}, places)
            case list():
                places = [place for index in range(len(value)) for place in self._elsewhere(value, index)]
                return self._placed([self._adopted(item) for item in value], places)
            case _:
                return value

    def _placed(self, container: dict[str, Yaml] | list[Yaml], places: list[int]) -> Yaml:
        self._offsets[id(container)] = len(self._table)
        self._table.extend(places)
        return container


def _nested(path: list[str], patch: dict[str, Yaml]) -> Yaml:
    for name in reversed(path):
        patch = {name: patch}
    return patch


def _at(node: Yaml, path: list[str]) -> Yaml:
    for part in path:
        node = node.get(part) if isinstance(node, dict) else None
    return node


def _addresses(node: Yaml, depth: int) -> Iterator[str]:
    """Yield the addresses of the mappings at a depth."""
    if depth == 0 or not isinstance(node, dict):
        return
    for name, value in node.items():
        if isinstance(value, dict):
            if depth == 1:
                yield name
            yield from (f"{name}.{below}" for below in _addresses(value, depth - 1))
