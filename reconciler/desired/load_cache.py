"""What loading a configuration found, kept until the content of a file, or whatever else it depends on, differs.

Only a configuration without mistakes is kept, for a day at most, since certificates run out meanwhile. The file is the
user's alone and holds what the configuration's files hold; losing or deleting it costs a second.
"""

import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from errno import EPERM
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

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
            with file.open("rb") as stream:
                if not _is_own(stream.fileno()):
                    raise PermissionError(EPERM, "others can write it")
                header = _header(stream)
                if not self._holds(header):
                    return None
                texts = dict(_texts(stream, header["body"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            import logging  # noqa: PLC0415 - hardly ever, and a plan of what did not change waits for it

            logging.getLogger(__name__).debug("%s is not used: %s", file, error)
            return None
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
        }
        resources = desired.state.resources
        body = "".join(f"{key}\t{text_of(resources, key)}\n" for key in resources).encode()
        first = json.dumps({**header, "body": digest(body)}).encode()
        with suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Made with the permissions 0600, and in place all at once.
            descriptor, written = tempfile.mkstemp(dir=file.parent, prefix=".load-")
            with os.fdopen(descriptor, "wb") as stream:
                stream.writelines((digest(first).encode(), b" ", first, b"\n", body))
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


def _is_own(descriptor: int) -> bool:
    """Say whether nobody but the user could have written a file."""
    status = os.fstat(descriptor)
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _header(stream: BinaryIO) -> dict[str, Any]:
    """Return the first line of a cache, which has its own SHA-256 in front. Raises ValueError when it is another."""
    sha256, _, first = stream.readline().rstrip(b"\n").partition(b" ")
    if digest(first).encode() != sha256:
        raise ValueError("its first line is not as it was written")
    header: dict[str, Any] = json.loads(first)
    return header


def _texts(stream: BinaryIO, expected: str) -> Iterator[tuple[Key, str]]:
    """Yield the resources, one a line. Raises ValueError in the end when they are not as they were written."""
    found = hashlib.sha256()
    for line in stream:
        found.update(line)
        address, _, text = line[:-1].decode().partition("\t")
        yield Key.known(address), text
    if found.hexdigest() != expected:
        raise ValueError("what it holds is not as it was written")


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
