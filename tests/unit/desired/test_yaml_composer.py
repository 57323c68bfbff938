"""YAML into plain data with positions."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.desired.yaml_composer import Composer
from reconciler.desired.yaml_document import Yaml, YamlDocument
from reconciler.desired.yaml_scalar import scalar


def composed(text: str) -> YamlDocument:
    composer = Composer("a.yaml", text)
    composer.compose()
    assert not composer.problems
    (document,) = composer.documents
    return YamlDocument("a.yaml", lambda: document)


TEXTS = st.text(alphabet=[*map(chr, range(0x20, 0x7F)), "é", "ß", "€", "𝄞"], max_size=12)
DATA = st.dictionaries(
    TEXTS.filter(lambda key: key != "<<"),
    st.recursive(
        TEXTS | st.integers() | st.booleans(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS.filter(lambda key: key != "<<"), inner),
        max_leaves=12,
    ),
    min_size=1,
)


@given(DATA)
def test_json_is_read_as_json_and_every_position_points_at_its_text(data: dict[str, Yaml]) -> None:
    text = json.dumps(data, indent=2, ensure_ascii=False)
    document = composed(text)
    assert document.data == data
    lines = text.split("\n")
    pending: list[tuple[str | int, ...]] = [(key,) for key in data]
    while pending:
        location = pending.pop()
        value = document.at(location)
        key, place = document.position(location, of_key=True), document.position(location)
        if isinstance(location[-1], str):
            assert lines[key.line - 1][key.column - 1 :].startswith(json.dumps(location[-1], ensure_ascii=False))
        shown = json.dumps(value, ensure_ascii=False) if not isinstance(value, (dict, list)) else "[{"
        at_place = lines[place.line - 1][place.column - 1 :]
        assert at_place.startswith(shown) or (shown == "[{" and at_place[0] in shown)
        if isinstance(value, dict):
            pending += [(*location, name) for name in value]
        elif isinstance(value, list):
            pending += [(*location, index) for index in range(len(value))]


@given(st.text(alphabet="ab:-[]{}&*!<>|'\"#%@,? \n\t\x00é", max_size=40))
def test_any_text_ends_in_documents_or_in_problems(text: str) -> None:
    composer = Composer("a.yaml", text)
    composer.compose()
    lines = len(text.splitlines()) + 1
    assert all(1 <= problem.position.line <= lines for problem in composer.problems)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("null", None), ("Null", None), ("nULL", "nULL"),
        ("true", True), ("FALSE", False), ("yes", "yes"), ("no", "no"), ("on", "on"), ("off", "off"), ("NO", "NO"),
        ("0", 0), ("-12", -12), ("+3", 3), ("007", 7), ("0o17", 15), ("0x1F", 31), ("0b1", "0b1"), ("1_000", "1_000"),
        ("1.5", 1.5), (".5", 0.5), ("1.", 1.0), ("1e3", 1000.0), ("-.inf", -math.inf), (".Inf", math.inf),
        ("1:30", "1:30"), ("2026-01-01", "2026-01-01"), ("0.0.0.0", "0.0.0.0"), ("-", "-"), ("9" * 5000, "9" * 5000),
        ("None", "None"), ("nan", "nan"), ("inf", "inf"),
    ],
)  # fmt: skip
def test_plain_scalars_follow_the_core_schema_of_yaml_1_2(text: str, value: Yaml) -> None:
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)


def test_not_a_number_is_a_number() -> None:
    assert math.isnan(scalar(".nan"))  # type: ignore[arg-type]  # a float, as the assertion proves


def test_quoted_and_tagged_scalars_are_text() -> None:
    assert composed("""[ "1", 'true', !!str 2, ! 3, "" ]""").data == ["1", "true", "2", "3", ""]


def test_keys_are_text() -> None:
    assert composed("1: a\non: b\ntrue: c\n").data == {"1": "a", "on": "b", "true": "c"}


def test_an_alias_is_what_it_stands_for_at_its_own_place() -> None:
    document = composed("a: &x {b: [1]}\nc: *x\n")
    assert document.data == {"a": {"b": [1]}, "c": {"b": [1]}}
    assert str(document.position(("c",))) == "a.yaml:2:4"
    assert str(document.position(("c", "b", 0))) == "a.yaml:1:12"


def test_an_alias_can_be_a_key() -> None:
    assert composed("a: &x b\n*x : c\n").data == {"a": "b", "b": "c"}


def test_merged_keys_stand_where_the_merge_stands_and_lose_against_own_ones() -> None:
    document = composed("one: &one {b: 1, c: 1}\ntwo: &two {c: 2, d: 2}\nall: {a: 0, <<: [*one, *two], d: 0, e: 0}\n")
    merged = document.at(("all",))
    assert merged == {"a": 0, "b": 1, "c": 1, "d": 0, "e": 0}
    assert isinstance(merged, dict)
    assert list(merged) == ["a", "b", "c", "d", "e"]
    assert str(document.position(("all", "c"), of_key=True)) == "a.yaml:1:18"
    assert str(document.position(("all", "d"), of_key=True)) == "a.yaml:3:31"


def test_documents_of_one_file_have_their_own_anchors() -> None:
    composer = Composer("a.yaml", "--- {a: &x 1}\n---\n---\nb: *x\n")
    composer.compose()
    assert [document.data for document in composer.documents] == [{"a": 1}]
    assert [problem.code for problem in composer.problems] == ["yaml-alias"]


def test_positions_in_a_large_mapping_are_those_of_its_keys() -> None:
    document = composed("".join(f"k{number}: {number}\n" for number in range(50)))
    assert {document.position((f"k{number}",), of_key=True).line for number in range(50)} == set(range(1, 51))


def test_a_location_that_is_not_there_is_where_its_nearest_owner_is() -> None:
    document = composed("a:\n  b: 1\n")
    assert str(document.position(("a", "union-tag", "b"))) == "a.yaml:2:6"
    assert str(document.position(("a", "missing"), of_key=True)) == "a.yaml:1:1"
    assert document.address(("a", "b", "int")) == "a.b"


@pytest.mark.parametrize("bomb", ["&a [*a]", "a: &a {<<: *a}"])
def test_what_contains_itself_is_refused(bomb: str) -> None:
    composer = Composer("a.yaml", bomb)
    composer.compose()
    assert [problem.code for problem in composer.problems] == ["yaml-alias"]


def test_nesting_through_aliases_is_bounded_too() -> None:
    steps = "".join(f"n{number}: &n{number} [[[[[[[[[[*n{number - 1}]]]]]]]]]]\n" for number in range(1, 10))
    composer = Composer("a.yaml", f"n0: &n0 []\n{steps}")
    composer.compose()
    assert [problem.code for problem in composer.problems] == ["too-deep"]


def test_a_mistake_in_the_yaml_says_what_it_belongs_to() -> None:
    composer = Composer("a.yaml", "a:\n  b: [1, {c: null}]\n  b: 2\nd: [\n")
    composer.compose()
    assert [(problem.code, problem.path) for problem in composer.problems] == [
        ("null-value", "a.b[1].c"),
        ("duplicate-key", "a.b"),
        ("yaml-syntax", "d[0]"),
    ]
