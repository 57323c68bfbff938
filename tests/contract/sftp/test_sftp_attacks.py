"""What strangers and bad partners try."""

import itertools
import socket
import struct
from contextlib import ExitStack, suppress
from hashlib import sha256
from statistics import median
from time import monotonic
from typing import cast
from urllib.parse import quote

import pytest
from paramiko import AuthenticationException, Channel, Message, SSHException, Transport
from paramiko.common import cMSG_CHANNEL_DATA

from reconciler.desired.sftp_gateway import SftpDefence, SftpGateway, SftpLimits
from reconciler.protocols.sftp.folders import FOLDERS
from reconciler.protocols.sftp.server import SftpServer
from tests.contract.sftp.conftest import Gateway, eventually

_UP = (
    "..",
    "...",
    "..;",
    "%2e%2e",
    "%252e%252e",
    "..%c0%af",
    "\u2024\u2024",
    "\uff0e\uff0e",
    "..\\",
    "\\..",
    "..\0",
    " ..",
    "../.",
)
_WAYS = ("/", "//", "/./", "\\", "/coutbox/", "/coutbox/x/", "coutbox/", "./", "inbox/../")
_GOALS = ("etc/passwd", "state.db", "key", "../secret", "proc/self/environ", "root/.ssh/authorized_keys", "x\n", "")
TRAVERSALS = [
    "".join((way, *(f"{up}/" for _ in range(depth)), goal))
    for way, up, goal, depth in itertools.product(_WAYS, _UP, _GOALS, (1, 6))
][:: len(_WAYS) * len(_UP) * len(_GOALS) * 2 // 520]


class TestTraversal:
    def test_no_name_leads_out(self, gateway: Gateway) -> None:
        """Where such a name can be opened at all, it is a file of that name in the partner's own folder."""
        assert len(TRAVERSALS) >= 500
        client = gateway.connect()
        gateway.put("inbox", "mine", b"mine")
        for name in TRAVERSALS:
            with suppress(OSError), client.open(name) as file:
                pytest.fail(f"{name!r} was opened: {file.read()!r}")
            with suppress(OSError):
                client.listdir(name) if client.normalize(name).strip("/") in FOLDERS else client.stat(name)
            with suppress(OSError):
                client.posix_rename("inbox/mine", name)
        assert gateway.names("inbox") == ["mine"]
        assert client.listdir("/") == list(FOLDERS)

    def test_names_that_are_quoted_elsewhere_are_themselves(self, gateway: Gateway) -> None:
        client = gateway.connect()
        name = quote("../../x", safe="")
        with client.open(f"coutbox/{name}", "w") as file:
            file.write(b"x")
        assert gateway.names("coutbox") == [name]


class TestBytes:
    @pytest.mark.parametrize("length", [2**31 - 1, 2**32 - 1, 262_145, 0, 3])
    def test_a_packet_of_no_possible_length_ends_the_connection_at_once(self, gateway: Gateway, length: int) -> None:
        with socket.create_connection(gateway.server.address, timeout=20) as stranger:
            stranger.sendall(b"SSH-2.0-x\r\n" + struct.pack(">I", length) + bytes(20))
            with suppress(ConnectionError):
                while stranger.recv(65536):
                    pass
        assert gateway.connect().listdir("inbox") == []

    def test_a_line_that_does_not_end_ends_the_connection(self, gateway: Gateway) -> None:
        with socket.create_connection(gateway.server.address, timeout=20) as stranger:
            with suppress(ConnectionError):
                for _ in range(100):
                    stranger.sendall(b"x" * 65536)
                while stranger.recv(65536):
                    pass
            assert gateway.connect().listdir("inbox") == []

    # paramiko's own loop keeps what it is sent, as far as packets go.
    @pytest.mark.parametrize("combination", [("memory", "fast"), ("store", "fast")], indirect=True, ids="-".join)
    def test_more_than_the_window_ends_the_connection(self, gateway: Gateway) -> None:
        gateway.put("inbox", "a", bytes(32_768))
        client = gateway.connect()
        channel = client.get_channel()
        assert channel is not None
        transport = channel.get_transport()
        # Answers that nobody takes fill the window to the client, and what the server holds back beside it; then
        # nothing is performed and no room given back.
        file = client.open("inbox/a")  # paramiko closes the handle of a file that nobody holds
        handle = cast("bytes", file.handle)  # not what the type stubs say
        read = struct.pack(">BII", 5, 1, len(handle)) + handle + struct.pack(">QI", 0, 32_768)
        requests = (struct.pack(">I", len(read)) + read) * (2 * 2_097_152 // 32_768)
        filling, part = (
            self._data(channel, content) for content in (requests, struct.pack(">I", 200_000) + bytes(32_000))
        )
        with suppress(EOFError, OSError, SSHException):
            transport.packetizer.send_message(filling)
            for _ in range(80):
                transport.packetizer.send_message(part)
        assert eventually(lambda: not transport.is_active())

    @staticmethod
    def _data(channel: Channel, content: bytes) -> Message:
        message = Message()
        message.add_byte(cMSG_CHANNEL_DATA)
        message.add_int(channel.remote_chanid)
        message.add_string(content)
        return message


@pytest.mark.alone
class TestManyStrangers:
    def test_a_login_answers_in_two_seconds_while_500_say_nothing(self, gateway: Gateway) -> None:
        """The median of three tries: a machine that does something else at the moment is not what is asked about."""
        taken: list[float] = []
        with ExitStack() as stack:
            for _ in range(500):
                stack.enter_context(socket.create_connection(gateway.server.address, timeout=20))
            for _ in range(3):
                began = monotonic()
                assert gateway.connect().listdir("/") == list(FOLDERS)
                taken.append(monotonic() - began)
        assert median(taken) <= 2

    def test_key_exchanges_of_strangers_are_slowed_down_and_logins_are_not(self, gateway: Gateway) -> None:
        limits = gateway.settings.limits
        for _ in range(limits.burst_per_address + 2):
            gateway.connect()
        began = monotonic()
        for _ in range(limits.burst_per_address + 5):
            with socket.create_connection(gateway.server.address, timeout=20) as stranger:
                assert stranger.recv(4) == b"SSH-"
        assert monotonic() - began >= 0.9 * 5 / limits.rate_per_address


class TestGuessing:
    @pytest.fixture
    def settings(self, limits: SftpLimits) -> SftpGateway:
        return SftpGateway(limits=limits, defence=SftpDefence())

    def test_who_guesses_is_banned_also_after_a_restart(self, gateway: Gateway, combination: tuple[str, str]) -> None:
        refused = 0
        for number in range(100):
            try:
                transport = Transport(gateway.server.address)
                transport.start_client(timeout=20)
            except (SSHException, OSError, EOFError):
                break
            gateway.transports.append(transport)
            for _ in range(100):
                try:
                    transport.auth_password(gateway.login, f"guess {number}")
                except AuthenticationException:
                    refused += 1
                except (SSHException, EOFError, OSError):
                    break
        assert refused <= 10
        with socket.create_connection(gateway.server.address, timeout=20) as stranger, suppress(ConnectionError):
            assert stranger.recv(100) == b""
        if combination[0] == "memory":
            return
        gateway.server.stop(0)
        again = SftpServer(
            settings=gateway.settings, folders=gateway.folders, host_keys=lambda: gateway.host_keys, bans=gateway.bans
        )
        again.start()
        try:
            with socket.create_connection(again.address, timeout=20) as stranger, suppress(ConnectionError):
                assert stranger.recv(100) == b""
        finally:
            again.stop(0)


class TestWhatIsNotThere:
    def test_no_shell_no_command_no_forwarding(self, gateway: Gateway) -> None:
        transport = gateway.transport()
        transport.auth_password(gateway.login, "first")
        for ask in (
            lambda: transport.open_session().exec_command("id"),
            lambda: transport.open_session().invoke_shell(),
            lambda: transport.open_session().get_pty(),
            lambda: transport.open_channel("direct-tcpip", ("127.0.0.1", 22), ("127.0.0.1", 1)),
            lambda: transport.request_port_forward("127.0.0.1", 0),
        ):
            with pytest.raises(SSHException):
                ask()

    def test_a_digest_of_a_file_is_not_computed(self, gateway: Gateway) -> None:
        gateway.put("inbox", "a", b"a")
        with gateway.connect().open("inbox/a") as file, pytest.raises(OSError, match="not supported"):
            file.check("sha256")
        assert sha256(gateway.get("inbox", "a")).digest() == sha256(b"a").digest()
