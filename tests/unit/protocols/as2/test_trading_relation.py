from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
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


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    """Return one key for all certificates, because making one takes long."""
    return rsa.generate_private_key(65537, 2048)


class Authority:
    """Issues certificates; itself is issued by another one, or by itself."""

    def __init__(self, name: str, issuer: "Authority | None" = None) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self.pem = self._issued_by(issuer or self, name, self.key.public_key())

    def issue(self, name: str, usage: str = "", *, curve: bool = False) -> bytes:
        """Return a certificate whose key is for a usage alone, or for all."""
        key = ec.generate_private_key(ec.SECP256R1()) if curve else rsa_key()
        return self._issued_by(self, name, key.public_key(), usage)

    @staticmethod
    def _issued_by(
        issuer: "Authority", name: str, key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey, usage: str = ""
    ) -> bytes:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
            .issuer_name(issuer.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
        )
        if usage:
            names = ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment"]
            names += ["key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"]
            builder = builder.add_extension(x509.KeyUsage(**{each: each == usage for each in names}), critical=True)
        return builder.sign(issuer.key, hashes.SHA256()).public_bytes(Encoding.PEM)


def relation_with(world: World, *contents: bytes, quirks: tuple[str, ...] = ()) -> Relation:
    """Return a relation whose partner declares certificates in files of these contents."""
    for number, content in enumerate(contents):
        (world.folder / f"declared{number}.pem").write_bytes(content)
    reach = world.declared(*(f"declared{number}" for number in range(len(contents))))
    return Relation(world.partner(reach=reach, quirks=quirks), world.content)


class TestCertificatesOfAuthorities:
    @pytest.mark.parametrize("backwards", [False, True])
    def test_of_a_chain_the_end_counts_in_whatever_order(self, world: World, *, backwards: bool) -> None:
        root = Authority("Root")
        middle = Authority("Middle", root)
        end = middle.issue("GLOBEX")
        chain = [end, middle.pem, root.pem]
        relation = relation_with(world, b"".join(reversed(chain) if backwards else chain))
        assert relation.certificates == (x509.load_pem_x509_certificate(end),)

    def test_certificates_are_used_for_what_they_are_for(self, world: World) -> None:
        root, now = Authority("Root"), datetime.now(UTC)
        signing, curved = (
            root.issue("GLOBEX", "digital_signature"),
            root.issue("GLOBEX", "content_commitment", curve=True),
        )
        encrypting = root.issue("GLOBEX", "key_encipherment")
        relation = relation_with(world, signing, curved, encrypting)
        first, second, third = relation.certificates
        assert relation.certificates_to_verify(now) == (first, second)
        assert relation.certificate_to_encrypt(now) == third

    def test_a_certificate_for_something_else_is_used_only_for_a_partner_with_that_quirk(self, world: World) -> None:
        agreed, now = Authority("Root").issue("GLOBEX", "key_agreement"), datetime.now(UTC)
        with pytest.raises(RelationError, match="valid today and for encryption"):
            relation_with(world, agreed).certificate_to_encrypt(now)
        assert relation_with(world, agreed).certificates_to_verify(now) == ()
        lenient = relation_with(world, agreed, quirks=("any-key-usage",))
        assert lenient.certificates_to_verify(now) == (lenient.certificate_to_encrypt(now),)
