"""A gateway with one AS2 partner on real loopback HTTP, and that partner as a process of other making."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import uvicorn

from reconciler.model.credential import Secret
from reconciler.model.key import Key
from reconciler.model.source_file import SourceFile, digest
from reconciler.protocols.as2.endpoint import As2Endpoint
from reconciler.protocols.as2.peer import new_key
from reconciler.protocols.as2.ports import Answer, Expectation, MdnVerdict, Received
from reconciler.protocols.as2.settings import As2Settings, Recipient
from reconciler.protocols.protocol import LiveCredential, Partner


@dataclass
class MemoryIntake:
    """An intake that keeps everything in memory."""

    received: list[Received] = field(default_factory=list)
    answers: dict[tuple[str, str, str], Answer] = field(default_factory=dict)
    expected: dict[str, Expectation] = field(default_factory=dict)
    settled: list[tuple[str, MdnVerdict]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    was_settled: threading.Event = field(default_factory=threading.Event)

    def stored_answer(self, *, as2_from: str, as2_to: str, message_id: str) -> Answer | None:
        return self.answers.get((as2_from, as2_to, message_id))

    def receive(self, received: Received) -> Answer:
        with self.lock:
            key = (received.as2_from, received.as2_to, received.message_id)
            if key not in self.answers:
                self.answers[key] = received.mdn
                self.received.append(received)
            return self.answers[key]

    def expectation(self, message_id: str) -> Expectation | None:
        return self.expected.get(message_id)

    def settle(self, message_id: str, verdict: MdnVerdict) -> None:
        self.settled.append((message_id, verdict))
        self.was_settled.set()


@dataclass
class World:
    """Keys and certificates of the gateway (ACME) and of its partner (GLOBEX), as files and in memory."""

    folder: Path
    files: dict[str, bytes] = field(default_factory=dict)
    mailbox: UUID = field(default_factory=uuid4)

    def __post_init__(self) -> None:
        for name in ("acme", "globex"):
            key, certificate = new_key(name)
            (self.folder / f"{name}.key").write_bytes(key)
            (self.folder / f"{name}.pem").write_bytes(certificate)

    def content(self, sha256: str) -> bytes:
        return self.files[sha256]

    def partner(
        self, url: str = "http://127.0.0.1:9/as2", *, own: str = "acme", other: str = "globex", **settings: object
    ) -> Partner:
        """Return the integration of the gateway's mailbox with GLOBEX, reached at a URL; or the other way round."""
        certificate = (self.folder / f"{other}.pem").read_bytes()
        self.files[digest(certificate)] = certificate
        source = SourceFile(name=f"{other}.pem", sha256=digest(certificate))
        recipient = Recipient(id=other.upper(), url=url, certificates=(source,))
        section = As2Settings(self_id=own.upper(), recipient=recipient).model_copy(update=settings)
        pair = LiveCredential(
            fingerprint=own,
            reveal=lambda: Secret((self.folder / f"{own}.key").read_text()),
            public=(self.folder / f"{own}.pem").read_text(),
        )
        return Partner(
            mailbox=self.mailbox,
            key=Key.parse(f"accounts.{own}.mailboxes.invoices"),
            settings=section.model_dump(mode="json"),
            credentials={"certificate": (pair,)},
        )

    def peer_command(self, *arguments: str) -> list[str]:
        """Return the command that runs GLOBEX."""
        at = self.folder
        identity = ["--id", "GLOBEX", "--key", f"{at}/globex.key", "--certificate", f"{at}/globex.pem"]
        gateway = ["--gateway-id", "ACME", "--gateway-certificate", f"{at}/acme.pem"]
        return [sys.executable, "-m", "reconciler.protocols.as2.peer", *identity, *gateway, *arguments]


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("as2"))


@pytest.fixture
def intake() -> MemoryIntake:
    return MemoryIntake()


@dataclass
class Gateway:
    """An endpoint that listens."""

    endpoint: As2Endpoint
    url: str


@pytest.fixture
def gateway(world: World, intake: MemoryIntake) -> Iterator[Gateway]:
    endpoint = As2Endpoint(intake, world.content, largest_body=4 * 1024 * 1024)
    endpoint.configure([world.partner()])
    server = uvicorn.Server(uvicorn.Config(endpoint.app, host="127.0.0.1", port=0, log_level="warning", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.01)
        assert thread.is_alive()
    port = server.servers[0].sockets[0].getsockname()[1]
    yield Gateway(endpoint, f"http://127.0.0.1:{port}/as2")
    server.should_exit = True
    thread.join()


@dataclass
class RunningPeer:
    """GLOBEX, receiving into a folder."""

    url: str
    folder: Path


@pytest.fixture
def peer(world: World, tmp_path: Path) -> Iterator[RunningPeer]:
    command = world.peer_command("--listen", "127.0.0.1:0", "--folder", str(tmp_path))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield RunningPeer(json.loads(process.stdout.readline())["url"], tmp_path)
        process.terminate()


Send = Callable[[Path, str], tuple[int, dict[str, str]]]


@pytest.fixture
def send(world: World) -> Send:
    """Have GLOBEX post a file, as a process; return its exit code and what it printed."""

    def run(file: Path, url: str) -> tuple[int, dict[str, str]]:
        command = world.peer_command("--send", str(file), "--to", url)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, json.loads(done.stdout)

    return run
