"""What certified products write in other ways than we do, and what must not pass under their cover."""

import base64
import re
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from asn1crypto import cms as asn1  # type: ignore[import-untyped]
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from reconciler.protocols.as2 import cms_writing, smime
from reconciler.protocols.as2.algorithms import DATA
from reconciler.protocols.as2.cms import Identity
from reconciler.protocols.as2.der import element, tlv
from reconciler.protocols.as2.mdn import check_mdn
from reconciler.protocols.as2.message import mic
from reconciler.protocols.as2.mime import Entity, multipart
from reconciler.protocols.as2.ports import Answer, Expectation, MdnOutcome, MdnVerdict
from tests.contract.as2.as2_exchange import BINARY, Exchange, with_header
from tests.contract.as2.as2_world import MemoryIntake, World


@pytest.fixture
def exchange(world: World, intake: MemoryIntake) -> Exchange:
    return Exchange(world, intake)


@pytest.fixture
def globex(world: World) -> Identity:
    """Return GLOBEX's key pair."""
    return world.relation(own="globex", other="acme").identities[0]


def indefinite(data: bytes) -> bytes:
    """Return a structure as Bouncy Castle streams it: no lengths, and octet strings in pieces of 1,000 bytes."""
    whole = element(memoryview(data))
    if whole.tag & 0x20:
        content = b"".join(indefinite(child.raw) for child in whole.children())
        return bytes((whole.tag, 0x80)) + content + b"\x00\x00"
    content = bytes(whole.content)
    if whole.tag not in {0x04, 0x80} or len(content) <= 1000:
        return data
    pieces = b"".join(tlv(0x04, content[at : at + 1000]) for at in range(0, len(content), 1000))
    return bytes((whole.tag | 0x20, 0x80)) + pieces + b"\x00\x00"


def streamed(signature: bytes) -> bytes:
    """Return signed data with its shells, but not its signed attributes, without lengths."""
    loaded = asn1.ContentInfo.load(signature)
    signed = loaded["content"]
    parts = [signed[name].dump() for name in ("version", "digest_algorithms", "encap_content_info")]
    parts += [tlv(0xA0, *(each.dump() for each in signed["certificates"])), signed["signer_infos"].dump()]
    inner: bytes = b"\x30\x80" + b"".join(parts[:2]) + indefinite(parts[2]) + parts[3] + parts[4] + b"\x00\x00"
    return b"\x30\x80" + bytes(loaded["content_type"].dump()) + b"\xa0\x80" + inner + b"\x00\x00" * 2


def posted(exchange: Exchange, content: Entity) -> Answer:
    """Return what ACME answers to an entity that GLOBEX posts."""
    outer = [item for item in exchange.message().headers.items() if not item[0].startswith("Content-")]
    return exchange.post(Entity.of([*content.headers.items(), *outer], content.body))


def signed(exchange: Exchange, signature: Callable[[bytes], bytes], content: bytes) -> Answer:
    """Return what ACME answers to content beside a signature over it."""
    beside = Entity.of([("Content-Type", "application/pkcs7-signature")], signature(content))
    return posted(exchange, multipart("signed; micalg=sha256", [Entity.parse(content), beside]))


CONTENT = b"Content-Type: application/edifact\r\n\r\n" + BINARY


class TestReceiving:
    def test_structures_without_lengths(self, exchange: Exchange, globex: Identity, world: World) -> None:
        payload = BINARY * 100
        entity = Entity.of([("Content-Type", "application/edifact")], payload)
        opaque = streamed(cms_writing.signed_data(bytes(entity.raw), globex, "sha256", opaque=True))
        inner = Entity.of([("Content-Type", "application/pkcs7-mime; smime-type=signed-data")], opaque)
        small = indefinite(cms_writing.compressed_data(bytes(inner.raw)))
        inner = Entity.of([("Content-Type", "application/x-pkcs7-mime; smime-type=compressed-data")], small)
        acme = world.relation().identities[0].certificate
        encrypted = indefinite(cms_writing.enveloped_data(bytes(inner.raw), [acme], "aes128-cbc"))
        posted(exchange, Entity.of([("Content-Type", "application/X-PKCS7-MIME")], encrypted))
        assert [received.payload for received in exchange.intake.received] == [payload], exchange.intake.refusals()

    @pytest.mark.parametrize("stated", [None, "base64", "BINARY", "8-bit", "7bit; x=y", "base64 (as text)"])
    @pytest.mark.parametrize("is_base64", [False, True])
    def test_what_the_header_says_of_the_encoding_is_not_what_was_done(
        self, exchange: Exchange, stated: str | None, *, is_base64: bool
    ) -> None:
        message = exchange.message()
        body = b"\r\n" + base64.encodebytes(bytes(message.body)) if is_base64 else bytes(message.body)
        sent = with_header(Entity.of(message.headers.items(), body), "Content-Transfer-Encoding", stated)
        exchange.post(sent)
        assert [received.payload for received in exchange.intake.received] == [BINARY], exchange.intake.refusals()

    @pytest.mark.parametrize(
        "kind",
        ["application/x-pkcs7-signature", "application/pkcs7-mime; smime-type=signed-data", "application/octet-stream"],
    )
    def test_the_signature_is_the_second_part_whatever_its_type(
        self, exchange: Exchange, globex: Identity, kind: str
    ) -> None:
        exchange.configure(encryption="none")
        signature = base64.encodebytes(cms_writing.signed_data(CONTENT, globex, "sha256"))
        beside = Entity.of([("Content-Type", kind)], signature)
        posted(exchange, multipart("signed", [Entity.parse(CONTENT), beside]))
        assert [received.payload for received in exchange.intake.received] == [BINARY], exchange.intake.refusals()

    @pytest.mark.parametrize("encoding", ["Content-Transfer-Encoding: 7bit\n", "Content-Transfer-Encoding: 8bit\n", ""])
    def test_lines_that_were_signed_with_other_ends(self, exchange: Exchange, globex: Identity, encoding: str) -> None:
        exchange.configure(encryption="none")
        sent = f"Content-Type: application/EDI-X12\n{encoding}\nISA*00~\nIEA*0~".encode()
        signed(
            exchange, lambda content: cms_writing.signed_data(content.replace(b"\n", b"\r\n"), globex, "sha256"), sent
        )
        assert [received.payload for received in exchange.intake.received] == [b"ISA*00~\nIEA*0~"]

    def test_header_lines_that_lost_their_carriage_returns(self, exchange: Exchange, globex: Identity) -> None:
        exchange.configure(encryption="none")
        sent = b"Content-Type: application/EDI-X12\nContent-Transfer-Encoding: binary\n\nISA*00~\nIEA*0~\r\n"
        head, _, body = sent.partition(b"\n\n")
        as_signed = head.replace(b"\n", b"\r\n") + b"\r\n\r\n" + body
        signed(exchange, lambda _: cms_writing.signed_data(as_signed, globex, "sha256"), sent)
        assert [received.payload for received in exchange.intake.received] == [body], exchange.intake.refusals()
        assert exchange.intake.received[0].mic == mic(as_signed, "sha256")

    def test_header_values_in_quotes(self, exchange: Exchange) -> None:
        exchange.configure(encryption="none")
        message = exchange.message({"encryption": "none"})
        headers = []
        for name, value in message.headers.items():
            escaped = value.replace('"', '\\"')
            headers.append((name, f'"{escaped}"' if name in {"Content-Type", "Message-ID"} else value))
        answer = exchange.reception.take(None, headers, message.body)
        assert [received.message_id for received in exchange.intake.received] == ["7@globex"], answer.body
        assert b"Original-Message-ID: <7@globex>\r\n" in answer.body

    def test_binary_content_has_no_lines(self, exchange: Exchange, globex: Identity) -> None:
        exchange.configure(encryption="none")
        sent = b"Content-Type: application/EDI-X12\r\nContent-Transfer-Encoding: binary\r\n\r\nISA*00~\nIEA*0~"
        canonical = re.sub(rb"(?<!\r)\n", b"\r\n", sent)
        signed(exchange, lambda _: cms_writing.signed_data(canonical, globex, "sha256"), sent)
        assert exchange.intake.received == []

    def test_attributes_that_are_signed_unsorted(self, exchange: Exchange, globex: Identity) -> None:
        exchange.configure(encryption="none")

        def unsorted(content: bytes) -> bytes:
            info = asn1.ContentInfo.load(cms_writing.signed_data(content, globex, "sha256"))
            signer = info["content"]["signer_infos"][0]
            reverse = [attribute.dump() for attribute in signer["signed_attrs"]][::-1]
            assert isinstance(globex.key, rsa.RSAPrivateKey)
            signature = globex.key.sign(tlv(0x31, *reverse), padding.PKCS1v15(), hashes.SHA256())
            parts = [signer[name].dump() for name in ("version", "sid", "digest_algorithm")]
            parts += [tlv(0xA0, *reverse), signer["signature_algorithm"].dump(), tlv(0x04, signature)]
            data = [info["content"][name].dump() for name in ("version", "digest_algorithms", "encap_content_info")]
            whole = tlv(0x30, *data, tlv(0x31, tlv(0x30, *parts)))
            return tlv(0x30, info["content_type"].dump(), tlv(0xA0, whole))

        signed(exchange, unsorted, CONTENT)
        assert [received.payload for received in exchange.intake.received] == [BINARY], exchange.intake.refusals()

    def test_delimiters_break_lines_as_they_like(self, exchange: Exchange) -> None:
        exchange.configure(encryption="none")
        message = exchange.message({"encryption": "none"})
        head, _, tail = bytes(message.body).rpartition(b"\r\n--")
        exchange.post(Entity.of(message.headers.items(), head + b"\n--" + tail))
        assert [received.payload for received in exchange.intake.received] == [BINARY], exchange.intake.refusals()

    @pytest.mark.parametrize("name", ["ACME ORDERS", r"ACME\ORDERS"])
    def test_names_without_their_quotes(self, exchange: Exchange, world: World, name: str) -> None:
        exchange.reception.configure([world.partner(self_id=name)])
        exchange.post(with_header(exchange.message(), "AS2-To", name))
        assert [received.as2_to for received in exchange.intake.received] == [name]

    @pytest.mark.parametrize("message_id", ["<7@globex>", "7@globex", "<OF4A-Z$1=_+~>"])
    def test_the_mdn_repeats_the_message_id_letter_by_letter(self, exchange: Exchange, message_id: str) -> None:
        answer = exchange.post(with_header(exchange.message(), "Message-ID", message_id))
        assert f"\r\nOriginal-Message-ID: {message_id}\r\n".encode() in answer.body


def test_signed_attributes_are_not_taken_for_a_message(exchange: Exchange, globex: Identity) -> None:
    """Who has one signature of GLOBEX could else show its attributes as a message that GLOBEX signed."""
    exchange.configure(encryption="none")
    genuine = asn1.ContentInfo.load(cms_writing.signed_data(CONTENT, globex, "sha256"))
    signer = genuine["content"]["signer_infos"][0]
    attributes = signer["signed_attrs"].untag().dump()
    parts = [signer[name].dump() for name in ("version", "sid", "digest_algorithm", "signature_algorithm", "signature")]
    data = [genuine["content"][name].dump() for name in ("version", "digest_algorithms")]
    whole = tlv(0x30, *data, tlv(0x30, DATA), tlv(0x31, tlv(0x30, *parts)))
    forged = tlv(0x30, genuine["content_type"].dump(), tlv(0xA0, whole))
    answer = signed(exchange, lambda _: forged, attributes)
    assert b"authentication-failed" in answer.body
    assert exchange.intake.received == []


EXPECTED = Expectation(mailbox=uuid4(), message_id="7@acme", mic="bWlj/w==", mic_algorithm="sha256")
REPORT = """Reporting-UA: Globex
Original-Recipient: rfc822; ACME
Final-Recipient: rfc822; ACME
Original-Message-ID: <7@acme>
Disposition: automatic-action/MDN-sent-automatically; processed
Received-Content-MIC: bWlj/w==, sha256
"""


class TestMdns:
    """Reports as they come; each is signed by GLOBEX over what stands there."""

    @pytest.fixture
    def judge(self, world: World, globex: Identity) -> Callable[[Entity], MdnVerdict]:
        def run(report: Entity) -> MdnVerdict:
            entity = smime.sign(report, globex, "sha256")
            certificates = world.relation().certificates
            return check_mdn(EXPECTED, dict(entity.headers.items()), entity.body, certificates, now=datetime.now(UTC))

        return run

    @pytest.mark.parametrize(
        ("written", "otherwise"),
        [
            ("Reporting-UA: Globex\n", ""),
            ("Final-Recipient: rfc822; ACME\nOriginal-Message-ID", "Original-Message-ID"),
            ("Original-Message-ID: <7@acme>", "original-message-id:7@acme"),
            ("Original-Message-ID: <7@acme>", "Original-Message-ID: \n  <7@acme>"),
            ("Original-Message-ID: <7@acme>", "Original-Message-ID: <7@\n acme>"),
            ("; processed", ";processed"),
            ("; processed", ";\n  processed"),
            ("; processed", ";  PROCESSED ;"),
            ("automatic-action/MDN-sent-automatically", "Automatic-Action / MDN-Sent-Automatically "),
            ("automatic-action/MDN-sent-automatically", "manual-action/MDN-sent-manually"),
            ("; processed", "; processed/Warning: duplicate-document"),
            ("; processed", "; processed/warning"),
            ("Disposition:", "DISPOSITION :"),
            ("Received-Content-MIC: bWlj/w==, sha256", "received-content-mic:bWlj/w==,SHA-256"),
            ("bWlj/w==, sha256", "bWlj/\n w== , rsa-sha256"),
            ("bWlj/w==, sha256", '"bWlj/w==", "sha-256"'),
            ("bWlj/w==, sha256", "bWlj/w==, SHA_256;"),
            ("Received-Content-MIC", "\nReceived-Content-MIC"),
        ],
    )
    def test_fields(self, judge: Callable[[Entity], MdnVerdict], written: str, otherwise: str) -> None:
        assert written in REPORT
        text = REPORT.replace(written, otherwise).replace("\n", "\r\n").encode()
        report = Entity.of([("Content-Type", "message/disposition-notification")], text)
        verdict = judge(multipart("report; report-type=disposition-notification", [report]))
        assert verdict.outcome is MdnOutcome.CONFIRMED, verdict

    @pytest.mark.parametrize(
        "modifier", ["/error: decryption-failed", "/Error", "/failure; x", "/error authentication-failed"]
    )
    def test_refusals(self, judge: Callable[[Entity], MdnVerdict], modifier: str) -> None:
        text = REPORT.replace("; processed", f"; processed{modifier}").encode()
        report = Entity.of([("Content-Type", "message/disposition-notification")], text)
        assert judge(multipart("report", [report])).outcome is MdnOutcome.REJECTED

    @pytest.mark.parametrize(
        ("encoding", "encode"),
        [
            ("base64", base64.encodebytes),
            ("quoted-printable", lambda text: text.replace(b"=", b"=3D")),
            ("7bit", bytes),
            ("binary", bytes),
        ],
    )
    def test_transfer_encodings_of_the_report(
        self, judge: Callable[[Entity], MdnVerdict], encoding: str, encode: Callable[[bytes], bytes]
    ) -> None:
        headers = [
            ("Content-Type", "Message/Disposition-Notification; charset=utf-8"),
            ("Content-Transfer-Encoding", encoding),
        ]
        report = multipart("report", [Entity.of(headers, encode(REPORT.encode()))])
        assert judge(report).outcome is MdnOutcome.CONFIRMED

    @pytest.mark.parametrize("line_end", [b"\r\n", b"\n"])
    def test_a_multipart_report_in_base64(self, judge: Callable[[Entity], MdnVerdict], line_end: bytes) -> None:
        report = multipart(
            "report", [Entity.of([("Content-Type", "message/disposition-notification")], REPORT.encode())]
        )
        body = base64.encodebytes(bytes(report.body)).replace(b"\n", line_end)
        encoded = Entity.of([*report.headers.items(), ("Content-Transfer-Encoding", "base64")], body)
        assert judge(encoded).outcome is MdnOutcome.CONFIRMED

    def test_lines_that_lost_their_carriage_returns(self, world: World, globex: Identity) -> None:
        text = b"--r\r\nContent-Type: message/disposition-notification\r\n\r\n" + REPORT.replace("\n", "\r\n").encode()
        report = Entity.of([("Content-Type", "multipart/report; boundary=r")], text + b"--r--\r\n")
        entity = smime.sign(report, globex, "sha256")
        body = bytes(entity.body).replace(b"\r\n", b"\n")
        headers, certificates = dict(entity.headers.items()), world.relation().certificates
        assert check_mdn(EXPECTED, headers, body, certificates, now=datetime.now(UTC)).outcome is MdnOutcome.CONFIRMED

    @pytest.mark.parametrize(("digests", "outcome"), [({"sha1"}, MdnOutcome.CONFIRMED), (set(), MdnOutcome.DOUBTFUL)])
    def test_a_digest_that_the_settings_name(
        self, world: World, globex: Identity, digests: set[str], outcome: MdnOutcome
    ) -> None:
        report = Entity.of([("Content-Type", "message/disposition-notification")], REPORT.encode())
        entity = smime.sign(multipart("report", [report]), globex, "sha1")
        verdict = check_mdn(
            EXPECTED,
            dict(entity.headers.items()),
            entity.body,
            world.relation().certificates,
            now=datetime.now(UTC),
            digests=frozenset(digests),
        )
        assert verdict.outcome is outcome
