"""The key to the secrets at rest: made once, for a store without secrets, and never another than theirs."""

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from reconciler.errors import ReconcilerError
from reconciler.model.credential import Secret
from reconciler.store.keyring import KEY_VARIABLE, Keyring

SECRET = Secret("open sesame")


@pytest.fixture(autouse=True)
def _no_key_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)


def test_a_new_store_gets_a_key_that_nobody_else_can_read(tmp_path: Path) -> None:
    ciphertext = Keyring.of(tmp_path, None).encrypt(SECRET)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert Keyring.of(tmp_path, ciphertext).decrypt(ciphertext).reveal() == SECRET.reveal()


def test_a_store_with_secrets_gets_no_other_key(tmp_path: Path) -> None:
    ciphertext = Keyring(Fernet.generate_key().decode()).encrypt(SECRET)
    with pytest.raises(ReconcilerError, match=KEY_VARIABLE):
        Keyring.of(tmp_path, ciphertext)
    assert not (tmp_path / "key").exists()


def test_another_key_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ciphertext = Keyring.of(tmp_path, None).encrypt(SECRET)
    monkeypatch.setenv(KEY_VARIABLE, Fernet.generate_key().decode())
    with pytest.raises(ReconcilerError, match="cannot be decrypted"):
        Keyring.of(tmp_path, ciphertext)


def test_a_key_is_replaced_by_putting_another_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    ciphertext = Keyring(old).encrypt(SECRET)
    monkeypatch.setenv(KEY_VARIABLE, f"{new}, {old}")
    keyring = Keyring.of(tmp_path, ciphertext)
    assert keyring.decrypt(ciphertext).reveal() == SECRET.reveal()
    assert Keyring(new).decrypt(keyring.encrypt(SECRET)).reveal() == SECRET.reveal()


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    Keyring.of(tmp_path, None)
    (tmp_path / "key").chmod(0o640)
    with pytest.raises(ReconcilerError, match="chmod 600"):
        Keyring.of(tmp_path, None)


def test_what_is_no_key_is_not_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "not-a-key")
    with pytest.raises(ReconcilerError) as caught:
        Keyring.of(tmp_path, None)
    assert "not-a-key" not in str(caught.value)
