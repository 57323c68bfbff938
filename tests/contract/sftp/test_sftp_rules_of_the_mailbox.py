"""What a mailbox's own section of the configuration asks for: names, both proofs, quotas, bandwidth."""

import time
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from paramiko import AuthenticationException, BadAuthenticationType, SFTPClient

from tests.contract.sftp.conftest import Gateway, password
from tests.contract.sftp.test_sftp_admission import client_key, line_of

if TYPE_CHECKING:
    from reconciler.model.noun import Json


class TestNames:
    def test_a_declared_name_logs_in_beside_the_uuid(self, gateway: Gateway) -> None:
        gateway.configure({"login_names": ["acme-orders"]})
        assert gateway.connect("acme-orders").listdir("inbox") == []
        assert gateway.connect().listdir("inbox") == []

    def test_a_name_that_two_claim_is_nobodys(self, gateway: Gateway) -> None:
        one, other = gateway.partners
        gateway.configure_all({"login_names": ["acme"]}, {"login_names": ["acme"]})
        for secret in ("first", "second"):
            with pytest.raises(AuthenticationException):
                gateway.connect("acme", secret)
        assert one.mailbox != other.mailbox


class TestBoth:
    def test_a_key_and_then_the_password_log_in(self, gateway: Gateway, tmp_path: Path) -> None:
        key = client_key("ed25519", tmp_path)
        gateway.configure({"authorized_keys": [line_of(key)], "authentication": "both"})
        transport = gateway.transport()
        assert transport.auth_publickey(gateway.login, key) == ["password"]
        assert not transport.is_authenticated()
        assert transport.auth_password(gateway.login, "first") == []
        assert transport.is_authenticated()

    def test_neither_alone_does(self, gateway: Gateway, tmp_path: Path) -> None:
        key = client_key("ed25519", tmp_path)
        gateway.configure({"authorized_keys": [line_of(key)], "authentication": "both"})
        with pytest.raises(AuthenticationException):
            gateway.connect()
        transport = gateway.transport()
        transport.auth_publickey(gateway.login, key)
        with pytest.raises((AuthenticationException, BadAuthenticationType)):
            transport.auth_password(gateway.login, "wrong")
        with pytest.raises((AuthenticationException, BadAuthenticationType)):
            transport.auth_publickey(gateway.login, key)
        assert not transport.is_authenticated()

    def test_a_key_that_was_only_offered_proves_nothing(self, gateway: Gateway, tmp_path: Path) -> None:
        """The owner of the password must not get in with a public key that anybody can read."""
        key, stranger = client_key("ed25519", tmp_path), client_key("rsa", tmp_path)
        gateway.configure({"authorized_keys": [line_of(key)], "authentication": "both"})
        transport = gateway.transport()
        forged = type(
            "Forged", (type(key),), {"sign_ssh_data": lambda _self, data, _algorithm=None: _garbled(key, data)}
        )
        key_without_private_part = key
        key_without_private_part.__class__ = forged
        with pytest.raises(AuthenticationException):
            transport.auth_publickey(gateway.login, key_without_private_part)
        with pytest.raises((AuthenticationException, BadAuthenticationType)):
            transport.auth_password(gateway.login, "first")
        assert stranger.get_name() == "ssh-rsa"

    def test_both_passwords_hold_while_they_are_rotated(self, gateway: Gateway, tmp_path: Path) -> None:
        key = client_key("ed25519", tmp_path)
        settings: dict[str, Json] = {"authorized_keys": [line_of(key)], "authentication": "both"}
        gateway.configure(settings, also=(password("newer"), password("first")))
        for secret in ("newer", "first"):
            transport = gateway.transport()
            transport.auth_publickey(gateway.login, key)
            assert transport.auth_password(gateway.login, secret) == []


def _garbled(key: object, data: bytes) -> object:
    sign = type(key).__mro__[1].sign_ssh_data  # type: ignore[attr-defined] # the real key's
    return sign(key, data + b"x")


class TestQuota:
    def test_more_bytes_than_the_mailbox_may_have_are_refused(self, gateway: Gateway) -> None:
        gateway.configure({"quota": {"bytes": 1000}})
        client = gateway.connect()
        client.putfo(BytesIO(b"x" * 900), "coutbox/a")
        with pytest.raises(OSError, match="mailbox is full"):
            put(client, "coutbox/b", b"x" * 101)
        put(client, "coutbox/a", b"y" * 1000)
        assert gateway.names("coutbox") == ["a"]
        assert gateway.get("coutbox", "a") == b"y" * 1000

    def test_more_files_than_the_mailbox_may_have_are_refused(self, gateway: Gateway) -> None:
        gateway.configure({"quota": {"files": 2}})
        gateway.put("inbox", "a", b"a")
        client = gateway.connect()
        put(client, "coutbox/b", b"b")
        with pytest.raises(OSError, match="at most 2 files"):
            put(client, "outbox/c", b"c")
        put(client, "coutbox/b", b"again")
        client.remove("inbox/a")
        put(client, "outbox/c", b"c")
        assert gateway.names("outbox") == ["c"]

    def test_a_file_larger_than_a_file_may_be_is_refused(self, gateway: Gateway) -> None:
        gateway.configure({"quota": {"file_size": 10}})
        client = gateway.connect()
        with pytest.raises(OSError, match="at most 10 bytes"):
            put(client, "coutbox/a", b"x" * 11)
        assert gateway.names("coutbox") == []

    def test_room_is_told_to_who_asks(self, gateway: Gateway) -> None:
        gateway.configure({"quota": {"bytes": 1024 * 100, "files": 5}})
        gateway.put("inbox", "a", b"x" * 1024 * 40)
        client = gateway.connect()
        _, answer = client._request(200, "statvfs@openssh.com", "/")  # type: ignore[attr-defined] # not in the stubs
        block, fragment, blocks, free, available, files, files_free = (answer.get_int64() for _ in range(7))
        assert (block, fragment, blocks, free, available, files, files_free) == (1024, 1024, 100, 60, 60, 5, 4)


class TestBandwidth:
    def test_an_upload_takes_the_time_that_its_rate_says(self, gateway: Gateway) -> None:
        gateway.configure({"bandwidth": {"upload": 400_000}})
        client = gateway.connect()
        began = time.monotonic()
        put(client, "coutbox/a", b"x" * 800_000)
        assert 0.8 < time.monotonic() - began < 60

    def test_a_download_takes_the_time_that_its_rate_says(self, gateway: Gateway) -> None:
        gateway.put("inbox", "a", b"x" * 800_000)
        gateway.configure({"bandwidth": {"download": 400_000}})
        client = gateway.connect()
        began = time.monotonic()
        client.getfo("inbox/a", BytesIO())
        assert 0.8 < time.monotonic() - began < 60


def put(client: SFTPClient, path: str, content: bytes) -> None:
    """Upload and raise what the server says when the file is closed."""
    file = client.open(path, "w")
    file.set_pipelined(True)
    file.write(content)
    file.flush()
    client._request(4, file.handle)  # type: ignore[attr-defined] # not in the type stubs
