"""A partner that behaves as partners should, or in one of the ways in which they do not: for trials before going live.

It opens what it is sent with the gateway's own code; what the gateway makes of its answers is what is tried out.
"""

import base64
import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from pathlib import Path
from threading import Event, Lock, Thread
from typing import assert_never
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from reconciler.model.credential import Secret
from reconciler.model.key import Key
from reconciler.model.source_file import SourceFile, digest
from reconciler.protocols.as2 import cms_writing
from reconciler.protocols.as2.cms import Identity
from reconciler.protocols.as2.disposition import Disposition
from reconciler.protocols.as2.mdn_answer import MdnRequest, build_mdn
from reconciler.protocols.as2.message import Opened
from reconciler.protocols.as2.mime import Entity, multipart, safe_name
from reconciler.protocols.as2.peer import new_key
from reconciler.protocols.as2.ports import Answer, DeliveryError, Expectation, Incoming, MdnVerdict, Received
from reconciler.protocols.as2.reception import Reception
from reconciler.protocols.as2.relation import RelationError
from reconciler.protocols.as2.sender import Sender
from reconciler.protocols.as2.settings import CERTIFICATE
from reconciler.protocols.protocol import LiveCredential, Partner

LARGEST = 256 * 1024 * 1024


class Behaviour(StrEnum):
    """What the partner does with a message."""

    CONFIRM = "confirm"
    REFUSE = "refuse"
    UNAVAILABLE = "unavailable"
    TIMEOUT = "timeout"
    RESET = "reset"
    NO_MDN = "no-mdn"
    WRONG_MIC = "wrong-mic"
    FORGED = "forged"
    UNSIGNED = "unsigned"
    ZERO_SIGNER = "zero-signer"
    OTHER_CERTIFICATE = "other-certificate"
    LATE = "late"
    DOUBLE = "double"


class Simulator:
    """A partner with a key pair of its own, listening on an address; behaviours follow each other in turn.

    `delay` is how many seconds late MDNs are. Received files go into `folder`, if there is one.
    """

    def __init__(
        self,
        *,
        name: str,
        gateway: str,
        gateway_certificate: bytes,
        key: bytes,
        certificate: bytes,
        behaviours: Sequence[Behaviour] = (Behaviour.CONFIRM,),
        folder: Path | None = None,
        delay: float = 5.0,
        listen: tuple[str, int] = ("127.0.0.1", 0),
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.behaviours: list[Behaviour] = []
        self._identity = Identity(x509.load_pem_x509_certificate(certificate), _key(key))
        self._stranger: Identity | None = None
        self._next = cycle(behaviours)
        self._lock = Lock()
        self._folder, self._delay, self._tell = folder, delay, tell
        self._over = Event()
        files = {digest(gateway_certificate): gateway_certificate}
        self._partner = simulated_partner(name, key, certificate, gateway, gateway_certificate)
        self._sender = Sender(lambda sha256: files[sha256])
        self._later = ThreadPoolExecutor(4)
        self._reception = Reception(self, lambda sha256: files[sha256], limit=LARGEST)
        self._reception.configure([self._partner])
        self._server = ThreadingHTTPServer(listen, self._handler())
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        """Where messages are to be posted."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}/as2"

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def wait(self) -> None:
        """Wait until the simulator is stopped."""
        self._over.wait()

    def stop(self) -> None:
        """Answer nobody any more."""
        self._over.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        self._later.shutdown(cancel_futures=True)
        self._sender.close()

    def turn(self) -> Behaviour:
        """Return how the next message is treated."""
        with self._lock:
            behaviour = next(self._next)
            self.behaviours.append(behaviour)
            return behaviour

    # --- the endpoint's port Intake ------------------------------------------------------------------------------

    def stored_answer(self, *, as2_from: str, as2_to: str, message_id: str) -> Answer | None:
        """Return nothing: each try is treated anew."""
        del as2_from, as2_to, message_id
        return None

    def receive(self, received: Received) -> Answer:
        """Keep the file, and return an MDN as it should be."""
        self._tell(f"{received.message_id}: {received.file_name}, {len(received.payload)} bytes")
        if self._folder is not None:
            name = safe_name(received.file_name) or "message"
            (self._folder / name).write_bytes(received.payload)
        return received.mdn

    def note(self, incoming: Incoming) -> None:
        """Tell of what was not taken."""
        self._tell(f"{incoming.message_id}: {incoming.outcome}: {incoming.reason}")

    def expectation(self, message_id: str) -> Expectation | None:
        """Expect nothing: it sends nothing."""
        del message_id
        return None

    def settle(self, message_id: str, verdict: MdnVerdict, incoming: Incoming) -> None:
        """Do nothing: it sends nothing."""

    # --- behaving ------------------------------------------------------------------------------------------------

    def answer(self, headers: Mapping[str, str], body: bytes, behaviour: Behaviour) -> Answer | None:
        """Return the answer to a post; None for one that gets none."""
        if behaviour in {Behaviour.TIMEOUT, Behaviour.RESET}:
            if behaviour is Behaviour.TIMEOUT:
                self._over.wait()
            return None
        if behaviour is Behaviour.UNAVAILABLE:
            return Answer(503, {"Retry-After": "1"}, b"")
        url = headers.get("Receipt-Delivery-Option")
        synchronous = [(name, value) for name, value in headers.items() if name != "Receipt-Delivery-Option"]
        mdn = self._bent(self._reception.take(None, synchronous, body), behaviour)
        if url is None:
            if behaviour is Behaviour.LATE:
                self._over.wait(self._delay)
            return mdn
        if behaviour is not Behaviour.NO_MDN:
            self._later.submit(self._post_mdns, url, mdn, behaviour)
        return Answer(200, {}, b"")

    def _post_mdns(self, url: str, mdn: Answer, behaviour: Behaviour) -> None:
        self._over.wait(self._delay if behaviour is Behaviour.LATE else 0.1)
        for _ in range(2 if behaviour is Behaviour.DOUBLE else 1):
            try:
                self._sender.post_mdn(aimed_at(self._partner, url), url, mdn)
            except DeliveryError as error:
                self._tell(str(error))

    def _bent(self, mdn: Answer, behaviour: Behaviour) -> Answer:  # noqa: PLR0911 - one for each behaviour
        """Return an MDN with what is wrong about it."""
        match behaviour:
            case Behaviour.CONFIRM | Behaviour.LATE | Behaviour.DOUBLE:
                return mdn
            case Behaviour.NO_MDN:
                return Answer(200, {}, b"")
            case Behaviour.REFUSE:
                return self._built(mdn, Disposition.UNEXPECTED, self._identity)
            case Behaviour.WRONG_MIC:
                return self._built(mdn, Disposition.PROCESSED, self._identity, mic="bm90IHdoYXQgeW91IHNlbnQ=")
            case Behaviour.FORGED:
                refused = self._built(mdn, Disposition.UNEXPECTED, self._identity, mic=_mic(mdn))
                return replace(refused, body=refused.body.replace(Disposition.UNEXPECTED.encode(), b"processed"))
            case Behaviour.UNSIGNED:
                return self._built(mdn, Disposition.PROCESSED, None, mic=_mic(mdn))
            case Behaviour.ZERO_SIGNER:
                return _without_signers(self._built(mdn, Disposition.PROCESSED, self._identity, mic=_mic(mdn)))
            case Behaviour.OTHER_CERTIFICATE:
                return self._built(mdn, Disposition.PROCESSED, self._other(), mic=_mic(mdn))
            case Behaviour.UNAVAILABLE | Behaviour.TIMEOUT | Behaviour.RESET:
                return Answer(503, {}, b"")
            case _:
                assert_never(behaviour)

    def _built(self, mdn: Answer, disposition: Disposition, identity: Identity | None, *, mic: str = "") -> Answer:
        return build_mdn(
            MdnRequest(wanted=True, signed=True, digest="sha256", spelling="sha256"),
            disposition,
            as2_from=mdn.headers.get("AS2-From", "").strip('"'),
            as2_to=mdn.headers.get("AS2-To", "").strip('"'),
            message_id=_field(mdn, b"Original-Message-ID: "),
            opened=Opened((), mic, "sha256") if mic else None,
            identity=identity,
            now=datetime.now(UTC),
        )

    def _other(self) -> Identity:
        if self._stranger is None:
            key, certificate = new_key("stranger")
            self._stranger = Identity(x509.load_pem_x509_certificate(certificate), _key(key))
        return self._stranger

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        simulator = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                behaviour = simulator.turn()
                answer = simulator.answer(dict(self.headers.items()), body, behaviour)
                if answer is None:
                    if behaviour is Behaviour.RESET:
                        # Closed with data unsent, so that the other side sees a reset.
                        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.connection.close()
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
                """Log nothing; `tell` says what matters."""

        return Handler


def simulated_partner(name: str, key: bytes, certificate: bytes, gateway: str, gateway_certificate: bytes) -> Partner:
    """Return the simulated side of a relation, which sends to a gateway and takes everything that it signs."""
    pair = LiveCredential(
        fingerprint=name, reveal=lambda: Secret(key.decode("ascii")), public=certificate.decode("ascii")
    )
    file = SourceFile(name="gateway.pem", sha256=digest(gateway_certificate))
    anything = {
        "signed": False,
        "encrypted": False,
        "digests": ["md5", "sha1", "sha256", "sha384", "sha512"],
    }
    recipient = {
        "id": gateway,
        "url": "http://127.0.0.1:9/as2",
        "allow_private": True,
        "certificates": [{"file": file.model_dump(mode="json")}],
    }
    return Partner(
        mailbox=uuid4(),
        key=Key.parse("accounts.simulated.mailboxes.partner"),
        settings={"self_id": name, "recipient": recipient, "inbound": anything},  # type: ignore[dict-item]  # JSON
        credentials={CERTIFICATE: (pair,)},
    )


def aimed_at(partner: Partner, url: str) -> Partner:
    """Return a simulated side whose gateway is reached at a URL, be that on the same machine."""
    settings = dict(partner.settings)
    settings["recipient"] = {**dict(settings["recipient"]), "url": url}  # type: ignore[arg-type]  # a mapping
    return replace(partner, settings=settings)


def _key(pem: bytes) -> rsa.RSAPrivateKey:
    key = load_pem_private_key(pem, None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise RelationError("the partner's key is no RSA key")
    return key


def _without_signers(mdn: Answer) -> Answer:
    """Return a signed MDN whose signature nobody made (RFC 5652 section 5.2 allows that, for certificates alone)."""
    entity = Entity.received(mdn.headers.items(), mdn.body)
    report, _ = entity.parts()
    signature = base64.encodebytes(cms_writing.signed_by_nobody()).replace(b"\n", b"\r\n")
    beside = Entity.of(
        [("Content-Type", "application/pkcs7-signature"), ("Content-Transfer-Encoding", "base64")], signature
    )
    bent = multipart('signed; protocol="application/pkcs7-signature"; micalg=sha-256', (report, beside))
    return Answer(mdn.status, {**mdn.headers, **dict(bent.headers.items())}, bytes(bent.body))


def _field(mdn: Answer, name: bytes) -> str:
    _, _, rest = mdn.body.partition(name)
    return rest.partition(b"\r\n")[0].decode("ascii", "replace")


def _mic(mdn: Answer) -> str:
    return _field(mdn, b"Received-Content-MIC: ").partition(",")[0]
