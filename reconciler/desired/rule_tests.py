"""The tests that stand beside rules: where they are written, and where what has to come out belongs."""

import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from pydantic_core import PydanticCustomError

from reconciler.desired.codes import Code
from reconciler.desired.documents import RuleDocument
from reconciler.desired.references import Place
from reconciler.desired.source_files import SourceFiles
from reconciler.errors import Problem
from reconciler.model.key import Key
from reconciler.model.rule import RuleTest


@dataclass(frozen=True, slots=True)
class WrittenTest:
    """A test as it is written. `path` is where what it expects belongs, relative to the configuration's root.

    The test expects nothing while that file is not there; the rule has it when it is.
    """

    rule: Key
    name: str
    place: Place
    path: str | None
    test: RuleTest
    payload: bytes = field(repr=False)

    @property
    def is_whole(self) -> bool:
        """Whether it is known what has to come out."""
        return self.path is None or self.test.expect is not None


class Sample(NamedTuple):
    """A test among those of a rule; `path` is where what it expects belongs, from the root."""

    number: int
    name: str
    path: str | None
    test: RuleTest


def samples(
    document: RuleDocument, place: Place, sources: SourceFiles, found: Callable[[Problem], None]
) -> Iterator[Sample]:
    """Yield the tests of a rule, each with a name of its own; `found` is told what is wrong with one."""
    folder = posixpath.dirname(place.document.file)
    names: set[str] = set()
    for index, test in enumerate(document.tests):
        path = expect = None
        if test.expect is not None:
            try:
                path, expect = sources.not_yet_written(folder, test.expect)
            except PydanticCustomError as error:
                found(place.below("tests", index, "expect").problem(Code.BAD_FILE, error.message()))
                continue
        wanted = name = test.name or test.input.name
        number = 1
        while name in names:
            number += 1
            name = f"{wanted} #{number}"
        names.add(name)
        noun = RuleTest(input=test.input, mailbox=test.mailbox, expect=expect, expect_error=test.expect_error)
        yield Sample(index, name, path, noun)
