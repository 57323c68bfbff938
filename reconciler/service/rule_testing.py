"""Running the tests that stand beside rules: the real conversion, offline; nothing live is read or written."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter
from uuid import UUID

from lxml import etree

from reconciler.conversion.converter import Converted, Converter
from reconciler.conversion.results import together
from reconciler.desired.load import Desired
from reconciler.desired.rule_tests import RuleTest
from reconciler.errors import ConversionError
from reconciler.service.offline import Offline


@dataclass(frozen=True, slots=True)
class RuleTestResult:
    """What became of a test: `fault` is empty when it passed; `diff` shows what came out otherwise."""

    test: RuleTest
    seconds: float
    fault: str = ""
    diff: str = ""
    updated: bool = False


def run_tests(desired: Desired, *, only: str, update: bool) -> Iterator[RuleTestResult]:
    """Yield the results of the tests of the rules at and below an address, in order; all tests without one.

    With `update`, what is expected is written instead of compared.
    """
    offline = Offline(desired)
    with offline.converter() as converter:
        for test in desired.tests:
            if only and not f"{test.rule}.".startswith(f"{only}."):
                continue
            began = perf_counter()
            fault, diff, updated = _run(test, offline, converter, update=update)
            yield RuleTestResult(test, perf_counter() - began, fault, diff, updated)


def _run(test: RuleTest, offline: Offline, converter: Converter, *, update: bool) -> tuple[str, str, bool]:
    """Return what is wrong, the difference, and whether what is expected was written."""
    try:
        made = _comparable(_converted(test, offline, converter))
    except ConversionError as error:
        expected = test.error is not None and (test.error == error.code or test.error in str(error))
        return ("" if expected else f"failed: {error} ({error.code})"), "", False
    if test.expect is None:
        return f"converted, but expected to fail: {test.error}", "", False
    path = offline.root / test.expect
    if update:
        changed = not path.exists() or path.read_bytes() != made
        if changed:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(made)
        return "", "", changed
    try:
        expected_bytes = path.read_bytes()
    except OSError as error:
        mend = "write it with: reconciler test --update"
        return f"what is expected cannot be read: {test.expect}: {error.strerror}; {mend}", "", False
    diff = _diff(expected_bytes, made, test.expect)
    return ("what came out differs" if diff else ""), diff, False


def _converted(test: RuleTest, offline: Offline, converter: Converter) -> Converted:
    """Return what the rule makes of the input. Raises ConversionError, also for an envelope that would not be sent."""
    outcome = offline.convert(test.rule, test.file_name, test.payload, converter, mailbox=test.mailbox)
    if outcome.faults:
        raise ConversionError(outcome.faults[0].code, "; ".join(map(str, outcome.faults)))
    return outcome.converted


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
