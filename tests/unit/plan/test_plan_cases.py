"""Each folder of tests/cases/plan is a live and a desired state, and what the plan between them looks like."""

import json
from pathlib import Path

import pytest

from reconciler.model.key import Key
from reconciler.model.state import State, from_json
from reconciler.plan.plan import Plan, build
from reconciler.plan.render import json_form, markdown, text

CASES = sorted(path for path in (Path(__file__).parents[2] / "cases" / "plan").iterdir() if path.is_dir())


def plan_of(case: Path) -> Plan:
    live, desired = (_state(case / name) for name in ("live.json", "desired.json"))
    return build(live, 7, desired)


def _state(file: Path) -> State:
    written = json.loads(file.read_bytes())
    keys = {Key.parse(address): resource for address, resource in written.items()}
    return State({key: from_json(key.kind, resource) for key, resource in keys.items()})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
class TestEveryForm:
    def test_text(self, case: Path) -> None:
        assert text.render(plan_of(case)) + "\n" == (case / "expected.txt").read_text()

    def test_markdown(self, case: Path) -> None:
        assert markdown.render(plan_of(case)) == (case / "expected.md").read_text()

    def test_json(self, case: Path) -> None:
        assert json_form.render(plan_of(case)) + "\n" == (case / "expected.json").read_text()

    def test_json_is_the_same_plan_again(self, case: Path) -> None:
        plan = plan_of(case)
        assert Plan.from_json(json.loads(json_form.render(plan))) == plan
