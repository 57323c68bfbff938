"""A plan for programs."""

import json

from reconciler.plan.impact import Impact
from reconciler.plan.plan import Plan
from reconciler.plan.render import impact_form


def render(plan: Plan, impact: Impact | None = None) -> str:
    """Return the plan as an indented JSON document; without an impact, `Plan.from_json` reads it again."""
    document = plan.to_json()
    if impact is not None:
        document["impact"] = impact_form.as_json(impact)
    return json.dumps(document, indent=2, ensure_ascii=False)
