import pytest

from reconciler.model.key import Key
from reconciler.plan.selection import Selection

RULE = Key.parse("accounts.acme.mailboxes.orders.rules.first")


@pytest.mark.parametrize(
    ("targets", "excludes", "has"),
    [
        ((), (), True),
        (("accounts.acme",), (), True),
        (("accounts.*.mailboxes.orders",), (), True),
        (("*.rules.first",), (), True),
        (("accounts.ac",), (), False),
        (("accounts.globex", "accounts.acme.mailboxes.*"), (), True),
        ((), ("accounts.acme",), False),
        (("accounts.acme",), ("*.rules.*",), False),
        (("accounts.acme",), ("accounts.acme.mailboxes.sales",), True),
    ],
)
def test_a_glob_names_an_address_and_what_is_below(
    targets: tuple[str, ...], excludes: tuple[str, ...], has: bool
) -> None:
    assert Selection(targets, excludes).has(RULE) is has


def test_a_target_that_names_nothing_is_known() -> None:
    selection = Selection(("accounts.acme", "accounts.acne", "*.first", "*.last"))
    assert selection.unknown([RULE, Key.of_account("globex")]) == ("accounts.acne", "*.last")
    assert Selection().unknown([]) == ()
