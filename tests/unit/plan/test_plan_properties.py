"""What holds of every plan, whatever the two states are."""

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import PlanRefusedError
from reconciler.model.account import Account
from reconciler.model.credential import Credential, CredentialKind
from reconciler.model.integration import Integration
from reconciler.model.key import Key, Kind
from reconciler.model.mailbox import Mailbox
from reconciler.model.noun import Json
from reconciler.model.packed import packed, packed_as
from reconciler.model.rule import Archive, Direction, Rule
from reconciler.model.source_file import Part, SourceFile
from reconciler.model.state import Resource, State
from reconciler.model.template import Template
from reconciler.model.template_ref import TemplateRef
from reconciler.plan.change import Delete, Update, change_from_json, change_to_json
from reconciler.plan.diff import applied, diff
from reconciler.plan.live_side import LiveSide
from reconciler.plan.making import CAREFUL, Terms, Wish, make
from reconciler.plan.order import LEVELS, ordered
from reconciler.plan.plan import Plan, build
from reconciler.plan.render import markdown, text
from reconciler.plan.saved import SavedPlan, config_hash
from reconciler.plan.selection import Selection

ACME = Key.of_account("acme")
ORDERS = ACME.mailbox("orders")
OTHER = Key.of_account("other")
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)

uuids = st.sampled_from(["1997a1b4-88e3-4f58-88ca-fcd2c6fb5869", "4a303734-a118-44a2-aedf-67df61612628"])
texts = st.text(max_size=4)
hashes = st.sampled_from(["a" * 64, "b" * 64])
files = st.builds(
    SourceFile, name=texts, sha256=hashes, parts=st.lists(st.builds(Part, name=texts, sha256=hashes), max_size=1)
)
scalars: st.SearchStrategy[Json] = st.none() | st.booleans() | st.integers(2, 4) | texts
values: st.SearchStrategy[Json] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2), max_leaves=4
)
credentials = st.builds(
    Credential, kind=st.sampled_from(CredentialKind), generation=st.integers(1, 3), subject=st.none() | texts
)
rules = st.builds(
    Rule,
    active=st.booleans(),
    direction=st.just(Direction.IN),
    position=st.integers(0, 2),
    template=st.builds(TemplateRef, uuid=uuids.map(UUID), version=uuids.map(UUID)),
    archive=st.just(Archive()),
    name_pattern=st.none() | texts,
    validation=st.lists(files, max_size=2),
    attributes=st.dictionaries(texts, texts, max_size=2),
)
resources: dict[Key, st.SearchStrategy[Resource]] = {
    ACME: st.builds(Account, name=texts),
    ACME.template("order"): st.builds(Template, uuid=uuids, version=uuids, file=files),
    ORDERS: st.builds(Mailbox, name=texts, aliases=st.lists(texts, max_size=2)),
    ORDERS.integration: st.builds(
        Integration, enabled=st.booleans(), settings=st.dictionaries(texts, values, max_size=2)
    ),
    ORDERS.integration.credential("password"): credentials,
    ORDERS.rule("first"): rules,
    ORDERS.rule("second"): rules,
    ACME.rule("shared"): rules,
}
states = st.fixed_dictionaries({}, optional=resources).map(State)


@given(states)
def test_a_state_differs_from_itself_in_nothing(state: State) -> None:
    assert build(state, 1, State(dict(state.resources))).is_empty


@given(states)
def test_a_resource_has_the_same_text_whether_it_is_made_or_not(state: State) -> None:
    for resource in state.resources.values():
        fields = {name: getattr(resource, name) for name in resource.model_fields_set}
        assert packed_as(type(resource), **fields) == packed(resource)


@given(states, states)
def test_applying_the_difference_gives_what_is_desired(live: State, desired: State) -> None:
    assert applied(diff(live, desired), live) == desired


@given(states, states, st.booleans())
def test_a_plan_that_was_applied_leaves_nothing_to_do(live: State, desired: State, prune: bool) -> None:
    terms = Terms(prune=prune)
    once = make(LiveSide(live, 1), Wish(state=desired), terms, now=NOON)
    again = make(LiveSide(applied(once.changes, live), 2), Wish(state=desired), terms, now=NOON)
    assert again.is_empty
    assert again.unmanaged == once.unmanaged


@given(states, states)
def test_nothing_is_destroyed_unless_it_is_asked_for(live: State, desired: State) -> None:
    made = make(LiveSide(live, 1), Wish(state=desired), CAREFUL, now=NOON)
    assert not [change for change in made.changes if isinstance(change, Delete) and change.kind is not Kind.CREDENTIAL]
    after = applied(made.changes, live)
    assert {key: after.get(key) for key in desired.resources} == desired.resources


@given(states, states)
def test_pruning_gives_what_is_desired_and_nothing_else(live: State, desired: State) -> None:
    made = make(LiveSide(live, 1), Wish(state=desired), Terms(prune=True), now=NOON)
    assert applied(made.changes, live) == desired
    assert made.unmanaged == ()


@given(states, states)
def test_what_was_renamed_is_moved_with_all_that_is_in_it(live: State, desired: State) -> None:
    new = Key.of_account("acme-retail")
    renamed = State({key.moved(ACME, new): resource for key, resource in desired.resources.items()})
    wish = Wish(state=renamed, renames={new: ACME})
    made = make(LiveSide(live, 1), wish, Terms(prune=True), now=NOON)
    assert applied(made.changes, live) == renamed
    assert bool(made.moves) == (ACME in live)
    assert make(LiveSide(renamed, 2), wish, Terms(prune=True), now=NOON).is_empty


@given(states, states)
def test_a_saved_plan_says_where_it_comes_from_and_loses_nothing(live: State, desired: State) -> None:
    wish = Wish(state=desired)
    saved = SavedPlan(make(LiveSide(live, 3), wish, CAREFUL, now=NOON), config_hash(wish), "c0ffee", "ada", NOON)
    assert SavedPlan.read(saved.written().encode()) == saved


@given(states)
def test_the_hash_of_a_configuration_is_of_what_it_means(state: State) -> None:
    backwards = State(dict(reversed(list(state.resources.items()))))
    assert config_hash(Wish(state=state)) == config_hash(Wish(state=backwards))
    assert config_hash(Wish(state=state)) != config_hash(
        Wish(state=State({**state.resources, OTHER: Account(name="")}))
    )


@given(states, states)
def test_owners_come_before_what_they_own_and_go_after_it(live: State, desired: State) -> None:
    changes = diff(live, desired)
    destroyed = [LEVELS[change.kind] for change in changes if isinstance(change, Delete)]
    made = [LEVELS[change.kind] for change in changes if not isinstance(change, Delete)]
    assert [isinstance(change, Delete) for change in changes] == [True] * len(destroyed) + [False] * len(made)
    assert destroyed == sorted(destroyed, reverse=True)
    assert made == sorted(made)
    assert ordered(reversed(changes)) == changes


@given(states, states, st.integers(0, 9))
def test_the_document_loses_nothing(live: State, desired: State, revision: int) -> None:
    plan = build(live, revision, desired)
    again = Plan.from_json(json.loads(json.dumps(plan.to_json(), sort_keys=True)))
    assert again == plan
    assert again.digest == plan.digest


@given(states, states)
def test_an_update_names_fields_that_differ_and_shows_them(live: State, desired: State) -> None:
    for change in diff(live, desired):
        if isinstance(change, Update):
            assert change.fields
            assert all(field.old != field.new for field in change.fields)
            assert len(text.change_lines(change)) == 1 + len(change.fields)


@given(states, states)
def test_no_text_of_a_configuration_reaches_the_terminal_unescaped(live: State, desired: State) -> None:
    plan = build(live, 1, desired)
    assert all(line.isprintable() for line in text.render(plan).split("\n"))
    assert all(line.isprintable() for line in markdown.render(plan).split("\n"))


def test_an_update_without_a_difference_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="an update in which no field differs"):
        Update(ACME, Account(name="Acme"), Account(name="Acme"))


def test_the_digest_depends_on_the_revision_and_on_every_change() -> None:
    none, one, other = State(), State({ACME: Account(name="Acme")}), State({ACME: Account(name="Acne")})
    plans = [
        build(none, 1, none),
        build(none, 2, none),
        build(none, 1, one),
        build(none, 1, other),
        build(one, 1, none),
    ]
    assert len({plan.digest for plan in plans}) == len(plans)


class TestRefusedDocuments:
    plan = build(State({ACME: Account(name="Acme")}), 3, State({ACME: Account(name="Acne")})).to_json()

    @pytest.mark.parametrize(
        ("altered", "message"),
        [
            ({}, "no plan"),
            (plan | {"format_version": 2}, "has format 2; this version reads format 1"),
            (plan | {"changes": [{"action": "explode"}]}, "a change has an action"),
            (plan | {"changes": ["all of it"]}, "a change has an action"),
            (plan | {"changes": [{"action": "delete", "address": "nowhere", "old": {}}]}, "'nowhere' is no address"),
            (plan | {"base_revision": 4}, "altered"),
            (plan | {"summary": {}}, "altered"),
            (plan | {"changes": []}, "altered"),
        ],
    )
    def test_a_document_that_is_not_what_was_made(self, altered: dict[str, Json], message: str) -> None:
        with pytest.raises(PlanRefusedError, match=message):
            Plan.from_json(altered)

    def test_fields_that_say_otherwise_than_the_change(self) -> None:
        change = change_to_json(Update(ACME, Account(name="Acme"), Account(name="Acne")))
        shown: list[Json] = [{"name": "name", "old": "Acme", "new": "Acme Retail"}]
        assert change_from_json(change | {"fields": shown}) == change_from_json(change)
        with pytest.raises(PlanRefusedError, match="altered"):
            Plan.from_json(self.plan | {"changes": [change | {"fields": shown}]})


class TestMarkdown:
    @staticmethod
    def state(number: int) -> State:
        return State({Key.of_account(f"a{index}"): Account(name="x" * 100) for index in range(number)})

    def test_a_large_plan_stays_under_the_limit_and_says_what_it_leaves_out(self) -> None:
        document = markdown.render(build(State(), 1, self.state(1000)))
        assert 50_000 < len(document) <= markdown.LIMIT
        shown = document.count("+ accounts.")
        assert f"{1000 - shown} more entries do not fit here" in document
        assert document.startswith(f"{markdown.MARK}\n### Plan: 1000 to add, 0 to change, 0 to destroy.\n")

    def test_what_is_destroyed_has_room_first(self) -> None:
        document = markdown.render(
            build(State({ORDERS: Mailbox(name="Orders")}), 1, self.state(1000)),
        )
        assert document.index("- accounts.acme.mailboxes.orders") < document.index("+ accounts.a0")


def test_colours_only_when_asked_for() -> None:
    plan = build(State({ORDERS: Mailbox(name="Orders")}), 1, State({ACME: Account(name="Acme")}))
    coloured = text.render(plan, colour=True)
    assert "\x1b[31m- accounts.acme.mailboxes.orders\x1b[0m" in coloured
    assert "\x1b[32m+ accounts.acme\x1b[0m" in coloured
    assert "\x1b" not in text.render(plan)


def test_a_target_that_names_nothing_is_refused() -> None:
    terms = Terms(selection=Selection(("accounts.acme", "accounts.acne")))
    with pytest.raises(PlanRefusedError, match=r"--target accounts\.acne names nothing"):
        make(LiveSide(), Wish(state=State({ACME: Account(name="Acme")})), terms, now=NOON)
