"""What loading a configuration found, kept until the content of a file, or whatever else it depends on, differs.

What is known of each file is kept beside that: when some files change, the others are not read again. Only a
configuration without mistakes is kept, for a day at most, since certificates run out meanwhile. The file is the user's
alone and holds what the configuration's files hold; losing or deleting it costs some seconds.
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
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, Self

import reconciler
from reconciler import __version__
from reconciler.desired.codes import CODES
from reconciler.desired.compiler import Fault
from reconciler.desired.findings import NOTHING_KNOWN, FileFindings, Findings, Known
from reconciler.desired.load import Desired, Loaded, load_project
from reconciler.desired.reading import read_file, read_regular
from reconciler.desired.source_files import find_directories
from reconciler.desired.yaml_files import find_files
from reconciler.errors import BlobError, Position, Problem
from reconciler.model.cycles import without_cycles
from reconciler.model.key import Key
from reconciler.model.packed import Packed, text_of
from reconciler.model.source_file import SourceFile, digest
from reconciler.model.state import State

FOLDER_VARIABLE = "RECONCILER_CACHE"
"""Names another folder for the cache; empty means that there is none."""

_FORMAT = 3
_HASHES = 3 * 64 + 1
"""Bytes at the end of the file."""
_AT_ONCE = 1000
"""Lines that are read or written at once."""


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

    def desired(self, load: Callable[[Known], Loaded]) -> Desired:
        """Return what was found before if it still holds, without the tests beside rules; else what loading finds.

        Loading is told what is known of the files that did not change. The positions of objects are found by loading
        when they are asked for. Raises ConfigurationError.
        """
        if self.file is None:
            return load(NOTHING_KNOWN).desired
        with without_cycles():
            known, desired = self._found(self.file, load)
        if desired is None:
            loaded = load(known)
            self._keep(self.file, loaded)
            desired = loaded.desired
        return desired

    def _found(self, file: Path, load: Callable[[Known], Loaded]) -> tuple[Known, Desired | None]:
        """Return all that was found before, if it holds; else what is known of single files."""
        try:
            with _Reading(file) as reading:
                header = reading.header
                if any(header.get(name) != value for name, value in self._stamp().items()):
                    return NOTHING_KNOWN, None
                if not self._holds(header):
                    return self._known(reading), None
                texts = {Key.known(address): text for address, text in reading.texts()}
        except FileNotFoundError:
            return NOTHING_KNOWN, None
        except (OSError, ValueError) as error:
            import logging  # noqa: PLC0415 - hardly ever, and a plan of what did not change waits for it

            logging.getLogger(__name__).debug("%s is not used: %s", file, error)
            return NOTHING_KNOWN, None
        paths = {sha256: path for path, sha256 in header["files"].items()}
        return NOTHING_KNOWN, Desired(
            project=load_project(self.root, environment=self.environment, environ=self.environ),
            state=State(Packed(texts)),
            files=_Files(self.root, {sha256: paths[sha256] for sha256 in header["named"]}),
            positions=_LatePositions(lambda: load(self._known_later(file))),
            warnings=tuple(_problem(item) for item in header["warnings"]),
            renames=MappingProxyType({Key.parse(new): Key.parse(old) for new, old in header["renames"].items()}),
            sections=frozenset(header["sections"]),
        )

    def _known(self, reading: "_Reading") -> Known:
        """Return what is known of each file for which the variables of the process are as they were."""
        header, files = reading.header, dict[str, FileFindings]()
        texts = iter(list(reading.texts()))
        for item in reading.findings():
            found, asked = _file_findings(item, texts)  # each document has the next texts
            if all(_hashed(self.environ.get(name)) == value for name, value in asked.items()):
                found.asked = {name: self.environ.get(name) for name in asked}
                files[found.file] = found
        compiled = {name: [_fault(fault) for fault in faults] for name, faults in header["compiled"].items()}
        return Known(header["mark"], files, compiled)

    def _known_later(self, file: Path) -> Known:
        try:
            with without_cycles(), _Reading(file) as reading:
                return self._known(reading)
        except (OSError, ValueError):
            return NOTHING_KNOWN  # it was there and is not any more; nothing is lost but time

    def _keep(self, file: Path, loaded: Loaded) -> None:
        """Keep what was found. Where nothing can be written, nothing is kept."""
        desired, known = loaded.desired, loaded.known
        resources = desired.state.resources
        header = {
            **self._stamp(),
            "asked": {name: _hashed(value) for name, value in loaded.asked.items()},
            "yaml": sorted(known.files),
            "tables": sorted(find_directories(self.root)),
            "files": dict(loaded.digests),
            "absent": sorted(loaded.absent),
            "named": sorted(desired.files),
            "warnings": [asdict(problem) for problem in desired.warnings],
            "renames": {str(new): str(old) for new, old in desired.renames.items()},
            "sections": sorted(desired.sections or ()),
            "mark": known.mark,
            "compiled": {name: [asdict(fault) for fault in faults] for name, faults in known.compiled.items()},
            "texts": len(resources),
            "found": len(known.files),
        }
        first = (json.dumps(header) + "\n",)
        body = (f"{key}\t{text_of(resources, key)}\n" for key in resources)
        last = (json.dumps(_kept(found)) + "\n" for found in known.files.values())
        with suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Made with the permissions 0600, and in place all at once.
            descriptor, written = tempfile.mkstemp(dir=file.parent, prefix=".load-")
            with os.fdopen(descriptor, "wb") as stream:
                hashes = [_write(stream, iter(lines)) for lines in (first, body, last)]
                stream.writelines((*hashes, b"\n"))
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
        """Say whether nothing is otherwise than it was."""
        if any(_hashed(self.environ.get(name)) != value for name, value in header["asked"].items()):
            return False
        if sorted(find_files(self.root)) != header["yaml"] or sorted(find_directories(self.root)) != header["tables"]:
            return False
        if any((self.root / path).exists() for path in header["absent"]):
            return False
        # Where a link leads was looked at when the file was loaded; the same content is the same answer.
        root = str(self.root)
        try:
            return all(digest(read_regular(f"{root}/{path}")) == sha256 for path, sha256 in header["files"].items())
        except OSError:
            return False


class _Reading:
    """Reads a cache from its beginning to its end: the first line, the resources, and what is known of each file.

    Behind them stand the SHA-256 of all three. Raises ValueError when something is not as it was written.
    """

    def __init__(self, file: Path) -> None:
        self._stream = file.open("rb")

    def __enter__(self) -> Self:
        try:
            self._begin()
        except BaseException:
            self._stream.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def _begin(self) -> None:
        status = os.fstat(self._stream.fileno())
        if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise PermissionError(EPERM, "others can write it")
        if status.st_size < _HASHES:
            raise ValueError("it is cut off")
        self._stream.seek(-_HASHES, os.SEEK_END)
        hashes = self._stream.read().decode()
        self._hashes = [hashes[begin : begin + 64] for begin in range(0, _HASHES - 1, 64)]
        self._stream.seek(0)
        (first,) = self._lines(1)
        self.header: dict[str, Any] = json.loads(first)

    def texts(self) -> Iterator[tuple[str, str]]:
        """Yield the resources as address and JSON, one a line."""
        for line in self._lines(self.header["texts"]):
            address, _, text = line[:-1].decode().partition("\t")
            yield address, text

    def findings(self) -> Iterator[Any]:
        """Yield what is known of each file; to be called after all texts."""
        yield from map(json.loads, self._lines(self.header["found"]))

    def _lines(self, number: int) -> Iterator[bytes]:
        hashed, left = hashlib.sha256(), number
        while some := list(islice(self._stream, min(left, _AT_ONCE))):
            hashed.update(b"".join(some))
            left -= len(some)
            yield from some
        if left or hashed.hexdigest() != self._hashes.pop(0):
            raise ValueError("it is not as it was written")


def _write(stream: BinaryIO, lines: Iterator[str]) -> bytes:
    """Write lines and return their SHA-256 in hex."""
    hashed = hashlib.sha256()
    while some := "".join(islice(lines, _AT_ONCE)).encode():
        hashed.update(some)
        stream.write(some)
    return hashed.hexdigest().encode()


def _kept(found: FileFindings) -> list[Any]:
    return [
        found.file,
        found.sha256,
        {path: file.model_dump() for path, file in found.named.items()},
        found.digests,
        {name: _hashed(value) for name, value in found.asked.items()},
        sorted(found.absent),
        [document.kept() for document in found.documents],
    ]


def _file_findings(item: list[Any], texts: Iterator[tuple[str, str]]) -> tuple[FileFindings, dict[str, str | None]]:
    """Return what was kept of a file, and the hashes of the variables of the process that it depends on."""
    file, sha256, named, digests, asked, absent, documents = item
    found = FileFindings(
        file,
        sha256,
        [Findings.restored(document, texts) for document in documents],
        named={path: SourceFile.model_validate(one) for path, one in named.items()},
        digests=digests,
        absent=set(absent),
    )
    return found, asked


def _fault(item: dict[str, Any]) -> Fault:
    return Fault(**item | {"code": CODES[item["code"]] if item["code"] else None})


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
