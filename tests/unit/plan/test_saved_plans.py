import json
from datetime import UTC, datetime

import pytest

from reconciler.errors import PlanRefusedError
from reconciler.model.account import Account
from reconciler.model.credential import Credential, CredentialKind
from reconciler.model.key import Key
from reconciler.model.state import State
from reconciler.plan.live_side import LiveSide
from reconciler.plan.making import CAREFUL, Wish, make
from reconciler.plan.saved import SavedPlan, config_hash

ACME = Key.of_account("acme")
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
PASSWORD = ACME.mailbox("orders").integration.credential("password")
WISH = Wish(state=State({ACME: Account(name="Acme"), PASSWORD: Credential(kind=CredentialKind.PASSWORD)}))
SAVED = SavedPlan(make(LiveSide(), WISH, CAREFUL, now=NOON), config_hash(WISH), "c0ffee", "ada", NOON)


def test_it_says_what_is_in_it() -> None:
    document = json.loads(SAVED.written())
    assert document["format_version"] == 1
    assert document["base_revision"] == 0
    assert document["configuration"] == {"hash": config_hash(WISH), "commit": "c0ffee"}
    assert document["made"] == {"by": "ada", "at": "2024-05-01T12:00:00+00:00"}
    assert document["digest"] == SAVED.plan.digest


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read"),
        (b"[]", "no saved plan"),
        (b"{}", "no saved plan"),
        (json.dumps(SAVED.plan.to_json()).encode(), "no saved plan"),
        (json.dumps(SAVED.to_json() | {"made": {"by": "ada", "at": "noon"}}).encode(), "cannot be read"),
        (json.dumps(SAVED.to_json() | {"changes": []}).encode(), "altered"),
        (json.dumps(SAVED.to_json() | {"refusals": []} | {"further": 1}).encode(), "altered"),
    ],
)
def test_what_is_no_saved_plan_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(PlanRefusedError, match=message):
        SavedPlan.read(content)
