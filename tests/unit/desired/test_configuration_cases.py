"""Each folder of cases is a configuration with mistakes, and the text by which they are shown."""

from pathlib import Path

import pytest

from reconciler.desired.codes import Code
from reconciler.desired.compiler import Compiler
from reconciler.desired.load import load
from reconciler.desired.render import render_problems
from reconciler.errors import ConfigurationError
from reconciler.model.protocol import ProtocolRegistry

CASES = sorted((Path(__file__).parents[2] / "cases" / "desired").iterdir())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_mistake_is_shown_with_its_place_and_its_mend(
    case: Path, protocols: ProtocolRegistry, compiler: Compiler
) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load(case, protocols, compiler)
    assert render_problems(raised.value.problems) == (case / "expected.txt").read_text()
    assert {problem.code for problem in raised.value.problems} <= {code.value for code in Code}
