"""A rule's file as a worker has it: its content and that of every file it includes, and nothing else of the disk."""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote


@dataclass(frozen=True, slots=True)
class RuleFile:
    """The main file's name, and the contents by name, relative to the main file's folder."""

    name: str
    contents: Mapping[str, bytes]

    @property
    def content(self) -> bytes:
        """The main file's content."""
        return self.contents[self.name]

    def included(self, by: str, href: str) -> str | None:
        """Return the name of the file that `href` means inside the file named `by`; None when it is not among them."""
        name = posixpath.normpath(posixpath.join(posixpath.dirname(by), unquote(href.partition("#")[0])))
        return name if name in self.contents else None
