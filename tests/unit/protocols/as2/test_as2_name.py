import pytest

from reconciler.protocols.as2.as2_name import quoted, unquoted


@pytest.mark.parametrize(
    ("name", "header"),
    [("ACME", "ACME"), ("Acme Orders", '"Acme Orders"'), ('a"b\\c', '"a\\"b\\\\c"'), ("GLN:48/29", "GLN:48/29")],
)
def test_names_survive_their_header(name: str, header: str) -> None:
    assert quoted(name) == header
    assert unquoted(header) == name


@pytest.mark.parametrize("header", [None, "", '"', '""', '"a"b"', '"a\\"', "Ä", "a\tb", "A" * 129])
def test_what_is_no_name_is_none(header: str | None) -> None:
    assert unquoted(header) is None


def test_names_in_quotes_may_need_none() -> None:
    assert unquoted(' "ACME" ') == "ACME"
