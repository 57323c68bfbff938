from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from reconciler.model.credential import Secret
from reconciler.protocols.as2.relation import Relation, RelationError
from tests.contract.as2.as2_world import World


def test_a_certificate_may_be_der(world: World) -> None:
    certificate = x509.load_pem_x509_certificate((world.folder / "globex.pem").read_bytes())
    relation = Relation(world.partner(), lambda _: certificate.public_bytes(Encoding.DER))
    assert relation.certificates == (certificate,)


@pytest.mark.parametrize("content", [b"-----BEGIN CERTIFICATE-----\nx", b"nothing"])
def test_what_is_no_certificate_is_an_error(world: World, content: bytes) -> None:
    with pytest.raises(RelationError, match=r"globex\.pem is no certificate"):
        _ = Relation(world.partner(), lambda _: content).certificates


def test_a_certificate_encrypts_on_the_days_on_which_it_is_valid(world: World) -> None:
    relation, now = world.relation(), datetime.now(UTC)
    assert relation.certificate_to_encrypt(now) == relation.certificates[0]
    for days in (-1, 366):
        with pytest.raises(RelationError, match="GLOBEX"):
            relation.certificate_to_encrypt(now + timedelta(days=days))


@pytest.mark.parametrize("secret", ["", "nothing", "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----"])
def test_a_key_that_cannot_be_read_is_not_shown(world: World, secret: str) -> None:
    partner = world.partner()
    spoilt = replace(partner.credentials["certificate"][0], reveal=lambda: Secret(secret))
    relation = Relation(replace(partner, credentials={"certificate": (spoilt,)}), world.content)
    with pytest.raises(RelationError) as failed:
        _ = relation.identities
    assert str(failed.value) == "the own key acme is no RSA or elliptic-curve key"


def test_without_credentials_and_recipient_nothing_is_exchanged(world: World) -> None:
    partner = replace(world.partner(), credentials={}, settings={})
    relation = Relation(partner, world.content)
    assert relation.self_id == "INVOICES"
    for needed in ("has no certificate of its own", "has no recipient"):
        with pytest.raises(RelationError, match=needed):
            _ = relation.identities if "certificate" in needed else relation.recipient
