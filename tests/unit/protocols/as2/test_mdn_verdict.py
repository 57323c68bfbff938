"""What proves that a partner has what we sent, and what does not."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from asn1crypto import cms as asn1  # type: ignore[import-untyped]
from asn1crypto.core import OctetString  # type: ignore[import-untyped]

from reconciler.protocols.as2.mdn import check_mdn, is_mdn, original_message_id
from reconciler.protocols.as2.mime import Entity, multipart
from reconciler.protocols.as2.ports import Expectation, MdnOutcome, MdnVerdict
from reconciler.protocols.as2.relation import Relation
from reconciler.protocols.as2.smime import sign
from tests.contract.as2.as2_world import World

EXPECTED = Expectation(mailbox=uuid4(), message_id="7@acme", mic="bWlj", mic_algorithm="sha256")
FIELDS = {
    "Reporting-UA": "Globex",
    "Original-Message-ID": "<7@acme>",
    "Disposition": "automatic-action/MDN-sent-automatically; processed",
    "Received-Content-MIC": "bWlj, sha-256",
}


def report(*notifications: dict[str, str], separator: str = "\r\n") -> Entity:
    parts = [Entity.of([("Content-Type", "text/plain")], b"said")]
    for fields in notifications or (FIELDS,):
        text = "".join(f"{name}: {value}{separator}" for name, value in fields.items())
        parts.append(Entity.of([("Content-Type", "message/disposition-notification")], text.encode()))
    return multipart("report; report-type=disposition-notification", parts)


Judge = Callable[[Entity], MdnVerdict]


@pytest.fixture
def partner(world: World) -> Relation:
    """GLOBEX's side, whose key signs."""
    return world.relation(own="globex", other="acme")


@pytest.fixture
def judge(world: World) -> Judge:
    def run(entity: Entity) -> MdnVerdict:
        certificates = world.relation().certificates
        return check_mdn(EXPECTED, dict(entity.headers.items()), entity.body, certificates, now=datetime.now(UTC))

    return run


def signed(partner: Relation, entity: Entity, digest: str = "sha256") -> Entity:
    return sign(entity, partner.identities[0], digest)


def with_signature(entity: Entity, change: Callable[[asn1.ContentInfo], bytes]) -> Entity:
    """Return a signed entity with another signature part."""
    content, signature = entity.parts()
    changed = change(asn1.ContentInfo.load(signature.decoded()))
    other = Entity.of([("Content-Type", "application/pkcs7-signature")], changed)
    return multipart("signed; protocol=application/pkcs7-signature", (content, other))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"Received-Content-MIC": "bWlj,SHA256"},
        {"Received-Content-MIC": "bWlj, rsa-sha256"},
        {"Disposition": "automatic-action/mdn-sent-automatically;PROCESSED"},
        {"Disposition": "automatic-action/MDN-sent-automatically; processed/warning: duplicate-document"},
    ],
)
def test_a_signed_report_that_states_our_mic_confirms(judge: Judge, partner: Relation, changes: dict[str, str]) -> None:
    assert judge(signed(partner, report(FIELDS | changes))).outcome is MdnOutcome.CONFIRMED


def test_empty_lines_between_the_fields_do_no_harm(judge: Judge, partner: Relation) -> None:
    assert judge(signed(partner, report(separator="\r\n\r\n"))).outcome is MdnOutcome.CONFIRMED


def test_an_opaque_signature_confirms(judge: Judge, partner: Relation) -> None:
    inner = report()
    signature = asn1.ContentInfo.load(signed(partner, inner).parts()[1].decoded())
    signature["content"]["encap_content_info"]["content"] = OctetString(inner.raw)
    headers = [("Content-Type", "application/pkcs7-mime; smime-type=signed-data")]
    assert judge(Entity.of(headers, signature.dump(force=True))).outcome is MdnOutcome.CONFIRMED


@pytest.mark.parametrize(
    "disposition",
    [
        "automatic-action/MDN-sent-automatically; processed/error: decryption-failed",
        "automatic-action/MDN-sent-automatically; failed/failure: unsupported format",
        "automatic-action/MDN-sent-automatically; displayed",
    ],
)
def test_a_refusal_that_is_signed_rejects(judge: Judge, partner: Relation, disposition: str) -> None:
    verdict = judge(signed(partner, report(FIELDS | {"Disposition": disposition})))
    assert (verdict.outcome, verdict.disposition) == (MdnOutcome.REJECTED, disposition)


class TestDoubtful:
    """Nothing of this completes or fails a delivery."""

    def test_unsigned(self, judge: Judge) -> None:
        verdict = judge(report())
        assert (verdict.outcome, verdict.disposition) == (MdnOutcome.DOUBTFUL, FIELDS["Disposition"])

    def test_signed_by_nobody(self, judge: Judge, partner: Relation) -> None:
        def without_signers(signature: asn1.ContentInfo) -> bytes:
            signature["content"]["signer_infos"] = asn1.SignerInfos([])
            return bytes(signature.dump(force=True))

        verdict = judge(with_signature(signed(partner, report()), without_signers))
        assert (verdict.outcome, "nobody signed" in verdict.reason) == (MdnOutcome.DOUBTFUL, True)

    def test_signed_by_another(self, judge: Judge, world: World) -> None:
        verdict = judge(signed(world.relation(own="mallory"), report()))
        assert (verdict.outcome, "declared" in verdict.reason) == (MdnOutcome.DOUBTFUL, True)

    def test_signed_by_another_who_names_the_partner(self, judge: Judge, world: World, partner: Relation) -> None:
        genuine = asn1.ContentInfo.load(signed(partner, report()).parts()[1].decoded())

        def claim(signature: asn1.ContentInfo) -> bytes:
            signature["content"]["signer_infos"][0]["sid"] = genuine["content"]["signer_infos"][0]["sid"]
            signature["content"]["certificates"] = genuine["content"]["certificates"]
            return bytes(signature.dump(force=True))

        forged = with_signature(signed(world.relation(own="mallory"), report()), claim)
        assert judge(forged).outcome is MdnOutcome.DOUBTFUL

    def test_changed_after_signing(self, judge: Judge, partner: Relation) -> None:
        entity = signed(partner, report(FIELDS | {"Received-Content-MIC": "b3RoZXI=, sha256"}))
        changed = Entity.of(entity.headers.items(), bytes(entity.body).replace(b"b3RoZXI=", b"bWlj"))
        assert judge(changed).outcome is MdnOutcome.DOUBTFUL

    def test_an_unsigned_report_beside_the_signed_one(self, judge: Judge, partner: Relation) -> None:
        failed = FIELDS | {"Disposition": "automatic-action/MDN-sent-automatically; processed/error: decryption-failed"}
        content, signature = signed(partner, report(failed)).parts()
        for parts in ((content, signature, report()), (report(), content, signature), (content, report(), signature)):
            entity = multipart("signed; protocol=application/pkcs7-signature", parts)
            assert judge(entity).outcome is MdnOutcome.DOUBTFUL

    def test_two_reports(self, judge: Judge, partner: Relation) -> None:
        failed = FIELDS | {"Disposition": "automatic-action/MDN-sent-automatically; processed/error: decryption-failed"}
        assert judge(signed(partner, report(failed, FIELDS))).outcome is MdnOutcome.DOUBTFUL

    def test_a_report_that_is_very_long(self, judge: Judge, partner: Relation) -> None:
        verdict = judge(signed(partner, report(FIELDS | {"Comment": "x" * 70_000})))
        assert (verdict.outcome, "too long" in verdict.reason) == (MdnOutcome.DOUBTFUL, True)

    def test_a_report_that_contradicts_itself(self, judge: Judge, partner: Relation) -> None:
        fields = {**FIELDS, "received-content-mic": "b3RoZXI=, sha256"}
        assert judge(signed(partner, report(fields))).outcome is MdnOutcome.DOUBTFUL

    @pytest.mark.parametrize(
        "changes",
        [
            {"Original-Message-ID": "<8@acme>"},
            {"Received-Content-MIC": "b3RoZXI=, sha256"},
            {"Received-Content-MIC": "bWlj, sha1"},
            {"Received-Content-MIC": "bWlj"},
            {"Received-Content-MIC": ""},
            {"Disposition": "processed"},
            {"Disposition": ""},
        ],
    )
    def test_about_something_else(self, judge: Judge, partner: Relation, changes: dict[str, str]) -> None:
        assert judge(signed(partner, report(FIELDS | changes))).outcome is MdnOutcome.DOUBTFUL

    def test_a_weak_digest_that_was_not_agreed(self, judge: Judge, partner: Relation) -> None:
        assert judge(signed(partner, report(), "sha1")).outcome is MdnOutcome.DOUBTFUL

    def test_on_a_day_on_which_the_certificate_is_not_valid(self, world: World, partner: Relation) -> None:
        entity = signed(partner, report())
        for days in (-1, 366):
            verdict = check_mdn(
                EXPECTED,
                dict(entity.headers.items()),
                entity.body,
                world.relation().certificates,
                now=datetime.now(UTC) + timedelta(days=days),
            )
            assert (verdict.outcome, "not valid today" in verdict.reason) == (MdnOutcome.DOUBTFUL, True)

    @pytest.mark.parametrize("body", [b"", b"OK", b"\x30\x80"])
    @pytest.mark.parametrize(
        "kind", ["multipart/signed", "multipart/report; boundary=b", "application/pkcs7-mime", "x"]
    )
    def test_garbage(self, judge: Judge, kind: str, body: bytes) -> None:
        assert judge(Entity.of([("Content-Type", kind)], body)).outcome is MdnOutcome.DOUBTFUL


def test_an_unsigned_mdn_confirms_where_none_signed_was_asked_for(world: World) -> None:
    entity = report()
    expected = Expectation(mailbox=uuid4(), message_id="7@acme", mic="bWlj", mic_algorithm="sha256", signed=False)
    verdict = check_mdn(
        expected, dict(entity.headers.items()), entity.body, world.relation().certificates, now=datetime.now(UTC)
    )
    assert verdict.outcome is MdnOutcome.CONFIRMED


def test_an_mdn_is_told_from_a_message(partner: Relation) -> None:
    file = Entity.of([("Content-Type", "application/xml")], b"<a/>")
    assert is_mdn(report())
    assert is_mdn(signed(partner, report()))
    assert not is_mdn(file)
    assert not is_mdn(signed(partner, file))
    assert original_message_id(signed(partner, report())) == "7@acme"
    assert original_message_id(signed(partner, file)) is None
