"""Plain YAML is read to the same data as the composer reads, or not at all."""

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconciler.desired.yaml_composer import Composer
from reconciler.desired.yaml_document import Yaml
from reconciler.desired.yaml_lines import read_plain

ROOT = Path(__file__).parents[3]


def _is_text(path: Path) -> bool:
    """Say whether a file is UTF-8; one case is not, on purpose."""
    try:
        path.read_text()
    except UnicodeDecodeError:
        return False
    return True


FILES = sorted(
    path
    for folder in ("examples", "tests/cases")
    for path in (ROOT / folder).rglob("*.yaml")
    if not any(part.startswith(".") for part in path.relative_to(ROOT).parts) and _is_text(path)
)


def composed(text: str) -> Yaml:
    """Return what the composer reads; None when it is wrong, or not one document."""
    composer = Composer("a.yaml", text)
    composer.compose()
    return composer.documents[0].data if len(composer.documents) == 1 and not composer.problems else None


def agrees(text: str) -> bool:
    found = read_plain(text)
    # `repr` tells 1 from True and from 1.0, and sees the order of keys.
    return found is None or repr(found) == repr(composed(text))


LINES = st.lists(
    st.builds(
        lambda indent, dashes, key, value, comment: f"{' ' * indent}{'- ' * dashes}{key}{value}{comment}",
        st.integers(0, 5),
        st.integers(0, 2),
        st.sampled_from(["a:", "b:", "c.d:", "1:", "<<:", "'q':", "", "a", "-", "?", "- ", "a :", "true:"]),
        st.sampled_from(
            [
                "", " ", " x", " x y", " 1", " 1.5", " -1", " - 1", " -x", " true", " null", " ~", " 0x1F", " 1:30",
                " 'it''s'", ' "q"', ' "a\\n"', " 'open", " x: y", " http://x.example/a#b", " x #c", " x#c", "x",
                " [a, b]", " [a, [1, 'x']]", " {a: 1, b: [x]}", " {a: 1, a: 2}", " {a:1}", " [a, ]", " []", " {}",
                " [a: 1]", " {a}", " [a b, c:d]", " {a: x:y, b: -1}", " |", " >-", " &x 1", " *x", " !!str 1", " @x",
                " %x", " `x", " ]", " }", " ,", " x, y", " [a#b]", " [a #b]", " é", " [http://x:1/y, z]", " =", " <x",
                " [=]", " 'a' b", ' "a": b', ' ["a": b]', " {'a': b}", " ${x}", " x\u2028y", " .", " ...", " ---",
                " ../x", " ./x", " .. /x", " ../", " x - y", " x -", " true x", " null-x", " x  y", " x 1:2", " x ",
                " 1_000", " 0o17", " .inf", " + 1", " +1", " (x)", " $x", " x\\y", " x'y", ' x"y', " x[y]", " {a: x'y}",
            ]
        ),
        st.sampled_from(["", "", "", " # c", "  ", "#c"]),
    ),
    min_size=1,
    max_size=7,
).map("\n".join)  # fmt: skip


@settings(max_examples=4 * settings().max_examples)
@given(LINES, st.sampled_from(["", "\n", "\n\n# end\n"]))
@example("a:\n- b\n- c\nd: 1", "")
@example("a:\n  - b: 1\n    c: 2\n  - - x\n", "")
@example("a:\n    b: 1\n  c: 2\n", "")
@example("a: 1\na: 2\n", "")
@example("---\na: 1\n", "")
@example("a: x\n  y\n", "")
def test_it_agrees_with_the_composer(lines: str, end: str) -> None:
    assert agrees(lines + end)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_it_agrees_on_files(path: Path) -> None:
    assert agrees(path.read_text())


@pytest.mark.parametrize("name", ["quickstart/accounts/acme.yaml", "quickstart/accounts/globex.yaml"])
def test_what_people_write_is_plain(name: str) -> None:
    assert read_plain((ROOT / "examples" / name).read_text()) is not None
