"""Secrets that stand outside of the configuration."""

from pathlib import Path

import pytest

from reconciler.desired.gateway import SmtpGateway
from reconciler.desired.secret_reading import read_secret
from reconciler.errors import ReconcilerError
from reconciler.model.secret_source import SecretSource

SOPS = """\
#!/bin/sh
case "$*" in
  '--decrypt --extract ["smtp"]["password"] secrets.yaml') printf 'hidden\\n' ;;
  '--decrypt secrets.txt') printf 'whole' ;;
  *) echo 'no key could decrypt the data' >&2; exit 128 ;;
esac
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "bin" / "sops"
    program.parent.mkdir()
    program.write_text(SOPS)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/bin:/usr/bin")
    (tmp_path / "password").write_text("from-file\nsecond line\n")
    (tmp_path / "empty").write_text("\n")
    return tmp_path


@pytest.mark.parametrize(
    ("secret", "value"),
    [
        ("env:PASSWORD", "from-env"),
        ("file:password", "from-file"),
        ("sops:secrets.yaml#smtp.password", "hidden"),
        ("sops:secrets.txt", "whole"),
    ],
)
def test_it_is_read_from_where_it_is(folder: Path, secret: str, value: str) -> None:
    found = read_secret(SecretSource(secret=secret), folder, {"PASSWORD": "from-env"})
    assert found.reveal() == value
    assert value not in repr(found)


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        ("env:OTHER", "The environment variable OTHER, which has a secret, is not set"),
        ("file:nowhere", "The file nowhere, which has a secret, cannot be read: No such file"),
        ("file:empty", "The secret file:empty is empty"),
        ("sops:other.yaml", "sops cannot decrypt other.yaml: no key could decrypt the data"),
    ],
)
def test_what_cannot_be_read_is_named(folder: Path, secret: str, reason: str) -> None:
    with pytest.raises(ReconcilerError, match=reason):
        read_secret(SecretSource(secret=secret), folder, {"PASSWORD": "from-env"})


def test_without_sops_it_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(folder / "nothing"))
    with pytest.raises(ReconcilerError, match="needs the program sops, which is not installed"):
        read_secret(SecretSource(secret="sops:secrets.yaml"), folder, {})


@pytest.mark.parametrize("secret", ["hunter2", "env:", "vault:x", "file:", "env:A B"])
def test_a_secret_itself_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="secret"):
        SecretSource(secret=secret)


def test_a_mail_password_belongs_to_a_user_and_stands_in_one_place() -> None:
    password = {"secret": "env:SMTP_PASSWORD"}
    sender = {"from": "edi@example.com", "password": password}
    assert SmtpGateway.model_validate({"url": "smtps://edi@mail.example.com", **sender}).password is not None
    for url in ("smtps://mail.example.com", "smtps://edi:hunter2@mail.example.com"):
        with pytest.raises(ValueError, match="password belongs to a URL with a user"):
            SmtpGateway.model_validate({"url": url, **sender})
