"""What loading a configuration found, kept until the content of a file, or whatever else it depends on, differs.

Only a configuration without mistakes is kept, for a day at most, since certificates run out meanwhile. The file is the
user's alone and holds what the configuration's files hold; losing or deleting it costs a second.
"""

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import reconciler
from reconciler import __version__
from reconciler.desired.load import Desired, Loaded, load_project
from reconciler.desired.reading import read_file, read_regular
from reconciler.desired.source_files import find_directories
from reconciler.desired.yaml_files import find_files
from reconciler.errors import BlobError, Position, Problem
from reconciler.model.cycles import without_cycles
from reconciler.model.key import Key
from reconciler.model.packed import Packed, text_of
from reconciler.model.source_file import digest
from reconciler.model.state import State

FOLDER_VARIABLE = "RECONCILER_CACHE"
"""Names another folder for the cache; empty means that there is none."""

_FORMAT = 2


@dataclass(frozen=True, slots=True)
class LoadCache:
    """The cache of one configuration in one environment. `file` is None when nothing is kept."""

    root: Path
    environment: str | None
    environ: Mapping[str, str]
    file: Path | None

    @classmethod
    def of(cls, root: Path, environment: str | None, environ: Mapping[str, str]) -> "LoadCache":
        """Return the cache of the configuration at a folder, where the user's caches are."""
        home = environ.get("XDG_CACHE_HOME") or (f"{environ['HOME']}/.cache" if environ.get("HOME") else "")
        folder = environ.get(FOLDER_VARIABLE, f"{home}/reconciler" if home else "")
        name = digest(json.dumps([os.path.realpath(root), environment]).encode())
        return cls(root, environment, environ, Path(folder, f"{name[:32]}.load") if folder else None)

    def desired(self, load: Callable[[], Loaded]) -> Desired:
        """Return what was found before if it still holds, without the tests beside rules; else what loading finds.

        The positions of objects are found by loading when they are asked for. Raises ConfigurationError.
        """
        if self.file is None:
            return load().desired
        found = self._found(self.file, load)
        if found is None:
            loaded = load()
            self._keep(self.file, loaded)
            found = loaded.desired
        return found

    @without_cycles()
    def _found(self, file: Path, load: Callable[[], Loaded]) -> Desired | None:
        try:
            with file.open(encoding="utf-8") as stream:
                header = json.loads(stream.readline())
                if not self._holds(header):
                    return None
                lines = stream.read().split("\n")
        except (OSError, ValueError):
            return None
        if len(lines) != header["resources"]:
            return None
        texts = {}
        for line in lines:
            address, _, text = line.partition("\t")
            texts[Key.known(address)] = text
        paths = {sha256: path for path, sha256 in header["files"].items()}
        return Desired(
            project=load_project(self.root, environment=self.environment, environ=self.environ),
            state=State(Packed(texts)),
            files=_Files(self.root, {sha256: paths[sha256] for sha256 in header["named"]}),
            positions=_LatePositions(load),
            warnings=tuple(_problem(item) for item in header["warnings"]),
            renames=MappingProxyType({Key.parse(new): Key.parse(old) for new, old in header["renames"].items()}),
            sections=frozenset(map(tuple, header["sections"])),
        )

    def _keep(self, file: Path, loaded: Loaded) -> None:
        """Keep what was found. Where nothing can be written, nothing is kept."""
        desired = loaded.desired
        header = {
            **self._stamp(),
            "asked": {name: _hashed(value) for name, value in loaded.asked.items()},
            "yaml": sorted(find_files(self.root)),
            "tables": sorted(find_directories(self.root)),
            "files": dict(loaded.digests),
            "absent": sorted(loaded.absent),
            "named": sorted(desired.files),
            "warnings": [asdict(problem) for problem in desired.warnings],
            "renames": {str(new): str(old) for new, old in desired.renames.items()},
            "sections": sorted(map(list, desired.sections or ())),
            "resources": len(desired.state),
        }
        resources = desired.state.resources
        lines = (f"{key}\t{text_of(resources, key)}" for key in resources)
        with suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Made with the permissions 0600, and in place all at once.
            descriptor, written = tempfile.mkstemp(dir=file.parent, prefix=".load-")
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(f"{json.dumps(header)}\n")
                stream.write("\n".join(lines))
            Path(written).replace(file)

    def _stamp(self) -> dict[str, Any]:
        """Return what, besides the files, has to be as it was."""
        return {
            "format": _FORMAT,
            "version": __version__,
            "program": _program(),
            "day": f"{datetime.now(UTC):%Y-%m-%d}",
            "environment": self.environment,
        }

    def _holds(self, header: Mapping[str, Any]) -> bool:
        if any(header.get(name) != value for name, value in self._stamp().items()):
            return False
        if any(_hashed(self.environ.get(name)) != value for name, value in header["asked"].items()):
            return False
        if sorted(find_files(self.root)) != header["yaml"] or sorted(find_directories(self.root)) != header["tables"]:
            return False
        if any((self.root / path).exists() for path in header["absent"]):
            return False
        # Where a link leads was looked at when the file was loaded; the same content is the same answer.
        root = str(self.root)
        return all(digest(read_regular(f"{root}/{path}")) == sha256 for path, sha256 in header["files"].items())


class _Files(Mapping[str, bytes]):
    """The files that the state names, by SHA-256, each read when it is asked for."""

    def __init__(self, root: Path, paths: Mapping[str, str]) -> None:
        self._root = root
        self._paths = paths

    def __getitem__(self, sha256: str) -> bytes:
        path = self._paths[sha256]
        content = read_file(self._root, path)
        if digest(content) != sha256:
            raise BlobError(f"{path} changed while it was in use; run the command again")
        return content

    def __contains__(self, sha256: object) -> bool:
        return sha256 in self._paths

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


class _LatePositions(Mapping[Key, Position]):
    """Where each object is written; the files are read again when that is asked for."""

    def __init__(self, load: Callable[[], Loaded]) -> None:
        self._load = cache(load)

    def __getitem__(self, key: Key) -> Position:
        return self._load().desired.positions[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._load().desired.positions)

    def __len__(self) -> int:
        return len(self._load().desired.positions)


def _problem(item: dict[str, Any]) -> Problem:
    also = item.pop("also")
    return Problem(**item | {"position": Position(**item["position"]), "also": Position(**also) if also else None})


def _hashed(value: str | None) -> str | None:
    return None if value is None else digest(value.encode())


@cache
def _program() -> str:
    """Return what tells this program from another of the same version: when its files were written."""
    package = Path(reconciler.__path__[0])
    return digest(json.dumps(sorted(path.stat().st_mtime_ns for path in package.rglob("*.py"))).encode())
