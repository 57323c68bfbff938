"""The gateway and a partner of other making, over real HTTP."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from reconciler.protocols.as2.building import build_message
from reconciler.protocols.as2.endpoint import As2Endpoint
from reconciler.protocols.as2.ports import Answer, DeliveryError, Expectation, MdnOutcome, Post
from reconciler.protocols.as2.reception import Reception
from reconciler.protocols.as2.sender import Sender, expect
from tests.contract.as2.as2_world import MemoryIntake, World
from tests.contract.as2.conftest import Gateway, RunningPeer, Send

# Every line end, NUL, bytes that are no text, and a CR at the very end, where the boundary's line break follows.
BINARY = b"UNA:+.? '\nUNB+UNOC:3\r\nFTX\rA\x00\xff\xfe--=_\r\n\r\n\n\r"


def file_in(folder: Path, name: str = "ORDERS_1.edi", content: bytes = BINARY) -> Path:
    file = folder / name
    file.write_bytes(content)
    return file


class TestReceiving:
    def test_a_file_arrives_byte_for_byte_and_is_confirmed(
        self, gateway: Gateway, intake: MemoryIntake, send: Send, tmp_path: Path
    ) -> None:
        code, said = send(file_in(tmp_path), gateway.url)
        assert (code, said["status"], said["digest"]) == (0, "processed", "sha256"), said
        (received,) = intake.received
        assert received.payload == BINARY
        assert (received.as2_from, received.as2_to, received.file_name) == ("GLOBEX", "ACME", "ORDERS_1.edi")
        assert received.message_id == said["message_id"]
        assert received.attributes["Subject"] == "AS2 Message"

    def test_a_mailbox_can_be_named_in_the_url(
        self, gateway: Gateway, world: World, intake: MemoryIntake, send: Send, tmp_path: Path
    ) -> None:
        assert send(file_in(tmp_path), f"{gateway.url}/{world.mailbox}")[0] == 0
        assert send(file_in(tmp_path), f"{gateway.url}/invoices")[0] == 0
        code, said = send(file_in(tmp_path), f"{gateway.url}/orders")
        assert (code, said["http"]) == (1, "403")
        assert len(intake.received) == 2

    def test_an_integration_that_is_off_answers_403_and_keeps_nothing(
        self, gateway: Gateway, intake: MemoryIntake, send: Send, tmp_path: Path
    ) -> None:
        gateway.endpoint.configure([])
        code, said = send(file_in(tmp_path), gateway.url)
        assert (code, said["http"], intake.received) == (1, "403", [])

    @pytest.mark.parametrize("pieces", [[bytes(4 * 1024 * 1024 + 1)], (bytes(1024 * 1024) for _ in range(5))])
    def test_a_body_that_is_too_large_is_cut_off(self, gateway: Gateway, pieces: Iterable[bytes]) -> None:
        content = pieces[0] if isinstance(pieces, list) else pieces
        with httpx.Client(trust_env=False, timeout=60) as client:
            answer = client.post(gateway.url, content=content, headers={"AS2-From": "GLOBEX", "AS2-To": "ACME"})
        assert answer.status_code == 413

    def test_an_asynchronous_mdn_that_cannot_be_recorded_is_to_be_sent_again(
        self, world: World, intake: MemoryIntake
    ) -> None:
        class Broken(MemoryIntake):
            def expectation(self, message_id: str) -> Expectation | None:
                raise OSError(message_id)

        reception = Reception(intake, world.content, limit=10**6)
        reception.configure([world.partner(own="globex", other="acme")])
        ours = world.relation(settings={"mdn": "async"})
        post = Post(message_id="7@acme", payload=b"x", file_name="x.edi")
        message = build_message(ours, post, now=datetime.now(UTC), async_mdn_url="https://acme.example/as2")
        reception.take(None, message.headers.items(), message.body)
        ((_, mdn),) = intake.to_post
        endpoint = As2Endpoint(Broken(), world.content)
        endpoint.configure([world.partner()])
        transport = httpx.ASGITransport(endpoint.app)

        async def answer() -> int:
            async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
                return (await client.post("/as2", content=mdn.body, headers=dict(mdn.headers))).status_code

        assert anyio.run(answer) == 503


class TestSending:
    @pytest.mark.parametrize(
        "settings",
        [
            {},
            {"compression": True},
            {"encryption": "aes128-cbc", "signing": "sha512"},
            {"encryption": "aes192-cbc", "signing": "sha384"},
            {"encryption": "tripledes-192-cbc", "signing": "sha1"},
        ],
    )
    def test_a_file_arrives_byte_for_byte_and_its_mdn_is_believed(
        self, sender: Sender, world: World, peer: RunningPeer, settings: dict[str, Any]
    ) -> None:
        partner = world.partner(peer.url, **settings)
        post = Post(message_id="1@acme", payload=BINARY, file_name="INV 1.xml", content_type="application/xml")
        sent = sender.post(partner, post)
        assert sent.mdn is not None
        assert sent.mdn.outcome is MdnOutcome.CONFIRMED, sent.mdn
        assert (peer.folder / "INV 1.xml").read_bytes() == BINARY
        assert sent.mic == expect(partner, post, content=world.content).mic

    def test_what_the_partner_refuses_is_rejected(self, sender: Sender, world: World, peer: RunningPeer) -> None:
        post = Post(message_id="1@acme", payload=b"x", file_name="x.edi")
        sent = sender.post(world.partner(peer.url, encryption="none"), post)
        assert sent.mdn is not None
        assert sent.mdn.outcome is MdnOutcome.REJECTED
        assert sent.mdn.disposition.endswith("insufficient-message-security")

    def test_nobody_listening_can_be_tried_again(self, sender: Sender, world: World) -> None:
        with pytest.raises(DeliveryError) as failed:
            sender.post(world.partner(), Post(message_id="1@acme", payload=b"x", file_name="x.edi"))
        assert failed.value.retryable


def test_an_asynchronous_mdn_settles_the_post_that_waits_for_it(
    sender: Sender, world: World, gateway: Gateway, intake: MemoryIntake
) -> None:
    """The gateway plays both ends: GLOBEX's mailbox receives what ACME's posts, and posts its MDN back."""
    ours = world.partner(gateway.url, mdn="async")
    theirs = world.partner(gateway.url, own="globex", other="acme")
    gateway.endpoint.configure([ours, theirs])
    post = Post(message_id="7@acme", payload=BINARY, file_name="a.edi")
    intake.expected[post.message_id] = expect(ours, post, content=world.content)
    posting = Sender(world.content, async_mdn_url=gateway.url)
    assert posting.post(ours, post).mdn is None
    posting.close()
    ((url, mdn),) = intake.to_post
    assert sender.post_mdn(theirs, url, mdn).status == 200
    ((message_id, verdict),) = intake.settled
    assert (message_id, verdict.outcome) == ("7@acme", MdnOutcome.CONFIRMED)
    assert intake.received[0].payload == BINARY


def test_an_asynchronous_mdn_is_not_posted_into_the_own_network(sender: Sender, world: World, gateway: Gateway) -> None:
    """The URL that the message names has the right host, but not the port that GLOBEX is declared with."""
    mdn = Answer(200, {}, b"")
    with pytest.raises(DeliveryError, match="private network"):
        sender.post_mdn(world.partner(), gateway.url, mdn)
