import hmac
from hashlib import sha256

import pytest

from reconciler.model.credential import Secret
from reconciler.watch.webhook import is_signed

SECRET = Secret("It's a Secret to Everybody")
BODY = b"Hello, World!"


def test_the_example_of_githubs_documentation() -> None:
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert is_signed({"X-Hub-Signature-256": signature}, BODY, SECRET)
    assert not is_signed({"X-Hub-Signature-256": signature}, BODY + b"!", SECRET)


def test_gitlabs_token() -> None:
    assert is_signed({"X-Gitlab-Token": SECRET.reveal()}, BODY, SECRET)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Gitlab-Token": ""},
        {"X-Gitlab-Token": "another"},
        {"X-Hub-Signature-256": ""},
        {"X-Hub-Signature-256": "sha256="},
        {"X-Hub-Signature": "sha1=" + hmac.new(b"x", BODY, "sha1").hexdigest()},
        {"X-Hub-Signature-256": hmac.new(SECRET.reveal().encode(), BODY, sha256).hexdigest()},
        {"X-Hub-Signature-256": "sha256=é", "X-Gitlab-Token": "It's a Secret to Everybody"},
    ],
)
def test_nothing_else_is_believed(headers: dict[str, str]) -> None:
    assert not is_signed(headers, BODY, SECRET)
