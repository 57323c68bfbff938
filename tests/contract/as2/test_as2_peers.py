"""Peers of other making, which the tests install for themselves: django-pyas2 from PyPI and libas2 from npm."""

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import pytest

from reconciler.protocols.as2.building import build_message, expectation
from reconciler.protocols.as2.mdn import check_mdn
from reconciler.protocols.as2.ports import MdnOutcome, Post
from reconciler.protocols.as2.sender import Sender, expect
from tests.conftest import require_program
from tests.contract.as2.as2_exchange import BINARY, POST, Exchange
from tests.contract.as2.as2_world import MemoryIntake, World
from tests.contract.as2.conftest import Gateway

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
# Its own dependencies ask for an older pyas2lib; that of the gateway does.
DJANGO_PYAS2 = ("django-pyas2==1.2.3", "Django>=5.2,<5.3", "asgiref", "sqlparse", "requests", "charset-normalizer")
LIBAS2 = "libas2@0.8.2"


def installed(command: list[str], what: str) -> None:
    """Run a command that installs something; without a registry the test is skipped, under CI it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = f"needs {what}, which cannot be installed: {done.stderr[-300:]}"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)


@dataclass
class DjangoPeer:
    """GLOBEX, which listens, and takes commands."""

    url: str
    folder: Path
    input: IO[str] = field(repr=False)
    output: IO[str] = field(repr=False)

    def ask(self, **command: object) -> dict[str, Any]:
        self.input.write(json.dumps(command) + "\n")
        self.input.flush()
        said: dict[str, Any] = json.loads(self.output.readline())
        return said

    def received(self) -> list[bytes]:
        return [path.read_bytes() for path in sorted((self.folder / "media/messages/GLOBEX/inbox/ACME").glob("*"))]


@pytest.fixture(scope="session")
def django_pyas2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that django-pyas2 is installed in."""
    folder = tmp_path_factory.mktemp("django-pyas2")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--target", str(folder)]
    installed([*pip, *DJANGO_PYAS2], "django-pyas2 from PyPI")
    return folder


@pytest.fixture
def django_peer(django_pyas2: Path, world: World, tmp_path: Path) -> Iterator[DjangoPeer]:
    for name in ("acme.pem", "globex.pem", "globex.key"):
        shutil.copy(world.folder / name, tmp_path)
    (tmp_path / "media").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.contract.as2.django_pyas2_peer", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(django_pyas2)))},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield DjangoPeer(json.loads(process.stdout.readline())["url"], tmp_path, process.stdin, process.stdout)
        process.terminate()


class TestDjangoPyas2:
    def test_both_ways(
        self, django_peer: DjangoPeer, world: World, gateway: Gateway, intake: MemoryIntake, sender: Sender
    ) -> None:
        (django_peer.folder / "media/ORDERS.edi").write_bytes(BINARY)
        wanted: dict[str, object] = {"target_url": gateway.url, "mdn": True, "mdn_mode": "SYNC", "mdn_sign": "sha256"}
        # Of any other type its library rewrites line ends.
        wanted |= {"content_type": "application/octet-stream"}
        ways: list[dict[str, object]] = [
            {"signature": "sha256", "encryption": "aes_256_cbc"},
            {"signature": "sha512", "encryption": "aes_128_cbc", "compress": True},
            {"signature": "sha384", "encryption": "aes_192_cbc", "compress": False},
        ]
        for way in ways:
            said = django_peer.ask(send="ORDERS.edi", partner=wanted | way)
            assert (said["status"], said["signed"]) == ("S", True), said
        assert [received.payload for received in intake.received] == [BINARY] * 3
        assert {received.file_name for received in intake.received} == {"ORDERS.edi"}

        partners: list[dict[str, Any]] = [
            {},
            {"compression": True, "signing": "sha512"},
            {"encryption": "aes128-cbc", "signing": "sha1"},
        ]
        for number, settings in enumerate(partners):
            post = Post(message_id=f"{number}@acme", payload=BINARY, file_name=f"{number}.xml")
            sent = sender.post(world.partner(django_peer.url, **settings), post)
            assert sent.mdn is not None
            assert sent.mdn.outcome is MdnOutcome.CONFIRMED, sent.mdn
        assert django_peer.received() == [BINARY] * 3

    def test_its_asynchronous_mdn_is_believed(
        self, django_peer: DjangoPeer, world: World, gateway: Gateway, intake: MemoryIntake
    ) -> None:
        partner = world.partner(django_peer.url, mdn="async")
        gateway.endpoint.configure([partner])
        post = Post(message_id="7@acme", payload=BINARY, file_name="a.edi")
        intake.expected[post.message_id] = expect(partner, post, content=world.content)
        posting = Sender(world.content, async_mdn_url=gateway.url)
        assert posting.post(partner, post).mdn is None
        posting.close()
        assert django_peer.ask(mdns="post")["posted"] == 1
        ((message_id, verdict),) = intake.settled
        assert (message_id, verdict.outcome) == ("7@acme", MdnOutcome.CONFIRMED), verdict


@pytest.fixture(scope="session")
def libas2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the peer's script, beside which libas2 is installed."""
    npm = require_program("npm", package="npm")
    folder = tmp_path_factory.mktemp("libas2")
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--loglevel=error"]
    installed([npm, "install", "--prefix", str(folder), *options, LIBAS2], "libas2 from npm")
    return Path(shutil.copy(HERE / "libas2_peer.cjs", folder))


@dataclass
class NodePeer:
    """GLOBEX by libas2, a process for each task."""

    script: Path
    keys: Path

    def do(self, task: str, **given: object) -> dict[str, Any]:
        done = subprocess.run(
            ["node", str(self.script), str(self.keys), task],
            input=json.dumps(given),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        said: dict[str, Any] = json.loads(done.stdout)
        return said


@pytest.fixture
def node_peer(libas2: Path, world: World) -> NodePeer:
    return NodePeer(libas2, world.folder)


class TestLibas2:
    @pytest.mark.parametrize(
        ("sign", "encrypt"),
        [
            ("sha-256", "aes256-CBC"),
            ("sha-512", "aes128-GCM"),
            ("sha-384", "aes192-CBC"),
            ("sha-1", "des-EDE3-CBC"),
            ("sha-256", False),
            (False, "aes256-GCM"),
            (False, False),
        ],
    )
    def test_we_open_what_it_sends_and_it_believes_our_mdn(
        self, node_peer: NodePeer, world: World, intake: MemoryIntake, sign: str | bool, encrypt: str | bool
    ) -> None:
        exchange = Exchange(world, intake)
        digests = ["sha1", "sha256", "sha384", "sha512"]
        ciphers = ["tripledes-192-cbc", "aes128-gcm", "aes256-gcm", "aes192-cbc", "aes256-cbc"]
        exchange.configure(inbound={"signed": False, "encrypted": False, "digests": digests, "ciphers": ciphers})
        payload = base64.b64encode(BINARY).decode()
        message = node_peer.do("compose", payload=payload, sign=sign, encrypt=encrypt)
        answer = exchange.reception.take(None, message["headers"].items(), base64.b64decode(message["body"]))
        assert [received.payload for received in intake.received] == [BINARY], intake.refusals()
        judged = node_peer.do("judge", headers=dict(answer.headers), body=base64.b64encode(answer.body).decode())
        (received,) = intake.received
        assert judged["id"] == f"<{received.message_id}>"
        assert judged["mic"]["mic"] == received.mic

    @pytest.mark.parametrize("settings", [{}, {"signing": "sha512", "encryption": "aes128-cbc"}])
    def test_it_opens_what_we_send_and_we_believe_its_mdn(
        self, node_peer: NodePeer, world: World, settings: dict[str, Any]
    ) -> None:
        """It takes every body for text, and signs its reports without their last line end."""
        quirks = ["base64", "missing-line-end"]
        relation = world.relation(settings={"quirks": quirks, "key_transport": "oaep-sha1", **settings})
        message = build_message(relation, replace(POST, message_id="7@acme"), now=datetime.now(UTC))
        body = base64.b64encode(bytes(message.body)).decode()
        said = node_peer.do("answer", headers=dict(message.headers.items()), body=body)
        assert base64.b64decode(said["payload"]) == BINARY
        verdict = check_mdn(
            expectation(relation, replace(POST, message_id="7@acme")),
            said["headers"],
            base64.b64decode(said["body"]),
            relation.certificates,
            now=datetime.now(UTC),
            quirks=quirks,
        )
        assert verdict.outcome is MdnOutcome.CONFIRMED, verdict
