"""YAML in one form."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.desired.formatting import UnformattableError, formatted
from reconciler.desired.yaml_composer import Composer
from reconciler.desired.yaml_document import Yaml

EXAMPLES = Path(__file__).parents[3] / "examples"

UNFORMATTED = """\
# head
version: 1
accounts:
    acme:
        # about
        aliases:
        -   "GLN:1"   # first
        -   "GLN:2"  \t
        integration: &x
            enabled: true
        list:
          -   a: 1
              b: |
                  text
                    more

                  end
              c: [1,
                  2,
              ]
          - - x
            -   y


        copy:
            <<: *x
# end


"""
FORMATTED = """\
# head
version: 1
accounts:
  acme:
    # about
    aliases:
      - "GLN:1"   # first
      - "GLN:2"
    integration: &x
      enabled: true
    list:
      - a: 1
        b: |
            text
              more

            end
        c: [1,
            2,
        ]
      - - x
        - y

    copy:
      <<: *x
# end
"""


def test_space_changes_and_nothing_else() -> None:
    assert formatted(UNFORMATTED) == FORMATTED


def test_what_has_the_form_stays_byte_for_byte() -> None:
    assert formatted(FORMATTED) == FORMATTED


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.yaml")), ids=lambda path: str(path.relative_to(EXAMPLES)))
def test_the_examples_have_the_form(path: Path) -> None:
    text = path.read_text()
    assert formatted(text) == text


def test_line_ends_become_line_feeds() -> None:
    assert formatted("\ufeffa: 1\r\nb:\r\n    c: 2\r\n") == "a: 1\nb:\n  c: 2\n"


@pytest.mark.parametrize("text", ["a: [1\n", "a: b: c\n", "a: |+\n  text\n\n\n"])
def test_what_would_change_its_meaning_is_refused(text: str) -> None:
    with pytest.raises(UnformattableError):
        formatted(text)


WORDS = st.text(alphabet="abcxyz", min_size=1, max_size=5)
DATA = st.dictionaries(
    WORDS,
    st.recursive(
        WORDS | st.integers(0, 9),
        lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(WORDS, inner, min_size=1, max_size=3),
        max_leaves=8,
    ),
    min_size=1,
    max_size=4,
)


def written(data: Yaml, indent: int, step: int) -> str:
    """Return block-style YAML that is indented by `step`."""
    blanks = " " * indent
    if isinstance(data, dict):
        return "".join(f"{blanks}{key}:{_inside(value, indent + step, step)}" for key, value in data.items())
    if isinstance(data, list):
        return "".join(f"{blanks}-{_inside(value, indent + step, step)}" for value in data)
    return f"{blanks}{json.dumps(data)}\n"


def _inside(value: Yaml, indent: int, step: int) -> str:
    if isinstance(value, (dict, list)):
        return f"  # inside\n{written(value, indent, step)}"
    return f" {json.dumps(value)}\n"


@given(DATA, st.integers(1, 5))
def test_any_indentation_becomes_the_same(data: Yaml, step: int) -> None:
    result = formatted(written(data, 0, step))
    assert result == formatted(written(data, 0, 2))
    assert formatted(result) == result
    composer = Composer("a.yaml", result)
    composer.compose()
    assert [document.data for document in composer.documents] == [data]
