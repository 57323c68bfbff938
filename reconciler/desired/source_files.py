"""Reading the files that a configuration names, and the files that those include."""

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from lxml import etree
from pydantic_core import PydanticCustomError

from reconciler.desired.codes import Code
from reconciler.desired.excerpt import excerpt
from reconciler.desired.reading import read_file
from reconciler.errors import BlobError
from reconciler.model.source_file import Part, SourceFile, digest

_XSL = "{http://www.w3.org/1999/XSL/Transform}"
_XSD = "{http://www.w3.org/2001/XMLSchema}"
_INCLUDES = {
    ".xsl": ((f"{_XSL}include", "href"), (f"{_XSL}import", "href")),
    ".xsd": tuple((f"{_XSD}{word}", "schemaLocation") for word in ("include", "import", "redefine", "override")),
    ".sch": tuple(
        (f"{{{namespace}}}{word}", "href")
        for namespace in (
            "http://purl.oclc.org/dsdl/schematron",
            "http://www.ascc.net/xml/schematron",
            "http://www.w3.org/1999/XSL/Transform",
            "http://www.w3.org/2001/XInclude",
        )
        for word in ("include", "extends", "import")
    ),
}
_INCLUDES[".xslt"] = _INCLUDES[".xsl"]
_DOCUMENT = re.compile(r"""\bdoc(?:ument)?\(\s*['"]([^'"]*)['"]\s*(?:,\s*document\(\s*(?:''|"")\s*\)\s*)?\)""")
"""A file that a map, or the tests of a Schematron schema, read, such as a list of codes."""
_READS_DOCUMENTS = (".sch", ".xsl", ".xslt")
_LITERAL = re.compile(r"""'([^'"]*)'|"([^'"]*)\"""")

DIRECTORIES = "edifact"
"""The folder of a configuration, beside reconciler.yaml, whose .txt files are tables of EDIFACT messages."""


def find_directories(root: Path) -> Iterator[str]:
    """Yield the paths of the tables of EDIFACT messages, sorted; none when there is no such folder."""
    place = root / DIRECTORIES
    if place.is_dir():
        for entry in sorted(place.iterdir()):
            if entry.suffix == ".txt" and not entry.name.startswith("."):
                yield f"{DIRECTORIES}/{entry.name}"


class SourceFiles:
    """The files below one root, each read once. Paths are relative to the root, with `/`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.digests: dict[str, str] = {}
        """The SHA-256 of every file that was read, by its path."""
        self._files: dict[str, SourceFile] = {}
        self._same: dict[SourceFile, SourceFile] = {}
        self.contents: dict[str, bytes] = {}

    def reader(
        self, folder: str, note: Callable[[str, SourceFile], None] = lambda _path, _file: None
    ) -> Callable[[str], SourceFile]:
        """Return a reader of paths relative to a folder; it raises PydanticCustomError with a `Code` as its type.

        What it reads is told to `note`, once for each path, which is then relative to the root.
        """
        known: dict[str, SourceFile] = {}

        def read(path: str) -> SourceFile:
            file = known.get(path)
            if file is None:
                place = self._below_root(folder, path)
                file = known[path] = self._source_file(place)
                note(place, file)
            return file

        return read

    def not_yet_written(self, folder: str, path: str) -> tuple[str, SourceFile | None]:
        """Return where a path relative to a folder leads, and the file; None while it is not there.

        Raises PydanticCustomError.
        """
        place = self._below_root(folder, path)
        if place not in self.digests and not (self.root / place).exists():
            return place, None
        return place, SourceFile(name=posixpath.basename(place), sha256=self._read(place))

    def are_as_read(self, digests: Mapping[str, str]) -> bool:
        """Say whether files have the contents that they were found to have; what is there is read."""
        try:
            return all(self._read(path) == sha256 for path, sha256 in digests.items())
        except PydanticCustomError:
            return False

    def is_any_there(self, paths: Iterable[str]) -> bool:
        """Say whether any of these paths is a file's by now."""
        return any((self.root / path).exists() for path in paths)

    def adopt(self, path: str, file: SourceFile) -> SourceFile:
        """Take over what a path was found to be, once its content and its parts' are known to be as they were."""
        known = self._files.get(path)
        if known is None:
            known = self._files[path] = self._same.setdefault(file, file)
        return known

    def content(self, sha256: str) -> bytes:
        """Return a content by its hash: a `ContentReader`."""
        try:
            return self.contents[sha256]
        except KeyError:
            raise BlobError(f"no file of the configuration has the SHA-256 {sha256}") from None

    def _source_file(self, path: str) -> SourceFile:
        file = self._files.get(path)
        if file is None:
            sha256 = self._read(path)
            folder = posixpath.dirname(path) or "."
            parts = [
                Part(name=posixpath.relpath(part, folder), sha256=self.digests[part])
                for part in sorted(self._included(path))
            ]
            file = SourceFile(name=posixpath.basename(path), sha256=sha256, parts=tuple(parts))
            file = self.adopt(path, file)
        return file

    def _included(self, main: str) -> set[str]:
        """Return what a file includes, directly or not, read."""
        found: set[str] = set()
        pending = [main]
        while pending:
            path = pending.pop()
            for href, line in _hrefs(main, self.contents[self.digests[path]]):
                try:
                    part = self._below_root(posixpath.dirname(path), href)
                    self._read(part)
                except PydanticCustomError as error:
                    raise self._inside(error, path, href, line) from None
                if part != main and part not in found:
                    found.add(part)
                    pending.append(part)
        return found

    def _inside(self, error: PydanticCustomError, path: str, href: str, line: int) -> PydanticCustomError:
        """Return a mistake with the place, in a file that includes others, where it was made."""
        source = excerpt(self.contents[self.digests[path]].decode(errors="replace"), line)
        place = {"file": path, "line": line, "column": source.find(href) + 1 or 1, "source": source}
        return PydanticCustomError("included", "{message}", {**(error.context or {}), "code": error.type, **place})

    def _below_root(self, folder: str, path: str) -> str:
        joined = posixpath.normpath(posixpath.join(folder, path))
        if not path or "\0" in path or posixpath.isabs(path) or joined == ".." or joined.startswith("../"):
            raise _mistake(Code.BAD_FILE, f"'{path}' is outside the configuration's folder")
        return joined

    def _read(self, path: str) -> str:
        """Return the hash of a file's content, which is then in `contents`."""
        known = self.digests.get(path)
        if known is not None:
            return known
        try:
            content = read_file(self.root, path)
        except FileNotFoundError:
            raise _mistake(Code.MISSING_FILE, f"there is no file '{path}'", self._nearest(path)) from None
        except OSError as error:
            raise _mistake(Code.BAD_FILE, f"'{path}' cannot be read: {error.strerror}") from None
        sha256 = digest(content)
        self.digests[path] = sha256
        self.contents.setdefault(sha256, content)
        return sha256

    def _nearest(self, path: str) -> str:
        """Return the name in the same folder, or the path of the same name elsewhere, that may be meant."""
        folder, name = posixpath.split(path)
        place = self.root / folder
        names = [entry.name for entry in place.iterdir()] if place.is_dir() else []
        return next(iter(get_close_matches(name, names, n=1)), "")


def _mistake(code: Code, message: str, suggestion: str = "") -> PydanticCustomError:
    return PydanticCustomError(code.value, "{message}", {"message": message, "suggestion": suggestion})


def _hrefs(main: str, content: bytes) -> Iterator[tuple[str, int]]:
    """Yield the relative references of an XML file that includes others, with their lines.

    The main file's name says the language: what it includes may be called as it likes. A file that is not well-formed
    has none here: the compiler says what is wrong with it. A URL is none either.
    """
    includes = _INCLUDES.get(posixpath.splitext(main)[1].lower(), ())
    if not includes:
        return
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        tree = etree.fromstring(content, parser)
    except etree.XMLSyntaxError:
        return
    found = [(element, str(element.get(attribute, ""))) for tag, attribute in includes for element in tree.iter(tag)]
    if main.lower().endswith(_READS_DOCUMENTS):
        found += (
            (element, href)
            for element in tree.iter(etree.Element)
            for text in element.attrib.values()
            for href in _DOCUMENT.findall(str(text))
        )
        # The files that a pattern is about.
        found += (
            (element, one or other)
            for element in tree.iter("{*}pattern")
            for one, other in _LITERAL.findall(str(element.get("documents", "")))
        )
    for element, reference in found:
        href = reference.partition("#")[0]
        if href and "://" not in href and not href.startswith(("urn:", "data:")):
            line = element.sourceline
            yield href, line if isinstance(line, int) else 1
