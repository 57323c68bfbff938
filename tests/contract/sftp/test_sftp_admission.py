"""Who gets in, who is put out, and what strangers can take up."""

import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from paramiko import AuthenticationException, Channel, ECDSAKey, Ed25519Key, PKey, RSAKey, SSHException, Transport

from reconciler.desired.sftp_gateway import SftpLimits
from reconciler.protocols.protocol import LiveCredential
from reconciler.protocols.sftp.host_keys import load_host_keys
from tests.contract.sftp.conftest import Gateway, eventually, live, password


def client_key(kind: str, folder: Path) -> PKey:
    key: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    reader: type[PKey]
    match kind:
        case "ed25519":
            key, reader = ed25519.Ed25519PrivateKey.generate(), Ed25519Key
        case "rsa":
            key, reader = rsa.generate_private_key(65537, 2048), RSAKey
        case _:
            key, reader = ec.generate_private_key(ec.SECP384R1()), ECDSAKey
    path = folder / "key"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    return reader.from_private_key_file(str(path))


def line_of(key: PKey) -> str:
    return f"{key.get_name()} {key.get_base64()} partner"


class TestLogin:
    @pytest.mark.parametrize("secret", ["wrong", "", "second", "first "])
    def test_a_wrong_password_is_refused(self, gateway: Gateway, secret: str) -> None:
        with pytest.raises(AuthenticationException):
            gateway.connect(secret=secret)

    @pytest.mark.parametrize("login", ["5f0c3f3e-6f7b-4d55-9a0e-0d1f7c1f8a11", "root", "", "../x"])
    def test_an_unknown_login_is_refused_the_same(self, gateway: Gateway, login: str) -> None:
        with pytest.raises(AuthenticationException):
            gateway.transport().auth_password(login, "first")

    def test_both_passwords_hold_while_they_are_rotated(self, gateway: Gateway) -> None:
        gateway.configure({}, also=(password("newer"), password("first")))
        assert gateway.connect(secret="newer").listdir("inbox") == []
        assert gateway.connect(secret="first").listdir("inbox") == []

    @pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
    def test_a_declared_key_logs_in(self, gateway: Gateway, tmp_path: Path, kind: str) -> None:
        key = client_key(kind, tmp_path)
        with pytest.raises(AuthenticationException):
            gateway.transport().auth_publickey(gateway.login, key)
        gateway.configure({"authorized_keys": [line_of(key)]})
        transport = gateway.transport()
        transport.auth_publickey(gateway.login, key)
        assert transport.is_authenticated()

    def test_a_key_is_one_partners(self, gateway: Gateway, tmp_path: Path) -> None:
        key = client_key("ed25519", tmp_path)
        gateway.configure({"authorized_keys": [line_of(key)]})
        with pytest.raises(AuthenticationException):
            gateway.transport().auth_publickey(str(gateway.partners[1].mailbox), key)

    def test_networks_bound_where_a_login_comes_from(self, gateway: Gateway) -> None:
        gateway.configure({"allow_from": ["192.0.2.0/24"]})
        with pytest.raises(AuthenticationException):
            gateway.connect()
        gateway.configure({"allow_from": ["192.0.2.0/24", "127.0.0.0/8"]})
        assert gateway.connect().listdir("inbox") == []

    def test_six_tries_end_the_connection(self, gateway: Gateway) -> None:
        transport = gateway.transport()
        for _ in range(5):
            with pytest.raises(AuthenticationException):
                transport.auth_password(gateway.login, "wrong")
        with pytest.raises(SSHException):
            transport.auth_password(gateway.login, "wrong")
        assert eventually(lambda: not transport.is_active())

    def test_secrets_are_not_logged(self, gateway: Gateway, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level("DEBUG")
        with pytest.raises(AuthenticationException):
            gateway.transport().auth_password("correct horse", "battery staple")
        gateway.connect()
        ours = [record.getMessage() for record in caplog.records if record.name.startswith("reconciler")]
        assert any("login refused from 127.0.0.1" in message for message in ours)
        assert not any("horse" in message or "staple" in message or "first" in message for message in ours)


class TestCut:
    def test_an_integration_that_is_off_is_cut_and_unknown(self, gateway: Gateway) -> None:
        client = gateway.connect()
        other = gateway.connect(str(gateway.partners[1].mailbox), "second")
        file = client.open("coutbox/a", "w")
        file.write(b"unfinished")
        gateway.server.configure(gateway.partners[1:])
        with pytest.raises((OSError, EOFError, SSHException)):
            client.listdir("/")
        with pytest.raises(AuthenticationException):
            gateway.connect()
        assert eventually(lambda: not gateway.folders.open_uploads)
        assert gateway.names("coutbox") == []
        assert other.listdir("inbox") == []
        file.close()

    def test_a_password_that_is_gone_cuts_its_sessions(self, gateway: Gateway) -> None:
        gateway.configure({}, also=(password("newer"), password("first")))
        old, new = gateway.connect(secret="first"), gateway.connect(secret="newer")
        gateway.configure({}, also=(password("newer"),))
        with pytest.raises((OSError, EOFError, SSHException)):
            old.listdir("/")
        assert new.listdir("inbox") == []

    def test_a_network_that_is_gone_cuts_its_sessions(self, gateway: Gateway) -> None:
        client = gateway.connect()
        gateway.configure({"allow_from": ["192.0.2.0/24"]})
        with pytest.raises((OSError, EOFError, SSHException)):
            client.listdir("/")

    def test_a_configuration_that_changes_nothing_cuts_nobody(self, gateway: Gateway) -> None:
        client = gateway.connect()
        gateway.server.configure(gateway.partners)
        assert client.listdir("inbox") == []


class TestStop:
    def test_an_open_upload_may_be_finished(self, gateway: Gateway) -> None:
        client = gateway.connect()
        idle = gateway.connect()
        file = client.open("coutbox/a", "w")
        file.write(b"abc")
        stopping = Thread(target=gateway.server.stop, args=(100.0,))
        stopping.start()
        assert eventually(lambda: idle.sock.closed)
        file.close()
        stopping.join(50)
        assert not stopping.is_alive()
        assert gateway.get("coutbox", "a") == b"abc"
        with pytest.raises((OSError, SSHException)):
            gateway.transport()

    def test_an_upload_that_does_not_end_is_cut(self, gateway: Gateway) -> None:
        file = gateway.connect().open("coutbox/a", "w")
        file.write(b"abc")
        gateway.server.stop(0.1)
        assert not gateway.folders.open_uploads
        with suppress(EOFError, OSError, SSHException):  # nobody listens any more
            file.close()
        assert gateway.names("coutbox") == []


class TestStrangers:
    @pytest.fixture
    def limits(self) -> SftpLimits:
        return SftpLimits(login_grace=60, unauthenticated=5, channels=2)

    @pytest.fixture
    def minute(self, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
        """Return what has more than a minute go by for the server."""
        return lambda: monkeypatch.setattr("reconciler.protocols.sftp.server.monotonic", lambda: time.monotonic() + 61)

    @pytest.mark.parametrize("after_key_exchange", [False, True])
    def test_who_does_not_log_in_in_time_is_cut(
        self, gateway: Gateway, minute: Callable[[], None], after_key_exchange: bool
    ) -> None:
        if after_key_exchange:
            transport = gateway.transport()
            assert transport.is_active()
            minute()
            assert eventually(lambda: not transport.is_active())
            return
        with socket.create_connection(gateway.server.address) as silent:
            silent.settimeout(20)
            assert silent.recv(1) == b"S"
            minute()
            while silent.recv(1000):
                pass
            assert silent.recv(1) == b""

    def test_a_login_has_all_the_time(self, gateway: Gateway, minute: Callable[[], None]) -> None:
        client = gateway.connect()
        transport = gateway.transport()
        minute()
        assert eventually(lambda: not transport.is_active())
        assert client.listdir("inbox") == []

    def test_a_login_gets_in_past_silent_connections(self, gateway: Gateway) -> None:
        silent = [socket.create_connection(gateway.server.address) for _ in range(50)]
        try:
            assert gateway.connect().listdir("inbox") == []
        finally:
            for connection in silent:
                connection.close()

    def test_channels_are_bounded_and_come_back(self, gateway: Gateway) -> None:
        first = gateway.connect()
        transport = gateway.transports[-1]
        second = transport.open_session(timeout=20)
        with pytest.raises(SSHException):
            transport.open_session(timeout=20)
        second.close()
        for _ in range(5):
            third = transport.open_session(timeout=20)
            third.close()
        assert first.listdir("inbox") == []

    @pytest.mark.parametrize(
        "ask",
        [
            Channel.invoke_shell,
            Channel.get_pty,
            Channel.request_x11,
            lambda channel: channel.exec_command("id"),
            lambda channel: channel.invoke_subsystem("shell"),
            lambda channel: channel.set_environment_variable("A", "B") or channel.invoke_shell(),
        ],
    )
    def test_there_is_nothing_but_sftp(self, gateway: Gateway, ask: Callable[[Channel], object]) -> None:
        gateway.connect()
        channel = gateway.transports[-1].open_session(timeout=20)
        with pytest.raises(SSHException):
            ask(channel)

    def test_nothing_is_forwarded(self, gateway: Gateway) -> None:
        gateway.connect()
        transport = gateway.transports[-1]
        with pytest.raises(SSHException):
            transport.open_channel("direct-tcpip", ("127.0.0.1", 1), ("127.0.0.1", 2), timeout=20)
        with pytest.raises(SSHException):
            transport.request_port_forward("127.0.0.1", 0)

    def test_a_packet_of_two_gigabytes_ends_the_connection_at_once(self, gateway: Gateway) -> None:
        with socket.create_connection(gateway.server.address) as stranger:
            stranger.settimeout(30)
            assert stranger.recv(100).startswith(b"SSH-2.0-")
            stranger.sendall(b"SSH-2.0-stranger\r\n" + struct.pack(">IB", 2**31 - 4, 4) + b"\x14" * 100)
            received = b"x"
            while received:
                try:
                    received = stranger.recv(10_000)
                except ConnectionResetError:
                    received = b""
        assert received == b""


class TestAlgorithms:
    @pytest.mark.parametrize(
        ("kind", "legacy"),
        [
            ("kex", ["diffie-hellman-group14-sha256", "diffie-hellman-group-exchange-sha256", "ecdh-sha2-nistp256"]),
            ("ciphers", ["3des-cbc", "aes128-cbc", "aes256-cbc"]),
            ("digests", ["hmac-sha1", "hmac-md5", "hmac-sha1-96", "hmac-md5-96", "hmac-sha2-256"]),
        ],
    )
    def test_legacy_algorithms_find_no_agreement(self, gateway: Gateway, kind: str, legacy: list[str]) -> None:
        transport = Transport(gateway.server.address)
        options = transport.get_security_options()
        match kind:
            case "kex":
                options.kex = tuple(legacy)
            case "ciphers":
                options.ciphers = tuple(legacy)
            case _:
                options.digests = tuple(legacy)
        with pytest.raises(SSHException):
            transport.start_client(timeout=20)
        transport.close()

    @pytest.mark.parametrize("name", ["ssh-ed25519", "rsa-sha2-512", "rsa-sha2-256", "ecdsa-sha2-nistp256"])
    def test_each_host_key_is_offered(self, gateway: Gateway, host_keys: tuple[LiveCredential, ...], name: str) -> None:
        transport = Transport(gateway.server.address)
        transport.get_security_options().key_types = (name,)
        transport.start_client(timeout=20)
        shown = transport.get_remote_server_key().asbytes()
        transport.close()
        assert shown in [key.asbytes() for key in load_host_keys(host_keys).used]

    def test_strict_key_exchange_is_agreed_on(self, gateway: Gateway) -> None:
        assert gateway.transport().agreed_on_strict_kex  # type: ignore[attr-defined] # not in the type stubs

    def test_a_host_key_that_is_none_is_named_without_being_shown(self) -> None:
        with pytest.raises(ValueError, match="is not readable") as caught:
            load_host_keys([live("not a key")])
        assert "not a key" not in str(caught.value)
