"""What a partner does with files, through OpenSSH's sftp."""

from pathlib import Path
from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from reconciler.errors import Refusal, RefusedError
from reconciler.protocols.sftp.folders import FOLDERS
from tests.contract.sftp.clients import ClientError, OpenSsh
from tests.contract.sftp.conftest import Gateway


@pytest.fixture
def sftp(gateway: Gateway, tmp_path: Path) -> OpenSsh:
    return OpenSsh(gateway, tmp_path)


def test_a_file_goes_up_and_comes_back(sftp: OpenSsh, gateway: Gateway, tmp_path: Path) -> None:
    content = Random(2).randbytes(5_000_000)
    (tmp_path / "here").write_bytes(content)
    printed = sftp("put here coutbox/there", "ls -l coutbox", "get coutbox/there back")
    assert gateway.get("coutbox", "there") == content
    assert (tmp_path / "back").read_bytes() == content
    assert "5000000" in printed


def test_keys_are_exchanged_anew_amid_a_transfer(sftp: OpenSsh, gateway: Gateway, tmp_path: Path) -> None:
    content = Random(5).randbytes(5_000_000)
    (tmp_path / "here").write_bytes(content)
    sftp("put here coutbox/there", "get coutbox/there back", options=("RekeyLimit=1M",))
    assert gateway.get("coutbox", "there") == content
    assert (tmp_path / "back").read_bytes() == content


def test_a_file_put_with_its_times_and_modes_arrives(sftp: OpenSsh, gateway: Gateway, tmp_path: Path) -> None:
    (tmp_path / "here").write_bytes(b"abc")
    sftp("put -p here coutbox/there")
    assert gateway.get("coutbox", "there") == b"abc"


def test_files_are_listed_moved_and_removed(sftp: OpenSsh, gateway: Gateway) -> None:
    gateway.put("error", "a", b"again")
    gateway.put("inbox", "b", b"")
    printed = sftp("cd error", "ls", "rename a /coutbox/a", "cd ..", "pwd", "rm inbox/b", "ls -1 /")
    assert "Remote working directory: /\n" in printed
    listed = printed.rpartition("ls -1 /\n")[2].split()
    assert sorted(listed) == sorted(f"/{folder}" for folder in FOLDERS)
    assert gateway.get("coutbox", "a") == b"again"
    assert gateway.names("inbox") == []


def test_an_upload_and_a_download_are_resumed(sftp: OpenSsh, gateway: Gateway, tmp_path: Path) -> None:
    content = Random(3).randbytes(1_000_000)
    (tmp_path / "here").write_bytes(content)
    (tmp_path / "back").write_bytes(content[:300_000])
    gateway.put("coutbox", "there", content[:400_000])
    sftp("reput here coutbox/there", "reget coutbox/there back")
    assert gateway.get("coutbox", "there") == content
    assert (tmp_path / "back").read_bytes() == content


def test_a_commit_that_fails_is_an_error(sftp: OpenSsh, gateway: Gateway, tmp_path: Path) -> None:
    (tmp_path / "here").write_bytes(b"abc")
    gateway.folders.failure = RefusedError(Refusal.QUOTA_EXCEEDED, "the mailbox is full")
    with pytest.raises(ClientError):
        sftp("put here coutbox/there")
    assert gateway.names("coutbox") == []


@pytest.mark.parametrize(
    "line", ["put here inbox/x", "mkdir new", "rmdir inbox", "ln -s a b", "ln inbox/a inbox/b", "get ../../etc/passwd"]
)
def test_what_is_not_allowed_is_an_error(sftp: OpenSsh, tmp_path: Path, line: str) -> None:
    (tmp_path / "here").write_bytes(b"abc")
    with pytest.raises(ClientError):
        sftp(line)


def test_a_wrong_password_is_refused(sftp: OpenSsh) -> None:
    with pytest.raises(ClientError) as caught:
        sftp("ls", secret="wrong")
    assert "Permission denied" in str(caught.value)


def test_a_key_logs_in(sftp: OpenSsh, gateway: Gateway, tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    path = tmp_path / "id"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    path.chmod(0o600)
    line = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    gateway.configure({"authorized_keys": [f'from="127.0.0.1" {line}']})
    options = (f"IdentityFile={path}", "IdentitiesOnly=yes", "PasswordAuthentication=no")
    assert "coutbox" in sftp("ls -1", options=options)
