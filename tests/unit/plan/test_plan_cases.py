"""Each folder of tests/cases/plan is a live and a desired state, and what the plan between them looks like.

`terms.json` says on what terms it is made, and what else is known of the live side; without it, everything is made so.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from reconciler.model.key import Key, Kind
from reconciler.model.state import State, from_json
from reconciler.plan.impact import Impact, Replayed, Way, impact
from reconciler.plan.live_side import LiveSide, Suspension
from reconciler.plan.making import Terms, Wish, make
from reconciler.plan.plan import Plan, build
from reconciler.plan.render import impact_form, json_form, markdown, text
from reconciler.plan.safety import Limits
from reconciler.plan.selection import Selection

CASES = sorted(path for path in (Path(__file__).parents[2] / "cases" / "plan").iterdir() if path.is_dir())
NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)


def plan_of(case: Path) -> Plan:
    live, desired = (_state(case / name) for name in ("live.json", "desired.json"))
    terms = case / "terms.json"
    return _on_terms(live, desired, json.loads(terms.read_bytes())) if terms.exists() else build(live, 7, desired)


def _on_terms(live: State, desired: State, given: dict[str, Any]) -> Plan:
    sections = given.get("sections")
    return make(
        LiveSide(
            live,
            7,
            frozenset(map(Key.parse, given.get("by_hand", []))),
            {Key.parse(address): datetime.fromisoformat(at) for address, at in given.get("generated_at", {}).items()},
            tuple(
                Suspension(
                    Key.parse(item["address"]),
                    datetime.fromisoformat(item["until"]) if "until" in item else None,
                    item["reason"],
                    item["actor"],
                )
                for item in given.get("suspensions", [])
            ),
        ),
        Wish(
            state=desired,
            renames={Key.parse(new): Key.parse(old) for new, old in given.get("renames", {}).items()},
            sections=None if sections is None else frozenset(sections),
        ),
        Terms(
            prune=given.get("prune", False),
            adopt=given.get("adopt", False),
            allow_destroy=given.get("allow_destroy"),
            selection=Selection(tuple(given.get("targets", [])), tuple(given.get("excludes", []))),
            limits=Limits({Kind(kind): cap for kind, cap in given.get("caps", {}).items()}),
        ),
        now=NOW,
        undelivered=lambda key: int(given.get("undelivered", {}).get(str(key), 0)),
    )


def impact_of(case: Path) -> Impact | None:
    replayed = case / "replayed.json"
    if not replayed.exists():
        return None
    items = json.loads(replayed.read_bytes())
    return impact("the last 7d", [_replayed(item, n) for item in items for n in range(item.get("count", 1))])


def _replayed(item: dict[str, Any], number: int) -> Replayed:
    before, after = (
        Way(way["verb"], Key.parse(way["rule"]) if "rule" in way else None, way.get("detail", ""))
        for way in (item["before"], item["after"])
    )
    return Replayed(
        Key.parse(item["mailbox"]), item["kind"], item["name"].format(number), before, after, item.get("diff", "")
    )


def as_text(case: Path) -> str:
    found = impact_of(case)
    return text.render(plan_of(case)) + "\n" + (f"\n{impact_form.as_text(found)}\n" if found else "")


def _state(file: Path) -> State:
    written = json.loads(file.read_bytes())
    keys = {Key.parse(address): resource for address, resource in written.items()}
    return State({key: from_json(key.kind, resource) for key, resource in keys.items()})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
class TestEveryForm:
    def test_text(self, case: Path) -> None:
        assert as_text(case) == (case / "expected.txt").read_text()

    def test_markdown(self, case: Path) -> None:
        assert markdown.render(plan_of(case), impact_of(case)) == (case / "expected.md").read_text()

    def test_json(self, case: Path) -> None:
        assert json_form.render(plan_of(case), impact_of(case)) + "\n" == (case / "expected.json").read_text()

    def test_json_is_the_same_plan_again(self, case: Path) -> None:
        plan = plan_of(case)
        assert Plan.from_json(json.loads(json_form.render(plan))) == plan
