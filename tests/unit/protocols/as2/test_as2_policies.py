"""Policies, quirks, several files, rollovers and clocks."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.protocols.as2 import smime
from reconciler.protocols.as2.building import build_message, expectation
from reconciler.protocols.as2.der import head
from reconciler.protocols.as2.mdn import check_mdn
from reconciler.protocols.as2.message import mic
from reconciler.protocols.as2.mime import Entity
from reconciler.protocols.as2.ports import Attachment, MdnOutcome, Outcome, Received
from reconciler.protocols.as2.reception import Reception
from reconciler.protocols.as2.relation import Relation
from tests.contract.as2.as2_exchange import BINARY, LIMIT, POST, Exchange, Settings
from tests.contract.as2.as2_world import MemoryIntake, World


@pytest.fixture
def exchange(world: World, intake: MemoryIntake) -> Exchange:
    return Exchange(world, intake)


def wrapped(exchange: Exchange, content: Entity) -> Entity:
    """Return an entity as GLOBEX posts it, with the headers of a message."""
    outer = [item for item in exchange.message().headers.items() if not item[0].startswith("Content-")]
    return Entity.of([*content.headers.items(), *outer], content.body)


class TestPolicies:
    @pytest.mark.parametrize(
        ("demanded", "sent"),
        [
            ({"inbound": {"signed": False}}, {"signing": "none"}),
            ({"inbound": {"encrypted": False}}, {"encryption": "none"}),
            ({"signing": "none", "inbound": {"signed": True}}, {}),
            ({"inbound": {"digests": ["sha1"]}}, {"signing": "sha1"}),
            ({"inbound": {"digests": ["md5"]}}, {"signing": "md5"}),
            ({"inbound": {"ciphers": ["tripledes-192-cbc"]}}, {"encryption": "tripledes-192-cbc"}),
            ({}, {"encryption": "aes256-gcm"}),
            ({}, {"compression": "after-signing"}),
            ({}, {"quirks": ["opaque-signature"]}),
            ({}, {"quirks": ["base64"]}),
            ({}, {"signature": "pss", "key_transport": "oaep-sha256"}),
        ],
    )
    def test_what_the_policy_lets_through(self, exchange: Exchange, demanded: Settings, sent: Settings) -> None:
        exchange.configure(**demanded)
        answer = exchange.post(exchange.message(sent))
        assert exchange.verdict(answer, sent).outcome is MdnOutcome.CONFIRMED, exchange.intake.refusals()
        assert exchange.intake.received[0].payload == BINARY

    @pytest.mark.parametrize(
        ("demanded", "sent"),
        [
            ({"signing": "none", "inbound": {"signed": True}}, {"signing": "none", "mdn_signed": True}),
            ({"encryption": "none", "inbound": {"encrypted": True}}, {"encryption": "none"}),
            ({"inbound": {"digests": ["sha512"]}}, {}),
            ({"inbound": {"ciphers": ["aes256-gcm"]}}, {}),
        ],
    )
    def test_what_the_policy_refuses(self, exchange: Exchange, demanded: Settings, sent: Settings) -> None:
        exchange.configure(**demanded)
        assert exchange.refusal(exchange.message(sent)).endswith("insufficient-message-security")
        assert exchange.intake.noted[0].outcome is Outcome.REFUSED

    def test_an_unsigned_mdn_may_be_agreed(self, exchange: Exchange) -> None:
        settings = {"mdn_signed": False}
        message = exchange.message(settings)
        assert "Disposition-Notification-Options" not in message.headers
        assert exchange.verdict(exchange.post(message), settings).outcome is MdnOutcome.CONFIRMED


class TestSeveralFiles:
    @pytest.mark.parametrize("settings", [{}, {"compression": True}, {"signing": "none"}])
    def test_each_arrives_under_its_name(self, exchange: Exchange, settings: Settings) -> None:
        exchange.configure(**settings)
        drawing = Attachment(payload=b"%PDF\n\r\x00", file_name="Zeichnung Ä.pdf", content_type="application/pdf")
        post = replace(POST, attachments=(drawing, replace(drawing, file_name="../x.pdf", payload=b"")))
        answer = exchange.post(exchange.message(settings, post))
        assert exchange.verdict(answer, settings, post).outcome is MdnOutcome.CONFIRMED
        (received,) = exchange.intake.received
        assert (received.file_name, received.payload) == ("ORDERS.edi", BINARY)
        assert [(each.file_name, each.payload) for each in received.attachments] == [
            ("Zeichnung Ä.pdf", b"%PDF\n\r\x00"),
            ("x.pdf", b""),
        ]


class TestQuirks:
    """What certified products do in another way, by name; without the name it is refused or proves nothing."""

    TEXT = b"Content-Type: text/plain\nContent-Transfer-Encoding: binary\n\nline one\nline two"

    def signed(self, exchange: Exchange, content: bytes, signed_as: bytes) -> Entity:
        identity = exchange.world.relation(own="globex", other="acme").identities[0]
        whole = smime.sign(Entity.parse(signed_as), identity, "sha256")
        return wrapped(exchange, Entity.of(whole.headers.items(), bytes(whole.body).replace(signed_as, content, 1)))

    @pytest.mark.parametrize(
        ("quirk", "signed_as"),
        [
            ("canonical-line-ends", TEXT.replace(b"\n", b"\r\n")),
            ("missing-line-end", TEXT + b"\r\n"),
        ],
    )
    def test_what_was_signed_is_not_what_stands_there(self, exchange: Exchange, quirk: str, signed_as: bytes) -> None:
        exchange.configure(encryption="none")
        message = self.signed(exchange, self.TEXT, signed_as)
        assert exchange.refusal(message).endswith("authentication-failed")
        exchange.configure(encryption="none", quirks=[quirk])
        exchange.post(message)
        (received,) = exchange.intake.received
        assert received.payload == b"line one\nline two"
        assert received.mic == mic(signed_as, "sha256")

    @pytest.mark.parametrize(
        ("quirk", "settings"),
        [
            ("mic-over-uncompressed", {"compression": True}),
            ("mic-over-compressed", {"compression": True, "signing": "none", "mdn_signed": True}),
            ("mic-without-headers", {}),
        ],
    )
    def test_a_mic_over_something_else(self, exchange: Exchange, quirk: str, settings: Settings) -> None:
        receiver = {name: value for name, value in settings.items() if name != "mdn_signed"}
        exchange.configure(**receiver, quirks=[quirk])
        answer = exchange.post(exchange.message(settings))
        assert exchange.verdict(answer, settings).outcome is MdnOutcome.DOUBTFUL
        assert exchange.verdict(answer, {**settings, "quirks": [quirk]}).outcome is MdnOutcome.CONFIRMED


class TestNothingIsLearnedFromAnswers:
    @pytest.mark.parametrize("position", [-1, -17])
    def test_a_wrong_cbc_padding_is_refused_as_a_wrong_signature_is(self, exchange: Exchange, position: int) -> None:
        """Both blocks change the end of what is decrypted; only the second one leaves a padding at all."""
        message = exchange.message()
        body = bytearray(message.body)
        body[position] ^= 1
        answer = exchange.post(Entity.of(message.headers.items(), bytes(body)))
        assert exchange.verdict(answer).disposition.endswith("authentication-failed")

    def test_inflating_is_bounded_by_ratio(self, exchange: Exchange) -> None:
        exchange.reception = Reception(exchange.intake, exchange.world.content, limit=100 * LIMIT)
        exchange.configure()
        bomb = exchange.message({"compression": True}, replace(POST, payload=bytes(8 * LIMIT)))
        assert exchange.refusal(bomb).endswith("decompression-failed")

    @pytest.mark.parametrize("size", [2**16, 2**40])
    def test_a_length_that_is_not_there_costs_nothing(self, exchange: Exchange, size: int) -> None:
        message = exchange.message()
        assert exchange.refusal(Entity.of(message.headers.items(), head(0x30, size))).endswith("decryption-failed")


def test_fifty_copies_at_once_make_one_message(world: World) -> None:
    intake = MemoryIntake()
    exchange = Exchange(world, intake)
    message = exchange.message()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: exchange.post(message), range(50)))
    assert len(intake.received) == 1
    assert {(answer.status, answer.body) for answer in answers} == {(200, intake.received[0].mdn.body)}


class TestRollover:
    def test_the_key_before_signs_until_the_new_one_is_active(self, world: World) -> None:
        now = datetime.now(UTC)
        partner = world.partner(certificate_active_from=now + timedelta(hours=1))
        pairs = (world.pair("mallory"), world.pair("acme"))
        relation = Relation(replace(partner, credentials={"certificate": pairs}), world.content)
        newest, before = relation.identities
        assert relation.signer(now) == before
        assert relation.signer(now + timedelta(hours=1)) == newest

    def test_after_a_rotation_the_key_before_signs_for_half_of_the_overlap(self, world: World) -> None:
        now = datetime.now(UTC)
        partner = world.partner(rotation={"every": "365d", "overlap": "30d"})
        before = replace(world.pair("acme"), expires=now + timedelta(days=30))
        relation = Relation(
            replace(partner, credentials={"certificate": (world.pair("mallory"), before)}), world.content
        )
        newest, older = relation.identities
        assert relation.signer(now + timedelta(days=14)) == older
        assert relation.signer(now + timedelta(days=15)) == newest

    def test_a_key_that_was_made_by_hand_signs_at_once(self, world: World) -> None:
        now = datetime.now(UTC)
        partner = world.partner(rotation={"every": "365d", "overlap": "30d"})
        before = replace(world.pair("acme"), expires=now + timedelta(days=900))
        relation = Relation(
            replace(partner, credentials={"certificate": (world.pair("mallory"), before)}), world.content
        )
        assert relation.signer(now) == relation.identities[0]

    def test_certificates_have_uses_and_dates(self, world: World) -> None:
        now = datetime.now(UTC)
        files = [world.source(f"{name}.pem") for name in ("globex", "mallory", "initech")]
        reach = {
            "certificates": [
                {"file": files[0], "active_until": now + timedelta(hours=1)},
                {"file": files[1], "active_from": now + timedelta(hours=1)},
                {"file": files[2], "use": ["verify"]},
            ]
        }
        relation = Relation(world.partner(reach=reach), world.content)
        globex, mallory, initech = relation.certificates
        later = now + timedelta(hours=2)
        assert relation.certificates_to_verify(now) == (globex, mallory, initech)
        assert relation.certificates_to_verify(later) == (mallory, initech)
        assert relation.certificate_to_encrypt(now) == globex
        assert relation.certificate_to_encrypt(later) == mallory


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_may_be_an_hour_wrong(world: World, intake: MemoryIntake, hours: int) -> None:
    """The partner's signing time is not what decides, and its certificate was not made this hour."""
    there = datetime.now(UTC) + timedelta(hours=hours)
    relation = world.relation(own="globex", other="acme")
    message = build_message(relation, POST, now=there)
    reception = Reception(intake, world.content, limit=LIMIT)
    reception.configure([world.partner()])
    answer = reception.take(None, message.headers.items(), bytes(message.body))
    verdict = check_mdn(
        expectation(relation, POST), answer.headers, answer.body, relation.certificates, now=datetime.now(UTC)
    )
    assert verdict.outcome is MdnOutcome.CONFIRMED
    assert isinstance(intake.received[0], Received)
