"""Paths from the root that several tests share."""

import pytest

from reconciler.conversion.shared_paths import replaced, shared


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ("exists(//a)", "exists(PATH)"),
        ("//a/b/@c = 1", "PATH = 1"),
        ("//x:a[b = 'c']/*[1] and //a", "PATH and PATH"),
        ("//a/name() = 'a'", "PATH/name() = 'a'"),
        ("if (b) then //a else //b", "if (b) then PATH else PATH"),
        ("count(//a[b[c] and d]) + count(//b)", "count(PATH) + count(PATH)"),
    ],
)
def test_a_path_that_depends_on_the_document_alone_is_found_whole(test: str, expected: str) -> None:
    assert replaced(test, lambda _: "PATH") == expected


@pytest.mark.parametrize(
    "test",
    [
        "a//b",
        "and//b",
        "$other//b",
        ".//b",
        "key('a', b)//c",
        "a[//b]",
        "$other/(//b)",
        "$other/exists(//b)",
        "$other ! exists(//b)",
        "//a[b = $c]",
        "//a[b = current()]",
        "//text()",
        "//self::a",
        "'//a' = \"//a\"",
        "(: //a :) //b",
        "//a[b",
    ],
)
def test_a_path_that_may_mean_something_else_in_another_test_is_left_alone(test: str) -> None:
    assert replaced(test, lambda _: "PATH") == test


def test_a_path_is_shared_that_comes_twice_and_in_the_same_words() -> None:
    assert shared(["//a = //b", "exists(//a)", "exists(//a[1]) and //c"]) == ("//a",)
