"""Editing YAML keeps every byte that it is not about, and writes what is read as what was written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.desired.variables import Variables
from reconciler.desired.writing.yaml_edit import YamlEdit
from reconciler.desired.writing.yaml_text import Written, block, flow, scalar_text
from reconciler.desired.yaml_composer import Composer
from reconciler.desired.yaml_document import Yaml

TEXT = """\
# The head.
version: 1
accounts:
  acme:   # Acme
    # Its name.
    name: "Acme"   # as in the register
    mailboxes: {}
    rules:
      # The first.
      first: {active: true, name: 'x'}   # one

      # The second.
      second:
        active: false
        text: |
          several
          lines
# The foot.
"""


def read(text: str) -> Yaml:
    composer = Composer("a.yaml", text, Variables())
    composer.compose()
    assert composer.problems == []
    return composer.documents[0].data


def edited(path: str, value: Written) -> str:
    edit = YamlEdit(TEXT)
    edit.set(path.split("."), value)
    return edit.text


@pytest.mark.parametrize(
    ("path", "value", "before", "after"),
    [
        ("accounts.acme.name", "Acme Ltd", '"Acme"   # as', "Acme Ltd   # as"),
        ("accounts.acme.rules.first.active", False, "{active: true, name", "{active: false, name"),
        ("accounts.acme.rules.first.more", [1, "b"], "'x'}   # one", "'x', more: [1, b]}   # one"),
        ("accounts.acme.rules.second.text", "no", "text: |\n          several\n          lines\n", "text: no\n"),
        ("accounts.acme.mailboxes", {"a": {}}, "mailboxes: {}\n", "mailboxes:\n      a: {}\n"),
        ("accounts.acme.mailboxes.a", {}, "mailboxes: {}\n", "mailboxes:\n      a: {}\n"),
        ("accounts.acme.rules", {}, "rules:\n", "rules: {}\n"),
        ("accounts.acme", {"name": "A"}, "acme:   # Acme\n", "acme: {name: A}   # Acme\n"),
        ("accounts.globex", {"name": "Globex"}, "# The foot", "  globex: {name: Globex}\n# The foot"),
        ("accounts.acme.protected", True, "# The foot", "    protected: true\n# The foot"),
    ],
)
def test_one_value_is_written_and_nothing_else_is_touched(path: str, value: Written, before: str, after: str) -> None:
    text = edited(path, value)
    begin = TEXT.index(before)
    assert text[:begin] == TEXT[:begin]
    assert text[begin:].startswith(after)
    node = read(text)
    for part in path.split("."):
        assert isinstance(node, dict)
        node = node[part]
    assert node == value
    assert text.endswith("# The foot.\n")


def test_an_entry_goes_with_the_comment_right_above_it() -> None:
    edit = YamlEdit(TEXT)
    edit.remove(["accounts", "acme", "rules", "first"])
    assert "The first" not in edit.text
    assert "# one" not in edit.text
    assert "    rules:\n\n      # The second.\n      second:\n" in edit.text
    edit.remove(["accounts", "acme", "rules", "second"])
    assert "    rules: {}\n# The foot.\n" in edit.text
    edit.remove(["accounts", "acme", "name"])
    assert (
        edit.text
        == "# The head.\nversion: 1\naccounts:\n  acme:   # Acme\n    mailboxes: {}\n    rules: {}\n# The foot.\n"
    )


@pytest.mark.parametrize(("key", "left"), [("a", "{b: 2, c: 3}"), ("b", "{a: 1, c: 3}"), ("c", "{a: 1, b: 2}")])
def test_an_entry_goes_from_a_line(key: str, left: str) -> None:
    edit = YamlEdit("x: {a: 1, b: 2, c: 3} # z\n")
    edit.remove(["x", key])
    assert edit.text == f"x: {left} # z\n"


def test_entries_change_their_order_with_their_comments() -> None:
    edit = YamlEdit(TEXT.rstrip("\n").removesuffix("# The foot."))
    edit.order(["accounts", "acme", "rules"], ["second", "first"])
    begin = edit.text.index("      # The second.")
    assert edit.text[begin:] == (
        "      # The second.\n      second:\n        active: false\n        text: |\n"
        "          several\n          lines\n"
        "      # The first.\n      first: {active: true, name: 'x'}   # one\n\n"
    )
    edit = YamlEdit("x: {a: 1, b: [2], c: 3} # z\n")
    edit.order(["x"], ["c", "a", "b"])
    assert edit.text == "x: {c: 3, a: 1, b: [2]} # z\n"


def test_what_is_not_there_cannot_be_edited() -> None:
    edit = YamlEdit("a: &a {b: 1}\nc: *a\n")
    assert edit.has(["c"])
    assert not edit.has(["c", "b"])
    assert edit.depth(["a", "b"]) == 1
    with pytest.raises(KeyError):
        edit.set(["c", "b"], 2)
    with pytest.raises(KeyError):
        edit.remove(["x"])
    with pytest.raises(KeyError):
        edit.order(["a"], ["x"])


SCALARS = st.one_of(
    st.booleans(),
    st.integers(),
    st.text("aé \u00a0😀:#'\"{}[],&*!|>%@`-?", max_size=8),
    st.sampled_from(
        ["${x}", "$${", "null", "~", "1e3", "0x1F", "yes", "a: b", "# a", " a", "-", "'", '"', "a\nb", "\t"]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text("ab1 :#-", min_size=1, max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text("xyz", min_size=1, max_size=3), VALUES, min_size=1, max_size=3))
def test_whatever_is_written_is_read_as_itself(value: dict[str, Written]) -> None:
    assert read(flow(value)) == value
    assert read("\n".join(block(value, 0)) + "\n") == value
    edit = YamlEdit("a: 1\n")
    edit.set(["a"], value)
    assert read(edit.text) == {"a": value}


def test_there_is_no_null() -> None:
    with pytest.raises(ValueError, match="no null"):
        scalar_text(None)
