"""A plan for programs."""

import json

from reconciler.plan.plan import Plan


def render(plan: Plan) -> str:
    """Return the plan as an indented JSON document that `Plan.from_json` reads again."""
    return json.dumps(plan.to_json(), indent=2, ensure_ascii=False)
