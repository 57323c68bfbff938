"""After signing in, people come to the page that they wanted to see, and never to another site."""

import pytest

from reconciler.web.pages.visit import onward


@pytest.mark.parametrize(
    "path", ["/log", "/log?status=FAILED&keyword=a%20b", "/rules/accounts.acme.rules.any-order#try"]
)
def test_to_a_page_of_this_site(path: str) -> None:
    assert onward(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "log",
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "/a\r\nSet-Cookie: x",
        "/sign-out",
        "/sign-in",
    ],
)
def test_to_the_first_page_instead_of_elsewhere(path: str) -> None:
    assert onward(path) == "/integrations"
