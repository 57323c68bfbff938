"""Where in git what is shown was written."""

from dataclasses import dataclass
from typing import Protocol

from reconciler.model.key import Key


@dataclass(frozen=True, slots=True)
class Source:
    """A place in the configuration: the file, the line, the commit that was applied, and (if known) a link to it."""

    file: str
    line: int
    commit: str
    url: str


class Origins(Protocol):
    """Knows where resources were written."""

    def __call__(self, key: Key, /) -> tuple[str, str]:
        """Return `file:line` and the commit of a resource; either may be empty."""
        ...


class Sources:
    """Says where a resource was written, with a link by a template such as `https://…/blob/{commit}/{file}#L{line}`."""

    def __init__(self, origins: Origins, template: str) -> None:
        self._origins = origins
        self._template = template

    def of(self, key: Key) -> Source | None:
        """Return where a resource was written, or None when that is not known."""
        place, commit = self._origins(key)
        file, _, line = place.rpartition(":")
        if not file or not line.isdigit():
            return None
        known = self._template and (commit or "{commit}" not in self._template)
        url = self._template.format(file=file, line=line, commit=commit) if known else ""
        return Source(file, int(line), commit, url)
