"""The files of a configuration: which ones there are, and what stands in them."""

import os
from array import array
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from reconciler.desired.codes import Code
from reconciler.desired.patches import Patches
from reconciler.desired.reading import read_file
from reconciler.desired.variables import Variables
from reconciler.desired.yaml_document import Content, YamlDocument
from reconciler.desired.yaml_lines import read_plain
from reconciler.errors import ConfigurationError, NotFoundError, Position, Problem
from reconciler.model.source_file import digest

ROOT_FILE = "reconciler.yaml"
ENVIRONMENTS = "environments"
"""The folder beside `reconciler.yaml` that has a file for each environment."""
_HIDDEN = (".", "_")


def find_root(start: Path) -> Path:
    """Return the nearest folder at or above `start` that has a `reconciler.yaml`. Raises NotFoundError."""
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / ROOT_FILE).is_file():
            return folder
    raise NotFoundError(f"there is no {ROOT_FILE} in {start} or above it; `reconciler init DIR` writes one")


def find_files(root: Path) -> Iterator[str]:
    """Yield `reconciler.yaml` and then every other YAML file below the root, sorted, by its path relative to the root.

    Folders and files whose names start with `.` or `_` are left out, environments too, and links to folders are not
    followed.
    """
    yield ROOT_FILE
    yield from sorted(file for file in _below(str(root), "") if file != ROOT_FILE)


def _below(folder: str, path: str) -> Iterator[str]:
    """Yield the YAML files below a folder, whose own path relative to the root is `path`.

    Raises ConfigurationError when it cannot be read: what it has is not known, rather than nothing.
    """
    try:
        listed = os.scandir(folder)
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
        raise ConfigurationError((Problem(Position(path or ".", 1, 1), Code.BAD_FILE.value, message),)) from None
    with listed as entries:
        for entry in entries:
            name = f"{path}{entry.name}"
            if entry.name.startswith(_HIDDEN):
                continue
            if entry.is_dir(follow_symlinks=False):
                if name != ENVIRONMENTS:
                    yield from _below(entry.path, f"{name}/")
            elif entry.name.endswith((".yaml", ".yml")):
                yield name


def read_documents(
    root: Path,
    file: str,
    variables: Variables | None = None,
    patches: Patches | None = None,
    digests: dict[str, str] | None = None,
) -> tuple[list[YamlDocument], list[Problem]]:
    """Return the documents of a file and what is wrong with it as YAML. `file` is relative to the root.

    The SHA-256 of what was read is noted in `digests`.
    """
    try:
        content = read_file(root, file)
    except OSError as error:
        return [], [Problem(Position(file, 1, 1), Code.BAD_FILE.value, f"cannot be read: {error.strerror}")]
    if digests is not None:
        digests[file] = digest(content)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        message = f"byte 0x{content[error.start]:02X} is not UTF-8"
        return [], [Problem(Position(file, line, column), Code.NOT_UTF8.value, message)]

    def composed() -> tuple[list[Content], list[Problem]]:
        # Most files are plain, and nothing is wrong with them.
        from reconciler.desired.yaml_composer import Composer  # noqa: PLC0415

        composer = Composer(file, text, variables)
        composer.compose()
        documents = composer.documents
        if patches is not None:
            documents = [
                patches.merged(document, (file, number), is_root=file == ROOT_FILE and number == 0)
                for number, document in enumerate(documents)
            ]
        return documents, composer.problems

    def read(number: int) -> Content:
        return composed()[0][number]

    plain = read_plain(text)
    if plain is not None and (patches is None or not patches.concern(plain, is_root=file == ROOT_FILE)):
        return [YamlDocument(file, partial(read, 0), plain)], []
    documents, problems = composed()
    return [YamlDocument(file, partial(read, number), item.data) for number, item in enumerate(documents)], problems


def unread_documents(
    root: Path, file: str, number: int, variables: Variables, patches: Patches | None = None
) -> list[YamlDocument]:
    """Return so many documents of a file, which is read when something in one of them is asked for."""

    def read(index: int) -> Content:
        documents, _ = read_documents(root, file, variables, patches)
        return documents[index].content if index < len(documents) else _nothing(file)

    return [YamlDocument(file, partial(read, index)) for index in range(number)]


def _nothing(file: str) -> Content:
    """Return what stands in a document that is gone since it was read."""
    return Content(((file, ""),), {}, 0, array("Q"), {})


def nothing_written() -> Problem:
    """Return what is wrong with a `reconciler.yaml` without a document."""
    message = "the key 'version' is missing; write version: 1"
    return Problem(Position(ROOT_FILE, 1, 1), Code.MISSING_KEY.value, message)
