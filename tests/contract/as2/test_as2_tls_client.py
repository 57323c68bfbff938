"""How partners' web servers are recognised, and how they recognise us."""

import base64
import ipaddress
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from reconciler.protocols.as2.ports import Answer, DeliveryError, Post
from reconciler.protocols.as2.sender import Sender
from tests.contract.as2.as2_world import World
from tests.served import served

POST = Post(message_id="7@acme", payload=b"UNB", file_name="a.edi")


@dataclass
class WebServer:
    """An HTTPS server, with what it saw of its clients."""

    port: int
    headers: list[dict[str, str]] = field(default_factory=list)
    clients: list[str] = field(default_factory=list)

    def url(self, host: str = "localhost") -> str:
        return f"https://{host}:{self.port}/as2"


class Authority:
    """Issues a server's certificate."""

    def __init__(self, folder: Path) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Authority")])
        self.folder = folder
        root = self._certificate(self.name, self.key, x509.BasicConstraints(ca=True, path_length=None))
        (folder / "authority.pem").write_bytes(root.public_bytes(Encoding.PEM))

    def issue(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("::1"))])
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
        certificate = self._certificate(name, key, names)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (self.folder / "server.pem").write_bytes(private + certificate.public_bytes(Encoding.PEM))

    def _certificate(
        self, name: x509.Name, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(extension, critical=False)
            .sign(self.key, hashes.SHA256())
        )


@pytest.fixture(scope="session")
def authority(world: World) -> Authority:
    authority = Authority(world.folder)
    authority.issue()
    return authority


Serve = Callable[..., WebServer]


@pytest.fixture
def serve(authority: Authority) -> Iterator[Serve]:
    running = ExitStack()

    def start(*, clients: str | None = None) -> WebServer:
        """Start a server; with the name of a file it lets in clients with that certificate alone."""
        seen = WebServer(0)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                seen.headers.append(dict(self.headers.items()))
                shown = self.connection.getpeercert(binary_form=True)
                if shown:
                    seen.clients.append(ssl.DER_cert_to_PEM_cert(shown))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority.folder / "server.pem")
        if clients:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(authority.folder / clients)
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        seen.port = server.server_address[1]
        running.enter_context(served(server))
        return seen

    with running:
        yield start


def reach(world: World, **tls: Any) -> dict[str, Any]:  # noqa: ANN401 - any setting
    return {"tls": {name: [world.source(file) for file in files] if files else True for name, files in tls.items()}}


class TestServersCertificate:
    def test_the_declared_authority_is_trusted(self, world: World, serve: Serve, sender: Sender) -> None:
        server = serve()
        sender.post(world.partner(server.url(), reach=reach(world, ca=["authority.pem"])), POST)
        assert len(server.headers) == 1

    @pytest.mark.parametrize("declared", [{}, {"ca": ["globex.pem"]}, {"pinned": ["globex.pem"]}])
    def test_nothing_is_sent_to_another_server(
        self, world: World, serve: Serve, sender: Sender, declared: dict[str, list[str]]
    ) -> None:
        server = serve()
        with pytest.raises(DeliveryError, match="certificate") as failed:
            sender.post(world.partner(server.url(), reach=reach(world, **declared)), POST)
        assert (failed.value.retryable, server.headers) == (True, [])

    def test_its_name_has_to_be_that_of_the_url(self, world: World, serve: Serve, sender: Sender) -> None:
        server = serve()
        with pytest.raises(DeliveryError, match=r"127\.0\.0\.1"):
            sender.post(world.partner(server.url("127.0.0.1"), reach=reach(world, ca=["authority.pem"])), POST)
        assert server.headers == []

    def test_a_pinned_one_may_have_any_name(self, world: World, serve: Serve, sender: Sender) -> None:
        server = serve()
        pinned = reach(world, pinned=["globex.pem", "server.pem"])
        sender.post(world.partner(server.url("127.0.0.1"), reach=pinned), POST)
        assert len(server.headers) == 1


class TestOurCredentials:
    def test_the_certificate_that_is_due_is_shown(self, world: World, serve: Serve, sender: Sender) -> None:
        server = serve(clients="mallory.pem")
        tls = reach(world, ca=["authority.pem"], client_certificate=[])
        pairs = (world.pair("initech"), world.pair("mallory"))
        partner = world.partner(server.url(), reach=tls, certificate_active_from=datetime.now(UTC) + timedelta(hours=1))
        partner = replace(partner, credentials={**partner.credentials, "tls-client-certificate": pairs})
        sender.post(partner, POST)
        assert server.clients == [(world.folder / "mallory.pem").read_text()]

    def test_who_shows_none_is_not_let_in(self, world: World, serve: Serve, sender: Sender) -> None:
        server = serve(clients="mallory.pem")
        with pytest.raises(DeliveryError) as failed:
            sender.post(world.partner(server.url(), reach=reach(world, ca=["authority.pem"])), POST)
        assert (failed.value.retryable, server.headers) == (True, [])

    def test_basic_auth_goes_to_the_declared_server_alone(
        self, world: World, serve: Serve, sender: Sender, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GLOBEX_PASSWORD", "pässword:7")
        server, other = serve(), serve()
        auth = {"basic_auth": {"user": "acme", "password_env": "GLOBEX_PASSWORD"}}
        partner = world.partner(server.url(), reach=reach(world, ca=["authority.pem"]) | auth)
        sent = sender.post(partner, POST)
        expected = "Basic " + base64.b64encode("acme:pässword:7".encode()).decode()
        assert server.headers[0]["Authorization"] == expected
        assert "Authorization" not in sent.wire.headers
        with pytest.raises(DeliveryError, match="private network"):
            sender.post_mdn(partner, other.url(), Answer(200, {}, b""))
        assert other.headers == []

    def test_a_password_that_is_not_there_is_waited_for(self, world: World, serve: Serve, sender: Sender) -> None:
        auth = {"basic_auth": {"user": "acme", "password_env": "NO_SUCH_PASSWORD"}}
        with pytest.raises(DeliveryError, match="NO_SUCH_PASSWORD is not set") as failed:
            sender.post(world.partner(serve().url(), reach=auth), POST)
        assert failed.value.retryable
