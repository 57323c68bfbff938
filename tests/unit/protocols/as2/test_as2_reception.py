"""What partners are answered, and what is committed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reconciler.protocols.as2 import smime
from reconciler.protocols.as2.building import build_message, expectation
from reconciler.protocols.as2.mdn import check_mdn
from reconciler.protocols.as2.mime import Entity, multipart
from reconciler.protocols.as2.peer import Peer
from reconciler.protocols.as2.ports import Answer, Incoming, MdnOutcome, Outcome, Received
from reconciler.protocols.as2.reception import Reception
from tests.contract.as2.as2_exchange import BINARY, LIMIT, POST, Exchange, Settings, with_header
from tests.contract.as2.as2_world import MemoryIntake, World


@pytest.fixture
def exchange(world: World, intake: MemoryIntake) -> Exchange:
    return Exchange(world, intake)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"compression": True},
        {"encryption": "aes128-cbc", "signing": "sha384"},
        {"encryption": "aes192-cbc", "signing": "sha512", "compression": True},
        {"encryption": "tripledes-192-cbc", "signing": "sha1"},
        {"encryption": "none"},
        {"encryption": "none", "compression": True},
        {"signing": "none"},
        {"signing": "none", "compression": True},
        {"encryption": "none", "signing": "none"},
        {"encryption": "none", "signing": "none", "compression": True},
    ],
)
def test_every_wrapping_is_taken_off_and_confirmed(exchange: Exchange, settings: Settings) -> None:
    exchange.configure(**settings)
    reply = exchange.post(exchange.message(settings))
    assert exchange.verdict(reply, settings).outcome is MdnOutcome.CONFIRMED
    (received,) = exchange.intake.received
    assert received.payload == BINARY
    assert (received.file_name, received.content_type) == ("ORDERS.edi", "application/edifact")
    assert received.mdn == reply


class TestRefused:
    @pytest.mark.parametrize("settings", [{"signing": "none"}, {"encryption": "none"}, {"signing": "sha1"}])
    def test_less_security_than_agreed(self, exchange: Exchange, settings: Settings) -> None:
        message = exchange.message(settings)
        options = "signed-receipt-protocol=required, pkcs7-signature"
        message = with_header(message, "Disposition-Notification-Options", options)
        assert exchange.refusal(message) == "processed/error: insufficient-message-security"

    def test_a_weak_cipher(self, exchange: Exchange) -> None:
        message = exchange.message({"encryption": "tripledes-192-cbc"})
        assert exchange.refusal(message) == "processed/error: insufficient-message-security"

    def test_signed_by_another(self, exchange: Exchange, world: World) -> None:
        mallory = world.relation(own="mallory").identities[0]
        entity = smime.sign(Entity.of([("Content-Type", "application/xml")], b"<a/>"), mallory, "sha256")
        encrypted = smime.encrypt(entity, exchange.world.relation().identities[0].certificate, "aes256-cbc")
        outer = [item for item in exchange.message().headers.items() if not item[0].startswith("Content-")]
        forged = Entity.of([*encrypted.headers.items(), *outer], encrypted.body)
        assert exchange.refusal(forged) == "processed/error: authentication-failed"

    def test_encrypted_for_another(self, exchange: Exchange, world: World) -> None:
        relation = world.relation(own="globex", other="mallory")
        message = build_message(relation, POST, now=datetime.now(UTC))
        message = with_header(message, "AS2-To", "ACME")
        assert exchange.refusal(message) == "processed/error: decryption-failed"

    @pytest.mark.parametrize("body", [b"", b"garbage", b"\x30\x80\x06\x09*\x86H\x86\xf7\r\x01\x07\x03\xa0\x80"])
    def test_garbage(self, exchange: Exchange, body: bytes) -> None:
        message = exchange.message()
        assert exchange.refusal(Entity.of(message.headers.items(), body)).startswith("processed/error: ")

    def test_changed_on_the_way(self, exchange: Exchange) -> None:
        exchange.configure(encryption="none")
        message = exchange.message({"encryption": "none"})
        changed = Entity.of(message.headers.items(), bytes(message.body).replace(b"UNOC", b"UNOA"))
        assert exchange.refusal(changed) == "processed/error: authentication-failed"

    def test_more_than_the_limit_when_inflated(self, exchange: Exchange) -> None:
        bomb = replace(POST, payload=bytes(LIMIT + 1))
        message = exchange.message({"compression": True}, bomb)
        assert len(message.body) < LIMIT // 10
        assert exchange.refusal(message) == "processed/error: decompression-failed"

    def test_files_inside_of_files(self, exchange: Exchange) -> None:
        exchange.configure(encryption="none", signing="none")
        inner = multipart("related", [multipart("mixed", [Entity.of([], b"a")]), Entity.of([], b"b")])
        outer = [item for item in exchange.message().headers.items() if not item[0].startswith("Content-")]
        message = Entity.of([*inner.headers.items(), *outer], inner.body)
        assert exchange.refusal(message) == "processed/error: unexpected-processing-error"

    def test_without_a_message_id(self, exchange: Exchange) -> None:
        reply = exchange.post(with_header(exchange.message(), "Message-ID", None))
        assert b"unexpected-processing-error" in reply.body
        assert exchange.intake.received == []

    @pytest.mark.parametrize(
        ("options", "disposition"),
        [
            ("signed-receipt-protocol=required, pgp", "failed/failure: unsupported format"),
            (
                "signed-receipt-micalg=required, md5, rot13; signed-receipt-protocol=optional, pkcs7-signature",
                "failed/failure: unsupported MIC-algorithms",
            ),
        ],
    )
    def test_an_mdn_that_we_cannot_give(self, exchange: Exchange, options: str, disposition: str) -> None:
        message = with_header(exchange.message(), "Disposition-Notification-Options", options)
        assert disposition.encode() in exchange.post(message).body
        assert exchange.intake.received == []

    @pytest.mark.parametrize("mdn", ["sync", "async", "none"])
    def test_a_commit_of_which_nobody_knows_is_no_refusal(self, world: World, mdn: str) -> None:
        class Broken(MemoryIntake):
            def receive(self, received: Received) -> Answer:
                super().receive(received)
                raise OSError("the connection broke while it was committed")

        intake = Broken()
        exchange = Exchange(world, intake)
        with pytest.raises(OSError, match="the connection broke"):
            exchange.post(exchange.message({"mdn": mdn}))
        assert intake.noted == []
        # The sender tries again, and gets the MDN that was committed.
        assert exchange.post(exchange.message({"mdn": mdn})).status == 200
        assert len(intake.received) == 1

    @pytest.mark.parametrize("mdn", ["sync", "async"])
    def test_a_copy_that_cannot_be_recorded_is_not_refused(self, world: World, mdn: str) -> None:
        class Broken(MemoryIntake):
            def note(self, incoming: Incoming) -> None:
                raise OSError(incoming.message_id)

        exchange = Exchange(world, Broken())
        exchange.post(exchange.message({"mdn": mdn}))
        with pytest.raises(OSError, match="7@globex"):
            exchange.post(exchange.message({"mdn": mdn}))

    @pytest.mark.parametrize(("mdn", "is_answered"), [("sync", True), ("async", False)])
    def test_a_refusal_that_cannot_be_recorded(self, world: World, mdn: str, *, is_answered: bool) -> None:
        class Broken(MemoryIntake):
            def note(self, incoming: Incoming) -> None:
                raise OSError(incoming.message_id)

        exchange = Exchange(world, Broken())
        message = exchange.message({"mdn": mdn, "signing": "none"})
        if is_answered:
            assert b"insufficient-message-security" in exchange.post(message).body
        else:
            with pytest.raises(OSError, match="7@globex"):
                exchange.post(message)  # or its MDN would never be posted

    def test_a_failure_over_a_message_shows_nothing(self, exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object, **__: object) -> None:
            raise ZeroDivisionError("inside")

        monkeypatch.setattr("reconciler.protocols.as2.reception.open_message", fail)
        reply = exchange.post(exchange.message())
        assert exchange.verdict(reply).disposition.endswith("unexpected-processing-error")
        assert b"inside" not in reply.body


class TestTurnedAway:
    def test_what_is_for_nobody_gets_403_without_detail(self, exchange: Exchange) -> None:
        assert exchange.post(with_header(exchange.message(), "AS2-To", "INITECH")) == Answer(403, {}, b"")

    def test_who_is_switched_off_gets_403_without_detail(self, exchange: Exchange) -> None:
        message = with_header(exchange.message(), "AS2-From", "INITECH")
        exchange.reception.configure([exchange.world.partner()], off=[("INITECH", "ACME")])
        assert exchange.post(message) == Answer(403, {}, b"")

    def test_a_stranger_learns_from_a_signed_mdn_that_it_is_one(self, exchange: Exchange) -> None:
        answer = exchange.post(with_header(exchange.message(), "AS2-From", "INITECH"))
        verdict = exchange.verdict(answer)
        assert (verdict.outcome, answer.status) == (MdnOutcome.REJECTED, 200)
        assert verdict.disposition.endswith("unknown-trading-partner")
        assert answer.headers["AS2-To"] == "INITECH"

    @pytest.mark.parametrize(("mailbox", "status"), [("invoices", 200), ("orders", 403)])
    def test_a_stranger_may_post_to_a_mailbox(self, exchange: Exchange, mailbox: str, status: int) -> None:
        answer = exchange.post(with_header(exchange.message(), "AS2-From", "INITECH"), mailbox)
        assert (answer.status, b"unknown-trading-partner" in answer.body) == (status, status == 200)

    def test_nothing_is_posted_to_where_a_stranger_says(self, exchange: Exchange) -> None:
        message = with_header(exchange.message({"mdn": "async"}), "AS2-From", "INITECH")
        assert exchange.post(message) == Answer(403, {}, b"")
        assert exchange.intake.to_post == []

    def test_turned_off_while_the_message_is_opened(self, exchange: Exchange) -> None:
        class TurnsOff(MemoryIntake):
            def stored_answer(self, *, as2_from: str, as2_to: str, message_id: str) -> Answer | None:
                exchange.reception.configure([])
                return super().stored_answer(as2_from=as2_from, as2_to=as2_to, message_id=message_id)

        intake = TurnsOff()
        exchange.reception = Reception(intake, exchange.world.content, limit=LIMIT)
        exchange.configure()
        assert exchange.post(exchange.message()).status == 403
        assert intake.received == []

    @pytest.mark.parametrize("name", [None, "", '"', "Ä", "A" * 129])
    def test_a_message_without_names_gets_an_unsigned_mdn(self, exchange: Exchange, name: str | None) -> None:
        headers = [item for item in exchange.message().headers.items() if item[0] != "AS2-To"]
        headers += [("AS2-To", name)] if name is not None else []
        reply = exchange.reception.take(None, headers, b"")
        assert (reply.status, b"unexpected-processing-error" in reply.body) == (200, True)

    def test_a_message_without_anything_gets_400(self, exchange: Exchange) -> None:
        assert exchange.reception.take(None, [], b"").status == 400


class TestCopies:
    def test_a_copy_of_what_was_accepted_gets_the_stored_mdn(self, exchange: Exchange) -> None:
        first = exchange.post(exchange.message())
        assert exchange.post(exchange.message()) == first
        assert len(exchange.intake.received) == 1

    def test_a_retry_of_what_was_refused_is_processed(self, exchange: Exchange) -> None:
        exchange.refusal(exchange.message({"encryption": "none"}))
        assert exchange.verdict(exchange.post(exchange.message())).outcome is MdnOutcome.CONFIRMED

    def test_the_copy_that_was_committed_first_answers_for_both(self, exchange: Exchange) -> None:
        earlier = Answer(200, {"X-Earlier": "yes"}, b"")

        class Raced(MemoryIntake):
            def receive(self, received: Received) -> Answer:
                del received
                return earlier

        exchange.reception = Reception(Raced(), exchange.world.content, limit=LIMIT)
        exchange.configure()
        assert exchange.post(exchange.message()) == earlier


class TestMdnWays:
    def test_none_asked_for(self, exchange: Exchange) -> None:
        assert exchange.post(exchange.message({"mdn": "none"})) == Answer(200, {}, b"")
        refused = exchange.message({"mdn": "none", "signing": "none"}, replace(POST, message_id="8@globex"))
        assert exchange.post(refused) == Answer(400, {}, b"")

    def test_asynchronous(self, exchange: Exchange) -> None:
        assert exchange.post(exchange.message({"mdn": "async"})) == Answer(200, {}, b"")
        ((url, mdn),) = exchange.intake.to_post
        assert url == "https://globex.example/mdn"
        assert exchange.verdict(mdn).outcome is MdnOutcome.CONFIRMED

    def test_unsigned(self, exchange: Exchange) -> None:
        answer = exchange.post(with_header(exchange.message(), "Disposition-Notification-Options", None))
        assert answer.headers["Content-Type"].startswith("multipart/report")

    def test_an_mdn_that_nobody_waits_for_is_taken_and_forgotten(self, exchange: Exchange, world: World) -> None:
        exchange.post(exchange.message({"mdn": "async"}))
        ((_, mdn),) = exchange.intake.to_post
        theirs = Reception(exchange.intake, world.content, limit=LIMIT)
        theirs.configure([world.partner(own="globex", other="acme")])
        assert theirs.take(None, mdn.headers.items(), mdn.body).status == 200
        assert exchange.intake.settled == []
        assert [(each.outcome, each.message_id) for each in exchange.intake.noted] == [(Outcome.STRAY, "7@globex")]


@pytest.mark.parametrize("receive_as", ["newest", "older"])
def test_every_valid_own_key_decrypts(exchange: Exchange, world: World, receive_as: str) -> None:
    message = exchange.message()
    acme, mallory = (world.partner(own=name).credentials["certificate"] for name in ("acme", "mallory"))
    keys = acme + mallory if receive_as == "newest" else mallory + acme
    exchange.reception.configure([replace(world.partner(), credentials={"certificate": keys})])
    exchange.post(message)
    assert len(exchange.intake.received) == 1


def test_a_partner_whose_certificate_expired_is_refused(world: World, intake: MemoryIntake) -> None:
    later = datetime.now(UTC) + timedelta(days=400)
    reception = Reception(intake, world.content, limit=LIMIT, clock=lambda: later)
    reception.configure([world.partner()])
    message = Exchange(world, intake).message()
    answer = reception.take(None, message.headers.items(), message.body)
    assert b"authentication-failed" in answer.body
    assert intake.received == []


def test_a_foreign_implementation_takes_our_message_byte_for_byte(world: World, tmp_path: Path) -> None:
    peer = Peer(
        name="GLOBEX",
        key=(world.folder / "globex.key").read_bytes(),
        certificate=(world.folder / "globex.pem").read_bytes(),
        gateway="ACME",
        gateway_certificate=(world.folder / "acme.pem").read_bytes(),
        folder=tmp_path,
    )
    relation = world.relation()
    headers, body = peer.receive(bytes(build_message(relation, POST, now=datetime.now(UTC)).raw))
    verdict = check_mdn(expectation(relation, POST), headers, body, relation.certificates, now=datetime.now(UTC))
    assert verdict.outcome is MdnOutcome.CONFIRMED
    assert (tmp_path / "ORDERS.edi").read_bytes() == BINARY


@pytest.mark.parametrize(
    ("options", "mic"),
    [
        ("signed-receipt-protocol=required,pkcs7-signature;signed-receipt-micalg=optional,rsa-sha256", b", rsa-sha256"),
        (
            "Signed-Receipt-MICAlg=optional, md5, SHA-256, sha1; SIGNED-RECEIPT-PROTOCOL=optional, PKCS7-Signature",
            b", SHA-256",
        ),
        ("signed-receipt-protocol=optional, pkcs7-signature", b", sha256"),
        ("signed-receipt-protocol=pkcs7-signature; signed-receipt-micalg=sha-256", b", sha-256"),
    ],
)
def test_mdn_options_come_in_any_order_and_case(exchange: Exchange, options: str, mic: bytes) -> None:
    message = with_header(exchange.message(), "Disposition-Notification-Options", options)
    answer = exchange.post(message)
    assert exchange.verdict(answer).outcome is MdnOutcome.CONFIRMED
    assert mic + b"\r\n" in answer.body
