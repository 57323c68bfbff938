"""Very many files are examined by several processes; what comes out is what one process finds."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from reconciler.desired import many_files
from reconciler.desired.compiler import Fault
from reconciler.desired.load import Desired, load
from reconciler.errors import ConfigurationError
from reconciler.model.packed import text_of
from reconciler.model.protocol import ProtocolRegistry
from tests.unit.desired.conftest import WellFormed, write_files

ACCOUNT = """\
version: 1
accounts:
  account-{number}:
    name: Account {number}
    mailboxes:
      orders:
        aliases: ["GLN:{alias}"]
        rules:
          in: {{direction: in, active: true, convert: in.xsl, template: {template}, name_pattern: "{number}.xml",
            tests: [{{input: in.xsl, expect: no.xml}}]}}
"""
SHARED = """\
version: 1
accounts:
  shared:
    templates:
      order: {uuid: 1997a1b4-88e3-4f58-88ca-fcd2c6fb5869, file: order.xml,
        version: 4a303734-a118-44a2-aedf-67df61612628}
"""
Act = Callable[[bool], None]


class Observed(WellFormed):
    """A compiler that is told what to do for each file, and whether it is asked by a further process.

    The first process waits for a further one before it does anything, so that there always is one.
    """

    def __init__(self, place: Path, act: Act = lambda _: None) -> None:
        super().__init__()
        self._mark = place / "a further process was here"
        self._first = os.getpid()
        self._act = act

    def name_pattern(self, pattern: str) -> Sequence[Fault]:
        further = os.getpid() != self._first
        if further:
            self._mark.touch()
        until = time.monotonic() + 100
        while not self._mark.exists():
            assert time.monotonic() < until, "no further process was there"
            time.sleep(0.001)
        self._act(further)
        return super().name_pattern(pattern)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        f"{number}.yaml": ACCOUNT.format(number=number, alias=number, template="shared.order") for number in range(8)
    }
    files |= {"reconciler.yaml": "version: 1\n", "z.yaml": SHARED, "in.xsl": "<in/>", "order.xml": "<order/>"}
    write_files(tmp_path, files)
    return tmp_path


@pytest.fixture
def several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many_files, "_MANY", 1)
    monkeypatch.setattr(many_files, "_AT_ONCE", 1)
    monkeypatch.setattr(many_files, "_further_processes", lambda: 1)


def everything(found: Desired) -> object:
    resources = found.state.resources
    return (
        [(key, text_of(resources, key)) for key in resources],
        dict(found.positions),
        found.warnings,
        found.sections,
        dict(found.files),
        [(test.rule, test.name, test.place.position(), test.test, test.payload) for test in found.tests],
    )


@pytest.mark.usefixtures("several")
def test_several_processes_find_what_one_finds(
    root: Path, protocols: ProtocolRegistry, compiler: WellFormed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = load(root, protocols, Observed(tmp_path))
    monkeypatch.setattr(many_files, "_further_processes", lambda: 0)
    assert everything(found) == everything(load(root, protocols, compiler))
    assert len(found.tests) == 8


@pytest.mark.usefixtures("several")
def test_mistakes_of_and_between_files_are_the_same(
    root: Path, protocols: ProtocolRegistry, compiler: WellFormed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "3.yaml").write_text(ACCOUNT.format(number=3, alias=1, template="shared.odrer"))
    (root / "5.yaml").write_text(ACCOUNT.format(number=1, alias=5, template="shared.order"))
    (root / "6.yaml").write_text(ACCOUNT.format(number="6{", alias=6, template="[]"))
    with pytest.raises(ConfigurationError) as several:
        load(root, protocols, Observed(tmp_path))
    monkeypatch.setattr(many_files, "_further_processes", lambda: 0)
    with pytest.raises(ConfigurationError) as one:
        load(root, protocols, compiler)
    assert several.value.problems == one.value.problems
    assert len(one.value.problems) >= 5


@pytest.mark.usefixtures("several")
def test_files_that_are_the_same_in_two_folders_are_told_apart(
    root: Path, protocols: ProtocolRegistry, tmp_path: Path
) -> None:
    for number, folder in ((8, "b"), (9, "a")):
        (root / folder).mkdir()
        (root / folder / "in.xsl").write_text("<in>")
        text = ACCOUNT.format(number=number, alias=number, template="shared.order")
        (root / folder / f"{number}.yaml").write_text(text)
    with pytest.raises(ConfigurationError) as raised:
        load(root, protocols, Observed(tmp_path))
    (problem,) = raised.value.problems
    assert (problem.position.file, problem.also and problem.also.file) == ("a/in.xsl", "a/9.yaml")


def _fail(further: bool) -> None:
    if further:
        raise RuntimeError("the examination of a file failed")


@pytest.mark.usefixtures("several")
def test_an_error_of_a_further_process_is_raised_as_it_is(
    root: Path, protocols: ProtocolRegistry, tmp_path: Path
) -> None:
    with pytest.raises(RuntimeError, match="examination of a file failed"):
        load(root, protocols, Observed(tmp_path, _fail))
    assert multiprocessing.active_children() == []


def _die(further: bool) -> None:
    if further:
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.usefixtures("several")
def test_what_a_further_process_leaves_undone_is_done_here(
    root: Path, protocols: ProtocolRegistry, compiler: WellFormed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = load(root, protocols, Observed(tmp_path, _die))
    monkeypatch.setattr(many_files, "_further_processes", lambda: 0)
    assert everything(found) == everything(load(root, protocols, compiler))


def _interrupt(further: bool) -> None:
    if not further:
        raise KeyboardInterrupt


@pytest.mark.usefixtures("several")
def test_who_interrupts_leaves_no_process_behind(root: Path, protocols: ProtocolRegistry, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        load(root, protocols, Observed(tmp_path, _interrupt))
    assert multiprocessing.active_children() == []
