"""Changes by hand as YAML."""

import pytest

from reconciler.live.history import Drift
from reconciler.model.key import Key
from reconciler.plan.change import FieldChange
from reconciler.web.pages.patch import yaml_patch

RULE = Key.parse("accounts.acme.mailboxes.orders.rules.orders-in")
ABOVE = """accounts:
  acme:
    mailboxes:
      orders:
        rules:
          orders-in:
"""


@pytest.mark.parametrize(
    ("field", "written"),
    [
        (FieldChange("active", old=True, new=False), "            active: false"),
        (FieldChange("match.name", old="A", new="É"), '            match:\n              name: "É"'),
        (
            FieldChange("convert", old=None, new={"name": "in.xsl", "sha256": "a1b2c3d4" * 8, "parts": []}),
            '            convert: "in.xsl"  # in.xsl (a1b2c3d4), which `reconciler dump --into .` writes',
        ),
    ],
)
def test_a_changed_field_is_written_where_it_stands(field: FieldChange, written: str) -> None:
    assert yaml_patch(Drift(RULE, "changed", (field,))) == ABOVE + written


def test_nothing_is_written_for_what_was_destroyed() -> None:
    assert yaml_patch(Drift(RULE, "destroyed", ())) == ""
