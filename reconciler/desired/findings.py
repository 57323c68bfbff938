"""What one file says by itself: plain data, for it is handed from process to process, and kept until the file changes.

Nothing in it depends on another YAML file. A template is named here, and found when all files are known.
"""

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from reconciler.desired.compiler import Fault
from reconciler.desired.reading import read_regular
from reconciler.errors import Problem
from reconciler.model.source_file import SourceFile, digest

Location = list[str | int]
"""The keys and indexes that lead to something in a document."""


class WrittenRule(NamedTuple):
    """What of a rule is asked for when all rules are known.

    It has either the name of a template or, as UUID/version, its identity. `by` and `pattern` are what it looks at.
    """

    name: str
    active: bool
    direction: str
    template: str | None
    ref: str | None
    by: str | None
    pattern: str | None
    name_pattern: str | None


class WrittenClaim(NamedTuple):
    """Something that may exist only once: of a code, a value, in words, and where it is written."""

    code: str
    value: str
    what: str
    location: Location


class WrittenSample(NamedTuple):
    """A test beside a rule: the rule's address, its place among the rule's tests, and the test itself as JSON.

    `path` is where what it expects belongs.
    """

    rule: str
    number: int
    name: str
    path: str | None
    test: str


@dataclass(slots=True)
class Findings:
    """What one document of a file says. Addresses are texts; `texts` are resources as JSON.

    The rules among them have no template yet. `rules` are by their owner; `declared` are templates by account and name,
    and `named` the names of templates, with their account, in rules that are left out because something else is wrong.
    """

    texts: dict[str, str] = field(default_factory=dict)
    size: int = 0
    """The number of texts, which are handed on when all files are put together."""
    accounts: dict[str, tuple[str | None, bool]] = field(default_factory=dict)
    """The name that each account is given here, if any, and whether it is protected."""
    sections: list[str] = field(default_factory=list)
    rules: dict[str, list[WrittenRule]] = field(default_factory=dict)
    declared: list[tuple[str, str]] = field(default_factory=list)
    named: list[tuple[str, str, Location]] = field(default_factory=list)
    templates: list[tuple[str, str, str]] = field(default_factory=list)
    """The templates that are right: address, UUID/version, and the path of the file."""
    claims: list[WrittenClaim] = field(default_factory=list)
    compiled: list[tuple[str, str, Location]] = field(default_factory=list)
    """The files to compile: as what (a code), the path, and where it is named first."""
    renames: list[tuple[str, str]] = field(default_factory=list)
    samples: list[WrittenSample] = field(default_factory=list)
    mailed: Location | None = None
    """Where somebody is named first whom mail is to be sent to."""

    def kept(self) -> list[Any]:
        """Return it as plain JSON, of the texts their number alone."""
        return [
            self.size,
            self.accounts,
            self.sections,
            self.rules,
            self.declared,
            self.named,
            self.templates,
            self.claims,
            self.compiled,
            self.renames,
            self.samples,
            self.mailed,
        ]

    @classmethod
    def restored(cls, kept: list[Any], texts: Iterator[tuple[str, str]]) -> "Findings":
        """Read what `kept` made; the next texts are its own."""
        number, accounts, sections, rules, declared, named, templates, claims, compiled, renames, samples, mailed = kept
        return cls(
            dict(islice(texts, number)),
            number,
            accounts,
            sections,
            {owner: [WrittenRule(*rule) for rule in written] for owner, written in rules.items()},
            [(account, name) for account, name in declared],
            named,
            templates,
            [WrittenClaim(*claim) for claim in claims],
            compiled,
            renames,
            [WrittenSample(*sample) for sample in samples],
            mailed,
        )


@dataclass(slots=True)
class FileFindings:
    """What one file says, and what that depends on besides the variables and the patches of the environment.

    `named` are the files that it names, by path relative to the configuration's root; `digests` are the SHA-256 of
    everything that was read for it but itself, by path, and `absent` the paths of files that need not be there and
    were not. `asked` are the variables of the process with their values.
    """

    file: str
    sha256: str
    documents: list[Findings] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    named: dict[str, SourceFile] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    asked: dict[str, str | None] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)


def parts_of(path: str, file: SourceFile) -> Iterator[tuple[str, str]]:
    """Yield the paths and hashes of a file and of what it includes, of which `path` is the main one."""
    yield path, file.sha256
    for part in file.parts:
        yield part_path(path, part.name), part.sha256


def part_path(main: str, name: str) -> str:
    """Return the path of what a file includes, by the file's own and the name that it has in there."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(main), name))


@dataclass(frozen=True, slots=True)
class Known:
    """What an earlier loading found in each file, and in each that was compiled, by what that is known by.

    It holds as long as the `mark` of what all files are read by is the same, and a file's own SHA-256.
    """

    mark: str = ""
    files: Mapping[str, FileFindings] = field(default_factory=lambda: MappingProxyType({}))
    compiled: Mapping[str, Sequence[Fault]] = field(default_factory=lambda: MappingProxyType({}))

    def of(self, root: Path, file: str, mark: str) -> FileFindings | None:
        """Return what is known of a file, if it is as it was."""
        found = self.files.get(file) if mark == self.mark else None
        try:
            # Where a link leads was looked at then; the same content is the same answer.
            return found if found is not None and digest(read_regular(f"{root}/{file}")) == found.sha256 else None
        except OSError:
            return None


NOTHING_KNOWN = Known()
