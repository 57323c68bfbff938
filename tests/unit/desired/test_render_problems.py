"""How mistakes are shown."""

from reconciler.desired.render import render_problems
from reconciler.errors import Position, Problem


def problem(source: str, column: int, suggestion: str = "") -> Problem:
    return Problem(Position("a.yaml", 9, column), "bad-value", "wrong", source=source, suggestion=suggestion)


def test_nothing_wrong_is_no_text() -> None:
    assert render_problems([]) == ""


def test_the_caret_stands_under_the_column_whatever_stands_before() -> None:
    text = render_problems([problem("\t漢é: x", 5)])
    assert text.splitlines()[2:4] == ["9 | \t漢é: x", "  | \t    ^"]


def test_a_long_line_is_shown_around_the_column() -> None:
    text = render_problems([problem(f"{'a' * 500}!{'b' * 500}", 501)])
    line, caret = text.splitlines()[2:4]
    assert line[caret.index("^")] == "!"
    assert len(line) < 170


def test_a_word_is_a_question_and_a_sentence_is_help() -> None:
    assert "did you mean 'this'?" in render_problems([problem("x", 1, "this")])
    assert "help: write this" in render_problems([problem("x", 1, "write this")])


def test_files_cannot_speak_to_the_terminal() -> None:
    text = render_problems([problem("\x1b[31m", 1, "\x1b]0;\x07")])
    assert "\x1b" not in text
    assert "\x07" not in text


def test_colours_are_asked_for_and_end() -> None:
    plain, coloured = render_problems([problem("x", 1)]), render_problems([problem("x", 1)], colour=True)
    assert "\x1b" not in plain
    assert coloured.replace("\x1b[1;31m", "").replace("\x1b[1;34m", "").replace("\x1b[1m", "").replace(
        "\x1b[0m", ""
    ) == plain  # fmt: skip


def test_warnings_are_counted_as_warnings() -> None:
    text = render_problems([problem("x", 1), problem("y", 1)], severity="warning")
    assert text.startswith("a.yaml:9:1: warning: wrong\n")
    assert text.endswith("\n2 warnings.\n")
