"""What a partner does with files, through OpenSSH's sftp."""

import os
import subprocess
from pathlib import Path
from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from reconciler.errors import Refusal, RefusedError
from reconciler.protocols.sftp.folders import FOLDERS
from tests.conftest import require_program
from tests.contract.sftp.conftest import Gateway

OPTIONS = (
    "BatchMode=no",
    "StrictHostKeyChecking=no",
    "UserKnownHostsFile=/dev/null",
    "NumberOfPasswordPrompts=1",
    "IdentityAgent=none",
)


@pytest.fixture
def sftp(openssh_sftp: str, gateway: Gateway, tmp_path: Path) -> "OpenSsh":
    return OpenSsh(openssh_sftp, gateway, tmp_path)


class OpenSsh:
    """Runs OpenSSH's programs as the first partner, in a folder."""

    def __init__(self, program: str, gateway: Gateway, folder: Path) -> None:
        self._program = program
        self._gateway = gateway
        self._folder = folder

    @property
    def remote(self) -> str:
        return f"{self._gateway.login}@127.0.0.1"

    def __call__(self, *batch: str, secret: str = "first", options: tuple[str, ...] = ()) -> str:
        """Run a batch of sftp and return all that it prints. Raises CalledProcessError at the first line that fails."""
        commands = "\n".join(batch) + "\n"
        return self.run(self._program, "-b", "-", self.remote, commands=commands, secret=secret, options=options)

    def run(
        self, program: str, *arguments: str, commands: str = "", secret: str = "first", options: tuple[str, ...] = ()
    ) -> str:
        """Run sftp or scp and return all that it prints. Raises CalledProcessError when it fails."""
        ask = self._folder / "ask"
        ask.write_text(f"#!/bin/sh\necho '{secret}'\n")
        ask.chmod(0o700)
        ran = subprocess.run(
            [program, *(f"-o{option}" for option in (*options, *OPTIONS)), f"-oPort={self._gateway.port}", *arguments],
            input=commands,
            env={**os.environ, "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force", "HOME": str(self._folder)},
            cwd=self._folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=60,
        )
        if ran.returncode:
            raise subprocess.CalledProcessError(ran.returncode, program, ran.stdout)
        return ran.stdout


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


def test_scp_copies_to_and_fro(sftp: OpenSsh, gateway: Gateway, tmp_path: Path) -> None:
    scp = require_program("scp", package="openssh-client")
    (tmp_path / "here").write_bytes(b"abc")
    sftp.run(scp, "-s", "-p", "here", f"{sftp.remote}:coutbox/")
    assert gateway.get("coutbox", "here") == b"abc"
    sftp.run(scp, "-s", f"{sftp.remote}:/coutbox/here", "back")
    assert (tmp_path / "back").read_bytes() == b"abc"


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
    with pytest.raises(subprocess.CalledProcessError):
        sftp("put here coutbox/there")
    assert gateway.names("coutbox") == []


@pytest.mark.parametrize(
    "line", ["put here inbox/x", "mkdir new", "rmdir inbox", "ln -s a b", "ln inbox/a inbox/b", "get ../../etc/passwd"]
)
def test_what_is_not_allowed_is_an_error(sftp: OpenSsh, tmp_path: Path, line: str) -> None:
    (tmp_path / "here").write_bytes(b"abc")
    with pytest.raises(subprocess.CalledProcessError):
        sftp(line)


def test_a_wrong_password_is_refused(sftp: OpenSsh) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        sftp("ls", secret="wrong")
    assert "Permission denied" in caught.value.output


def test_a_key_logs_in(sftp: OpenSsh, gateway: Gateway, tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    path = tmp_path / "id"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    path.chmod(0o600)
    line = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    gateway.configure({"authorized_keys": [f'from="127.0.0.1" {line}']})
    options = (f"IdentityFile={path}", "IdentitiesOnly=yes", "PasswordAuthentication=no")
    assert "coutbox" in sftp("ls -1", options=options)
