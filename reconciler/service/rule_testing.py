"""Running the tests of rules: the real conversion, offline; nothing is created, sent or logged."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from uuid import UUID

from lxml import etree

from reconciler.conversion.converter import Converted, Converter
from reconciler.conversion.results import together
from reconciler.desired.load import Desired
from reconciler.errors import ConversionError, Position
from reconciler.live.views import RuleTestRun
from reconciler.model.key import Key
from reconciler.model.rule import Rule, RuleTest
from reconciler.model.source_file import ContentReader
from reconciler.service.offline import Offline


@dataclass(frozen=True, slots=True)
class WrittenTestRun:
    """What became of a test that is written at `position`; `updated` when what it expects was written."""

    run: RuleTestRun
    position: Position
    updated: bool = False


def run_written_tests(desired: Desired, *, only: str, update: bool) -> Iterator[WrittenTestRun]:
    """Yield the results of the tests of the rules at and below an address, in order; all tests without one.

    With `update`, what is expected is written where it differs.
    """
    root = desired.project.root.resolve()
    offline = Offline(desired.state, desired.files.__getitem__)
    with offline.converter() as converter:
        for written in desired.tests:
            if only and not f"{written.rule}.".startswith(f"{only}."):
                continue
            expected = desired.files[written.test.expect.sha256] if written.test.expect else None
            run, made = _run(written.rule, written.name, written.test, written.payload, expected, offline, converter)
            updated = False
            if made is not None and written.path is not None:
                if update and (run.fault or expected is None):
                    run, updated = replace(run, fault="", diff=""), _write(root / written.path, made)
                elif expected is None:
                    mend = "write it with: reconciler test --update"
                    run = replace(run, fault=f"what is expected is not there: {written.path}; {mend}")
            yield WrittenTestRun(run, written.place.position(), updated)


def run_tests(
    key: Key, rule: Rule, content: ContentReader, offline: Offline, converter: Converter
) -> Iterator[RuleTestRun]:
    """Yield the results of the tests of a rule."""
    for name, test in rule.tests.items():
        expected = content(test.expect.sha256) if test.expect else None
        yield _run(key, name, test, content(test.input.sha256), expected, offline, converter)[0]


def _run(
    key: Key,
    name: str,
    test: RuleTest,
    payload: bytes,
    expected: bytes | None,
    offline: Offline,
    converter: Converter,
) -> tuple[RuleTestRun, bytes | None]:
    """Run a test; return what became of it, and what came out if anything did."""
    began = perf_counter()
    made, fault, diff = None, "", ""
    try:
        made = _comparable(_converted(key, test, payload, offline, converter))
    except ConversionError as error:
        wanted = test.expect_error
        if wanted is None or (wanted != error.code and wanted not in str(error)):
            fault = f"failed: {error} ({error.code})"
    else:
        if test.expect_error is not None:
            fault = f"converted, but expected to fail: {test.expect_error}"
        elif test.expect is not None and expected is not None:
            diff = _diff(expected, made, test.expect.name)
            fault = "what came out differs" if diff else ""
    return RuleTestRun(rule=str(key), name=name, seconds=perf_counter() - began, fault=fault, diff=diff), made


def _converted(key: Key, test: RuleTest, payload: bytes, offline: Offline, converter: Converter) -> Converted:
    """Return what the rule makes of the input. Raises ConversionError, also for an envelope that would not be sent."""
    outcome = offline.convert(key, test.input.name, payload, converter, mailbox=test.mailbox)
    if outcome.faults:
        raise ConversionError(outcome.faults[0].code, "; ".join(map(str, outcome.faults)))
    return outcome.converted


def _write(path: Path, content: bytes) -> bool:
    """Write what is expected; say whether it was otherwise."""
    if path.exists() and path.read_bytes() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return True


def _comparable(converted: Converted) -> bytes:
    """Return what came out as one file, with UUIDs that are new each time replaced by numbers."""
    made = together(converted.results)
    for number, uuid in enumerate(converted.attachments, 1):
        made = made.replace(uuid.encode(), str(UUID(int=number)).encode())
    return made


def _diff(expected: bytes, made: bytes, name: str) -> str:
    """Return a unified diff; of XML, it is one of its canonical form, indented. Empty when nothing differs."""
    if expected == made:
        return ""
    before, after = _lines(expected), _lines(made)
    if before == after:
        return ""
    return "\n".join(difflib.unified_diff(before, after, f"{name} (expected)", "(converted)", lineterm=""))


def _lines(content: bytes) -> list[str]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_blank_text=True)
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError):
        return content.decode(errors="replace").splitlines()
    etree.indent(root)
    return etree.tostring(root, method="c14n2").decode().splitlines()
