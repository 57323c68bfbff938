"""The tests that stand beside rules: what they are run on, and what has to come out."""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field

from reconciler.desired.documents import RuleDocument
from reconciler.desired.references import Place
from reconciler.model.key import Key
from reconciler.model.source_file import ContentReader


@dataclass(frozen=True, slots=True)
class RuleTest:
    """One test. `expect` is a path relative to the configuration's root; `error` a code, or a part of a message."""

    rule: Key
    name: str
    place: Place
    file_name: str
    payload: bytes = field(repr=False)
    mailbox: str | None
    expect: str | None
    error: str | None


def rule_tests(rule: Key, document: RuleDocument, place: Place, content: ContentReader) -> Iterator[RuleTest]:
    """Yield the tests of a rule."""
    folder = posixpath.dirname(place.document.file)
    for index, test in enumerate(document.tests):
        expect = None if test.expect is None else posixpath.normpath(posixpath.join(folder, test.expect))
        name = test.name or f"{test.input.name} #{index + 1}"
        where = place.below("tests", index)
        payload = content(test.input.sha256)
        yield RuleTest(rule, name, where, test.input.name, payload, test.mailbox, expect, test.expect_error)
