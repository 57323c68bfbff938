"""Each folder of cases is a configuration with mistakes, and the text by which they are shown."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from reconciler.desired.codes import Code
from reconciler.desired.compiler import Compiler
from reconciler.desired.load import load
from reconciler.desired.render import render_problems
from reconciler.errors import ConfigurationError, Problem
from reconciler.model.protocol import ProtocolRegistry

CASES = sorted((Path(__file__).parents[2] / "cases" / "desired").iterdir())


def found_in(case: Path, protocols: ProtocolRegistry, compiler: Compiler) -> tuple[Sequence[Problem], str]:
    """Return what is wrong with a case, or doubtful when nothing is wrong; an environment of it is chosen."""
    environment = "prod" if (case / "environments").exists() else None
    try:
        return load(case, protocols, compiler, environment=environment).warnings, "warning"
    except ConfigurationError as error:
        return error.problems, "error"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_mistake_is_shown_with_its_place_and_its_mend(
    case: Path, protocols: ProtocolRegistry, compiler: Compiler
) -> None:
    problems, severity = found_in(case, protocols, compiler)
    assert render_problems(problems, severity=severity) == (case / "expected.txt").read_text()


def test_every_kind_of_mistake_is_shown_by_a_case(protocols: ProtocolRegistry, compiler: Compiler) -> None:
    shown = {problem.code for case in CASES for problem in found_in(case, protocols, compiler)[0]}
    assert shown == {code.value for code in Code}
