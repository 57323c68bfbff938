"""The HTTP listener before the AS2 endpoint: TLS, and clients that take their time."""

import os
import re
import resource
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reconciler.errors import ReconcilerError
from reconciler.protocols.as2 import endpoint as endpoint_module
from reconciler.protocols.as2.building import build_message
from reconciler.protocols.as2.endpoint import As2Endpoint
from reconciler.protocols.as2.mime import Entity
from reconciler.protocols.as2.peer import new_key
from reconciler.protocols.as2.ports import MdnOutcome, Post
from reconciler.protocols.as2.sender import Sender
from reconciler.web import listener as listener_module
from reconciler.web.listener import HttpListener
from reconciler.web.server_certificate import CertificateFiles, ServerCertificates
from tests.contract.as2.as2_world import MemoryIntake, World

PATIENCE = 60
POST = Post(message_id="7@globex", payload=b"UNB\r\n\x00\n" * 1000, file_name="a.edi")

Listen = Callable[..., HttpListener]


@pytest.fixture
def listen(world: World, intake: MemoryIntake) -> Iterator[Listen]:
    """Return what starts a listener before ACME's endpoint."""
    started: list[HttpListener] = []

    def start(certificates: ServerCertificates | None = None) -> HttpListener:
        endpoint = As2Endpoint(intake, world.content)
        endpoint.configure([world.partner()], off=[("INITECH", "ACME")])
        listener = HttpListener(endpoint.app, host="127.0.0.1", port=0, certificates=certificates)
        listener.start()
        started.append(listener)
        return listener

    yield start
    for listener in started:
        listener.stop(1)


@pytest.fixture
def message(world: World) -> Entity:
    """Return what GLOBEX posts."""
    return build_message(world.relation(own="globex", other="acme"), POST, now=datetime.now(UTC))


def head(message: Entity, **others: str) -> bytes:
    """Return a request's head; a name's underlines are hyphens."""
    headers = {name: str(value) for name, value in message.headers.items()}
    headers |= {name.replace("_", "-"): value for name, value in others.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST /as2 HTTP/1.1\r\nHost: gateway\r\n{lines}\r\n".encode()


def connected(listener: HttpListener) -> socket.socket:
    connection = socket.create_connection(listener.address, PATIENCE)
    connection.settimeout(PATIENCE)
    return connection


def answer(connection: socket.socket) -> bytes:
    """Return an answer in whole, as far as its Content-Length says."""
    received = b""
    while (end := received.find(b"\r\n\r\n")) < 0:
        received += more(connection)
    length = re.search(rb"content-length: (\d+)", received[:end], re.IGNORECASE)
    while length is not None and len(received) < end + 4 + int(length[1]):
        received += more(connection)
    return received


def more(connection: socket.socket) -> bytes:
    chunk = connection.recv(65536)
    assert chunk, "the connection was closed"
    return chunk


class TestRequests:
    def test_100_continue_comes_before_the_body(self, listen: Listen, intake: MemoryIntake, message: Entity) -> None:
        with connected(listen()) as connection:
            connection.sendall(head(message, Expect="100-continue", Content_Length=str(len(message.body))))
            assert answer(connection).startswith(b"HTTP/1.1 100 ")
            connection.sendall(message.body)
            said = answer(connection)
        assert b"; processed\r\n" in said
        assert said.lower().count(b"\r\ndate:") == 1
        assert intake.received[0].payload == POST.payload

    def test_nobody_is_asked_for_a_body_that_is_not_wanted(self, listen: Listen, message: Entity) -> None:
        with connected(listen()) as connection:
            whose = {"AS2-From": "INITECH"}
            connection.sendall(head(message, Expect="100-continue", Content_Length="99999999", **whose))
            assert answer(connection).startswith(b"HTTP/1.1 403 ")

    def test_a_body_in_chunks(self, listen: Listen, intake: MemoryIntake, message: Entity) -> None:
        with connected(listen()) as connection:
            connection.sendall(head(message, Transfer_Encoding="chunked"))
            body = bytes(message.body)
            for at in range(0, len(body), 999):
                piece = body[at : at + 999]
                connection.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            connection.sendall(b"0\r\n\r\n")
            assert b"; processed\r\n" in answer(connection)
        assert intake.received[0].payload == POST.payload

    def test_headers_in_folded_lines(self, listen: Listen, intake: MemoryIntake, message: Entity) -> None:
        with connected(listen()) as connection:
            folded = head(message, Content_Length=str(len(message.body))).replace(b"; name=", b";\r\n\tname=")
            assert b"\r\n\tname=" in folded
            connection.sendall(folded + bytes(message.body))
            assert b"; processed\r\n" in answer(connection)
        assert len(intake.received) == 1

    def test_huge_headers_are_refused(self, listen: Listen, message: Entity) -> None:
        with connected(listen()) as connection:
            connection.sendall(head(message, X="x" * 70_000)[:-4])
            assert answer(connection).startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 431 "))

    def test_when_too_much_is_taken_in_at_once_others_come_again(
        self, listen: Listen, intake: MemoryIntake, message: Entity, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(endpoint_module, "MOST_AT_ONCE", 1)
        listener = listen()
        whole = head(message, Content_Length=str(len(message.body))) + bytes(message.body)
        with connected(listener) as first, connected(listener) as second:
            first.sendall(whole[:-1])
            while not (said := self.refused(second, whole)):
                pass
            assert b"retry-after: 60\r\n" in said.lower()
            first.sendall(whole[-1:])
            assert b"; processed\r\n" in answer(first)
        with connected(listener) as third:
            third.sendall(whole)
            assert b"; processed\r\n" in answer(third)
        assert len(intake.received) == 1

    @staticmethod
    def refused(connection: socket.socket, whole: bytes) -> bytes:
        """Return what a request is answered by HTTP 503; nothing when it was taken, as before the first one's body."""
        connection.sendall(whole)
        said = answer(connection)
        return said if said.startswith(b"HTTP/1.1 503 ") else b""


class TestSlowClients:
    def test_headers_that_never_end(self, listen: Listen, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(listener_module, "HEADER_TIMEOUT", 0.2)
        listener = listen()
        for begun in (b"", b"POST /as2 HTTP/1.1\r\nHost: gate"):
            with connected(listener) as connection:
                connection.sendall(begun)
                assert connection.recv(1) == b""

    def test_a_body_that_stands_still(self, listen: Listen, message: Entity, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(endpoint_module, "CHUNK_TIMEOUT", 0.2)
        with connected(listen()) as connection:
            connection.sendall(head(message, Content_Length=str(len(message.body))) + bytes(message.body[:10]))
            assert answer(connection).startswith(b"HTTP/1.1 408 ")

    def test_500_idle_sockets_hold_up_nobody(self, listen: Listen, intake: MemoryIntake, message: Entity) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
        listener = listen()
        with ExitStack() as idle:
            for number in range(500):
                connection = idle.enter_context(connected(listener))
                if number % 2:
                    connection.sendall(head(message, Content_Length="1000")[: number % 300])
            with connected(listener) as connection:
                connection.sendall(head(message, Content_Length=str(len(message.body))) + bytes(message.body))
                assert b"; processed\r\n" in answer(connection)
        assert len(intake.received) == 1


class Files:
    """A certificate of the gateway's server, which changes."""

    def __init__(self, folder: Path, name: str) -> None:
        self.pair = CertificateFiles(folder / f"{name}.crt", folder / f"{name}.key")
        self.replaced = 0

    def replace(self) -> str:
        """Have a fresh pair in the files; return the certificate."""
        key, certificate = new_key("localhost")
        self.pair.key.write_bytes(key)
        self.pair.certificate.write_bytes(certificate)
        # The clock of a file system may tick too slowly for a test.
        self.replaced += 1
        os.utime(self.pair.certificate, (self.replaced, self.replaced))
        return certificate.decode()


def shown(listener: HttpListener) -> str:
    return ssl.get_server_certificate(listener.address, timeout=PATIENCE)


class TestTls:
    def test_a_certificate_is_read_again_when_its_files_change(self, listen: Listen, tmp_path: Path) -> None:
        files = Files(tmp_path, "server")
        first = files.replace()
        certificates = ServerCertificates([files.pair])
        listener = listen(certificates)
        assert shown(listener).split() == first.split()
        second = files.replace()
        certificates.refresh(datetime.now(UTC))
        assert shown(listener).split() == second.split()

    @pytest.mark.parametrize("spoilt", ["certificate", "key"])
    def test_what_was_read_last_stays_in_use(self, listen: Listen, tmp_path: Path, spoilt: str) -> None:
        files = Files(tmp_path, "server")
        first = files.replace()
        certificates = ServerCertificates([files.pair])
        listener = listen(certificates)
        path: Path = getattr(files.pair, spoilt)
        path.write_bytes(new_key("other")[spoilt == "certificate"])
        certificates.refresh(datetime.now(UTC))
        assert shown(listener).split() == first.split()
        path.unlink()
        certificates.refresh(datetime.now(UTC))
        assert shown(listener).split() == first.split()

    def test_the_next_certificate_lies_ready(self, listen: Listen, tmp_path: Path) -> None:
        now = datetime.now(UTC)
        present, following = Files(tmp_path, "present"), Files(tmp_path, "following")
        first, second = present.replace(), following.replace()
        later = CertificateFiles(following.pair.certificate, following.pair.key, now + timedelta(hours=1))
        certificates = ServerCertificates([later, present.pair])
        listener = listen(certificates)
        assert shown(listener).split() == first.split()
        certificates.refresh(now + timedelta(hours=1))
        assert shown(listener).split() == second.split()

    def test_its_end_is_warned_of_once_at_each_step(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        files = Files(tmp_path, "server")
        files.replace()
        certificates = ServerCertificates([files.pair])
        now = datetime.now(UTC)
        for days in (300, 336, 337, 352, 359, 359, 366, 367):
            certificates.refresh(now + timedelta(days=days))
        assert len([record for record in caplog.records if "ends on" in record.message]) == 4

    def test_files_that_are_no_pair_are_named(self, tmp_path: Path) -> None:
        files = Files(tmp_path, "server")
        with pytest.raises(ReconcilerError, match=r"server\.crt .* No such file"):
            ServerCertificates([files.pair])
        files.replace()
        files.pair.key.write_bytes(new_key("other")[0])
        with pytest.raises(ReconcilerError, match=r"server\.key .* no matching pair"):
            ServerCertificates([files.pair])

    def test_a_partner_posts_to_a_pinned_server(self, listen: Listen, world: World, intake: MemoryIntake) -> None:
        """GLOBEX pins ACME's server; against another certificate nothing is sent."""
        files = Files(world.folder, "tls-server")
        files.replace()
        certificates = ServerCertificates([files.pair])
        port = listen(certificates).address[1]
        sender = Sender(world.content)
        source = world.source("acme.pem")
        reach = {"tls": {"pinned": [world.source("tls-server.crt")]}, "certificates": [source]}
        partner = world.partner(f"https://localhost:{port}/as2", own="globex", other="acme", reach=reach)
        sent = sender.post(partner, POST)
        assert sent.mdn is not None
        assert sent.mdn.outcome is MdnOutcome.CONFIRMED
        files.replace()
        certificates.refresh(datetime.now(UTC))
        sender.close()
        with pytest.raises(ReconcilerError, match="pinned"):
            Sender(world.content).post(partner, POST)
        assert len(intake.received) == 1
