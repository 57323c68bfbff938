"""The files of a configuration as they have to be so that they say what a state says; nothing is written here."""

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.desired.load import Loaded
from reconciler.desired.reading import read_file
from reconciler.desired.source_files import DIRECTORIES
from reconciler.desired.writing.trees import Edit, Leaf, Order, Put, Take, Tree, Trees, edits
from reconciler.desired.writing.yaml_edit import YamlEdit
from reconciler.desired.writing.yaml_text import Written
from reconciler.desired.yaml_files import ROOT_FILE
from reconciler.errors import ReconcilerError
from reconciler.model.protocol import ProtocolRegistry
from reconciler.model.rule import Rule
from reconciler.model.source_file import ContentReader, SourceFile
from reconciler.model.state import State

_FOLDERS = {
    "templates": "templates",
    "dictionaries": "dictionaries",
    "convert": "maps",
    "validate": "schemas",
    "tests": "tests",
}
_OTHER_FOLDER = "certificates"
_HEAD = "version: 1\n"
_NEW = {ROOT_FILE: _HEAD.encode()}


@dataclass(slots=True)
class Patching:
    """Patches the files below `root`, of which `loaded` is what they say now; None for a folder without any.

    `content` gives the files that the state names, by SHA-256.
    """

    root: Path
    loaded: Loaded | None
    protocols: ProtocolRegistry
    content: ContentReader
    made: dict[str, bytes] = field(default_factory=dict)
    """The files that are new or otherwise, by their paths."""
    _texts: dict[str, YamlEdit] = field(default_factory=dict)
    _needed: frozenset[str] = frozenset()

    def patch(self, state: State, accounts: Iterable[str]) -> dict[str, bytes]:
        """Return the files that are new or otherwise when the accounts are to be as a state has them.

        Raises ReconcilerError for what cannot be patched.
        """
        if self.loaded is None:
            self.made |= _NEW
        old = Trees(self.loaded.desired.state if self.loaded else State(), self.protocols)
        new = Trees(state, self.protocols)
        self._needed = state.hashes()
        for account in accounts:
            before, after = old.account(account), new.account(account)
            files = self._files_of(account)
            path = ("accounts", account)
            for edit in edits(before, after, path):
                self._apply(edit, files, {"accounts": {account: after or {}}})
        self._write_directories(state)
        for file, text in self._texts.items():
            self.made[file] = text.text.encode()
        return {path: content for path, content in self.made.items() if self._on_disk(path) != content}

    def _files_of(self, account: str) -> list[str]:
        """Return the files in which something of an account stands."""
        if self.loaded is None:
            return []
        desired = self.loaded.desired
        keys = (key for key in desired.positions if key.account == account)
        return list(dict.fromkeys(desired.positions[key].file for key in sorted(keys)))

    def _text(self, file: str) -> YamlEdit:
        if file not in self._texts:
            content = self.made.get(file) or self._on_disk(file) or _HEAD.encode()
            self._texts[file] = YamlEdit(content.decode("utf-8-sig"))
        return self._texts[file]

    def _on_disk(self, path: str) -> bytes | None:
        try:
            return read_file(self.root, path)
        except OSError:
            return None

    # --- YAML ----------------------------------------------------------------------------------------------------

    def _apply(self, edit: Edit, files: list[str], new: Tree) -> None:
        try:
            match edit:
                case Put(path, SourceFile() as value) if self._overwritten(path, value):
                    pass
                case Put(path):
                    self._put(path, files, new)
                case Take(path):
                    self._take(path, files)
                case Order(path, keys):
                    self._text(next(file for file in files if self._text(file).has(path))).order(path, keys)
        except (KeyError, StopIteration):
            address = ".".join(edit.path)
            raise ReconcilerError(
                f"{address} cannot be patched, since it does not stand there by itself: it is merged from an anchor, "
                "or stands in several places. Write it out by hand."
            ) from None

    def _put(self, path: tuple[str, ...], files: list[str], new: Tree) -> None:
        if not files:
            files.append(self._new_file(path[1]))
        file = next((file for file in files if self._text(file).has(path)), None)
        if file is None:
            file = max(reversed(files), key=lambda name: self._text(name).depth(path[:-1]))
        text = self._text(file)
        # The nearest mapping above that stands in the text; what lies between is written with the value.
        at = path[: text.depth(path[:-1]) + 1]
        value: Leaf = new
        for part in at:
            value = value[part] if isinstance(value, dict) else None
        text.set(at, self._written(at, value, posixpath.dirname(file)))

    def _take(self, path: tuple[str, ...], files: list[str]) -> None:
        there = [file for file in files if self._text(file).has(path)]
        if not there:
            raise KeyError(path)
        for file in there:
            self._text(file).remove(path)

    def _new_file(self, account: str) -> str:
        name, number = f"accounts/{account}.yaml", 1
        while name in self.made or self._on_disk(name) is not None:
            number += 1
            name = f"accounts/{account}-{number}.yaml"
        return name

    # --- files ---------------------------------------------------------------------------------------------------

    def _written(self, path: tuple[str, ...], value: Leaf, folder: str) -> Written:
        """Return a value with paths, relative to a folder, in the place of files."""
        match value:
            case SourceFile():
                return posixpath.relpath(self._place(path, value), folder or ".")
            case dict():
                return {name: self._written((*path, name), item, folder) for name, item in value.items()}
            case str() | bool() | int() | float() | None:
                return value
            case _:
                return [self._written(path, item, folder) for item in value]

    def _known(self, file: SourceFile) -> list[str]:
        """Return where a file lies already, by its name and content."""
        digests: Mapping[str, str] = self.loaded.digests if self.loaded else {}
        return [path for path, sha256 in digests.items() if sha256 == file.sha256 and path.endswith(f"/{file.name}")]

    def _overwritten(self, path: tuple[str, ...], new: SourceFile) -> bool:
        """Put new content in the place of a file that nothing else needs as it is; say whether that was possible."""
        if self.loaded is None or new.parts:
            return False
        old = Trees(self.loaded.desired.state, self.protocols).account(path[1])
        value: Leaf = {"accounts": {path[1]: old or {}}}
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        if not isinstance(value, SourceFile) or value.name != new.name or value.sha256 in self._needed:
            return False
        places = self._known(value)
        for place in places:
            self.made[place] = self.content(new.sha256)
        return bool(places)

    def _place(self, path: tuple[str, ...], file: SourceFile) -> str:
        """Return where a file lies, or will lie."""
        for place in self._known(file):
            if place not in self.made and all(self._has(place, part.name, part.sha256) for part in file.parts):
                return place
        kind = next((folder for name, folder in _FOLDERS.items() if name in path[2:]), _OTHER_FOLDER)
        for folder in _folders(f"{kind}/{path[1]}", file):
            contents = {posixpath.normpath(f"{folder}/{part.name}"): part.sha256 for part in file.parts}
            contents[f"{folder}/{file.name}"] = file.sha256
            wanted = {place: self.content(sha256) for place, sha256 in contents.items()}
            there = {place: self.made.get(place, self._on_disk(place)) for place in wanted}
            if all(there[place] in {None, content} for place, content in wanted.items()):
                self.made |= wanted
                return f"{folder}/{file.name}"
        raise ReconcilerError(f"There is no free place for {file.name} below {kind}/{path[1]}.")

    def _has(self, place: str, part: str, sha256: str) -> bool:
        digests: Mapping[str, str] = self.loaded.digests if self.loaded else {}
        return digests.get(posixpath.normpath(posixpath.join(posixpath.dirname(place), part))) == sha256

    def _write_directories(self, state: State) -> None:
        for file in {file for _, rule in state.of(Rule) for file in rule.directories}:
            place = f"{DIRECTORIES}/{file.name}"
            if self._on_disk(place) is None:
                self.made[place] = self.content(file.sha256)


def _folders(base: str, file: SourceFile) -> Iterator[str]:
    """Yield folders for a file: a plain one, then one of its own; deep enough for what it includes from above."""
    up = max((part.name.count("../") for part in file.parts), default=0)
    if not up:
        yield base
    yield f"{base}/{file.sha256[:8]}" + "/main" * up
