"""What is seen of the server from outside: its algorithms, as ssh-audit judges them, and how its host keys change."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from paramiko import Message, Transport
from paramiko.common import cMSG_KEXINIT

from reconciler.desired.listen import Listen
from reconciler.desired.sftp_gateway import SftpGateway
from reconciler.model.credential import Secret
from reconciler.protocols.protocol import LiveCredential
from reconciler.protocols.sftp.host_keys import load_host_keys
from reconciler.protocols.sftp.server import SftpServer
from reconciler.protocols.sftp.transport import KEX, POST_QUANTUM
from tests.contract.sftp.clients import ClientError, OpenSsh
from tests.contract.sftp.conftest import Gateway

# Whoever cannot do better must still be able to connect by default, such as OpenSSH before 9.9.
_BREAKABLE = "does not provide protection against post-quantum attacks"
_KEPT = {("kex", name, "warn", _BREAKABLE) for name in KEX if name not in POST_QUANTUM}


@pytest.fixture
def combination() -> tuple[str, str]:
    return "store", "fast"


@pytest.mark.parametrize(
    ("settings", "kept"), [(SftpGateway(), _KEPT), (SftpGateway(post_quantum_only=True), set())], ids=["default", "pq"]
)
def test_ssh_audit_finds_nothing_weak(
    rotating: tuple[SftpServer, list[LiveCredential]], kept: set[tuple[str, str, str, str]]
) -> None:
    """Its test of how many connections are served a second is part of this."""
    server, _ = rotating
    command = [sys.executable, "-m", "ssh_audit", "--json", "-p", str(server.address[1]), "127.0.0.1"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    found = json.loads(ran.stdout)
    notes = {
        (kind, algorithm["algorithm"], level, note)
        for kind in ("kex", "key", "enc", "mac")
        for algorithm in found[kind]
        for level, texts in algorithm["notes"].items()
        for note in texts
    }
    assert {kind for kind, *_ in notes} == {"kex", "key", "enc", "mac"}
    assert {note for note in notes if note[2] in {"fail", "warn"}} == kept
    assert found["cves"] == []
    assert not [note for note in found["additional_notes"] if "throttling" in note]


@pytest.fixture
def rotating(gateway: Gateway) -> Iterator[tuple[SftpServer, list[LiveCredential]]]:
    """Return a server with its list of host keys, which it reads at each configuration."""
    keys = list(gateway.host_keys[:2])
    server = SftpServer(settings=gateway.settings, folders=gateway.folders, host_keys=lambda: keys)
    server.configure(gateway.partners)
    server.start()
    yield server, keys
    server.stop(0)


def test_openssh_learns_a_new_host_key_before_the_old_one_goes(
    gateway: Gateway, rotating: tuple[SftpServer, list[LiveCredential]], tmp_path: Path
) -> None:
    server, keys = rotating
    old, new = gateway.host_keys[0], gateway.host_keys[2]
    keys[:] = [old]
    server.configure(gateway.partners)
    sftp = OpenSsh(gateway, tmp_path)
    known = f"UserKnownHostsFile={tmp_path / 'known'}"
    options = (known, "StrictHostKeyChecking=yes", "UpdateHostKeys=yes", f"Port={server.address[1]}")

    with pytest.raises(ClientError):
        sftp("ls", options=options)
    sftp("ls", options=(known, "StrictHostKeyChecking=accept-new", "UpdateHostKeys=no", options[-1]))
    keys[:] = [old, new]
    server.configure(gateway.partners)
    sftp("ls", "ls", options=options)
    keys[:] = [new]
    server.configure(gateway.partners)
    sftp("ls", options=options)


def test_host_keys_are_read_only_when_they_change(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.protocols.sftp.server.load_host_keys", load_host_keys)  # not what tests remember
    read: list[str] = []

    def noted(key: LiveCredential) -> LiveCredential:
        def reveal() -> Secret:
            read.append(key.fingerprint)
            return key.reveal()

        return replace(key, reveal=reveal)

    first, second = (noted(key) for key in (gateway.host_keys[0], gateway.host_keys[2]))
    keys = [first]
    server = SftpServer(settings=gateway.settings, folders=gateway.folders, host_keys=lambda: keys)
    server.start()
    try:
        server.configure(gateway.partners)
        assert read == [first.fingerprint]
        keys.append(second)
        server.configure(gateway.partners)
        assert read[1:] == [first.fingerprint, second.fingerprint]
    finally:
        server.stop(0)


def test_processes_share_a_port_where_they_are_told_to(gateway: Gateway) -> None:
    def server(port: int, *, share: bool) -> SftpServer:
        listen = Listen(host="127.0.0.1", port=port)
        settings = gateway.settings.model_copy(update={"listen": listen, "share_port": share})
        return SftpServer(settings=settings, folders=gateway.folders, host_keys=lambda: gateway.host_keys)

    first = server(0, share=True)
    first.start()
    second = server(first.address[1], share=True)
    second.start()
    try:
        with pytest.raises(OSError, match="in use"):
            server(first.address[1], share=False).start()
    finally:
        second.stop(0)
        first.stop(0)


class GuessingTransport(Transport):
    """A client that begins its key exchange before it knows which was agreed on, as Dropbear's does."""

    def _send_message(self, data: Message) -> None:
        offer = bytearray(data.asbytes())
        if offer[0] != ord(cMSG_KEXINIT):
            super()._send_message(data)  # type: ignore[misc] # not in the type stubs
            return
        offer[-5] = True  # first_kex_packet_follows
        self.local_kex_init = self._latest_kex_init = bytes(offer)
        super()._send_message(Message(self.local_kex_init))  # type: ignore[misc] # not in the type stubs
        guess = Message()
        guess.add_byte(b"\x1e")  # SSH_MSG_KEX_ECDH_INIT
        guess.add_string(b"\x09" * 32)
        super()._send_message(guess)  # type: ignore[misc] # not in the type stubs


@pytest.mark.parametrize("kex", ["curve25519-sha256@libssh.org", "diffie-hellman-group16-sha512"])
def test_a_key_exchange_that_was_guessed_wrongly_begins_again(gateway: Gateway, kex: str) -> None:
    transport = GuessingTransport(gateway.server.address)
    gateway.transports.append(transport)
    transport.get_security_options().kex = (kex,)
    transport.connect(username=gateway.login, password="first")
    assert transport.is_authenticated()
