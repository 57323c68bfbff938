"""An AS2 partner of other making, for demonstrations and tests: pyas2lib behind the standard library's HTTP server.

`python -m reconciler.protocols.as2.peer --help`. It shares nothing with the gateway's endpoint and sender but the
library's import.
"""

import argparse
import json
import sys
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from reconciler.protocols.as2.library import Mdn, Message, Organization, Partner

YEAR = timedelta(days=365)


def new_key(name: str, lifetime: timedelta = YEAR) -> tuple[bytes, bytes]:
    """Return a fresh private key and a self-signed certificate for it, both PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name[:64])])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return (
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        certificate.public_bytes(serialization.Encoding.PEM),
    )


def partner(name: str, certificate: bytes) -> Partner:
    """Return a partner as pyas2lib has it: messages are signed and encrypted, MDNs signed and synchronous."""
    return Partner(
        as2_name=name,
        verify_cert=certificate,
        encrypt_cert=certificate,
        validate_certs=False,
        sign=True,
        encrypt=True,
        digest_alg="sha256",
        enc_alg="aes_256_cbc",
        mdn_mode="SYNC",
        mdn_digest_alg="sha256",
    )


class Peer:
    """A partner: its own key pair, the gateway's name and certificate, and the folder that files are received in."""

    def __init__(
        self, *, name: str, key: bytes, certificate: bytes, gateway: str, gateway_certificate: bytes, folder: Path
    ) -> None:
        pair = key + b"\n" + certificate
        self._self = Organization(as2_name=name, sign_key=pair, decrypt_key=pair, domain="peer.invalid")
        self._gateway = partner(gateway, gateway_certificate)
        self._folder = folder

    def receive(self, raw: bytes) -> tuple[dict[str, str], bytes]:
        """Take a message, HTTP headers and body; return headers and body of the MDN, empty when none is asked for."""
        message = Message()
        status, _, mdn = message.parse(
            raw,
            find_org_cb=lambda name: self._self if name == self._self.as2_name else None,
            find_partner_cb=lambda name: self._gateway if name == self._gateway.as2_name else None,
        )
        if status == "processed":
            name = Path(message.payload.get_filename() or f"{uuid.uuid4()}.bin").name
            partial = self._folder / f".{uuid.uuid4()}"
            partial.write_bytes(message.content)
            partial.rename(self._folder / name)
        return (dict(mdn.headers), mdn.content) if mdn else ({}, b"")

    def send(self, file: Path, url: str) -> dict[str, str]:
        """Post a file, signed and encrypted; return what the MDN says: status, detail, whether it was signed."""
        message = Message(self._self, self._gateway)
        # Any other type would have the library rewrite line ends.
        message.build(
            file.read_bytes(), filename=file.name, content_type="application/octet-stream", message_id=uuid.uuid4().hex
        )
        headers = {name: " ".join(value.split()) for name, value in message.headers.items()}
        with httpx.Client(trust_env=False, timeout=60) as client:
            answer = client.post(url, content=message.content, headers=headers)
        head = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
        mdn = Mdn()
        status, detail = mdn.parse(head.encode() + b"\r\n" + answer.content, lambda _id, _recipient: message)
        return {
            "http": str(answer.status_code),
            "status": status or "none",
            "detail": detail or "",
            "digest": mdn.digest_alg or "",
            "message_id": message.message_id,
        }


def serve(peer: Peer, host: str, port: int, announce: Callable[[str], None]) -> None:
    """Receive until the process is ended; `announce` is told the URL once it is listening."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            # Not as_bytes(): that would fold a long Message-ID, which the library then takes for another one.
            head = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
            headers, content = peer.receive(head.encode() + b"\r\n" + body)
            self.send_response(200)
            for name, value in headers.items():
                self.send_header(name, " ".join(value.split()))
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
            """Log nothing; stdout belongs to the announcement."""

    with ThreadingHTTPServer((host, port), Handler) as server:
        bound = server.server_address
        announce(f"http://{host}:{bound[1]}/as2")
        server.serve_forever()


def main(arguments: list[str] | None = None) -> int:
    """Run as a process; the exit code of `--send` is 0 only when the MDN is signed and confirms the message."""
    parser = argparse.ArgumentParser(prog="python -m reconciler.protocols.as2.peer", description=__doc__)
    parser.add_argument("--id", required=True, help="own AS2 name")
    parser.add_argument("--key", required=True, type=Path, help="own private key, PEM")
    parser.add_argument("--certificate", required=True, type=Path, help="own certificate, PEM")
    parser.add_argument("--new-key", action="store_true", help="write a fresh --key and --certificate, and end")
    parser.add_argument("--gateway-id", help="the gateway's AS2 name")
    parser.add_argument("--gateway-certificate", type=Path, help="the gateway's certificate, PEM")
    parser.add_argument("--folder", type=Path, default=Path(), help="where received files are written")
    parser.add_argument("--listen", metavar="HOST:PORT", help='receive; the first line of output is {"url": …}')
    parser.add_argument("--send", type=Path, metavar="FILE", help="post a file; the output is what the MDN says")
    parser.add_argument("--to", metavar="URL", help="the gateway's URL")
    options = parser.parse_args(arguments)
    if options.new_key:
        key, certificate = new_key(options.id)
        options.key.touch(0o600)
        options.key.write_bytes(key)
        options.certificate.write_bytes(certificate)
        return 0
    if not options.gateway_id or not options.gateway_certificate:
        parser.error("--gateway-id and --gateway-certificate are needed")
    peer = Peer(
        name=options.id,
        key=options.key.read_bytes(),
        certificate=options.certificate.read_bytes(),
        gateway=options.gateway_id,
        gateway_certificate=options.gateway_certificate.read_bytes(),
        folder=options.folder,
    )
    if options.send is not None and options.to:
        verdict = peer.send(options.send, options.to)
        _print(verdict)
        return 0 if verdict["status"] == "processed" and verdict["digest"] else 1
    if options.listen is None:
        parser.error("either --listen, or --send with --to, is needed")
    host, _, port = options.listen.rpartition(":")
    serve(peer, host, int(port), lambda url: _print({"url": url}))
    return 0


def _print(value: dict[str, str]) -> None:
    print(json.dumps(value), flush=True)  # noqa: T201 - the process's interface


if __name__ == "__main__":
    sys.exit(main())
