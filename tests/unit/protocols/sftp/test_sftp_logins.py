"""Who is admitted."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from ipaddress import ip_address
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from reconciler.model.credential import Secret
from reconciler.model.key import Key
from reconciler.protocols.protocol import LiveCredential, Partner
from reconciler.protocols.sftp.authorized_keys import AuthorizedKey
from reconciler.protocols.sftp.logins import KeyProof, Logins, PasswordProof, Proof, Verdict, peer_address

NOW = datetime(2026, 6, 1, tzinfo=UTC)
HOME = ip_address("192.0.2.1")
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
LINE = KEY.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def password(text: str, expires: datetime | None = None) -> LiveCredential:
    return LiveCredential(text, lambda: Secret(text), verifier=sha256(text.encode()).digest(), expires=expires)


PARTNER = Partner(
    mailbox=UUID("0b9d2a54-93a5-4c52-8f0f-51a5c1d3a7e2"),
    key=Key.parse("accounts.acme.mailboxes.orders"),
    settings={"authorized_keys": [LINE]},
    credentials={"password": (password("new"), password("old", NOW + timedelta(hours=1)))},
)
NAME = str(PARTNER.mailbox)


def given(text: str) -> PasswordProof:
    return PasswordProof.of(text.encode())


@pytest.mark.parametrize(
    ("name", "proof", "when", "admitted"),
    [
        (NAME, given("new"), NOW, True),
        (NAME, given("old"), NOW, True),
        (NAME, given("old"), NOW + timedelta(hours=2), False),
        (NAME, given("wrong"), NOW, False),
        (NAME, given(""), NOW, False),
        ("5f0c3f3e-6f7b-4d55-9a0e-0d1f7c1f8a11", given("new"), NOW, False),
        ("", given(""), NOW, False),
        (NAME, KeyProof(AuthorizedKey.parse(LINE).blob), NOW, True),
        (NAME, KeyProof(b"another"), NOW, False),
    ],
)
def test_a_proof_admits_or_not(name: str, proof: Proof, when: datetime, admitted: bool) -> None:
    assert (Logins([PARTNER]).judge(name, [proof], HOME, when) is Verdict.ADMITTED) is admitted


@pytest.mark.parametrize(("network", "admitted"), [("192.0.2.0/24", True), ("10.0.0.0/8", False), ("::/0", False)])
def test_networks_bound_every_kind_of_proof(network: str, admitted: bool) -> None:
    logins = Logins([replace(PARTNER, settings={**PARTNER.settings, "allow_from": [network]})])
    for proof in (given("new"), KeyProof(AuthorizedKey.parse(LINE).blob)):
        assert (logins.judge(NAME, [proof], HOME, NOW) is Verdict.ADMITTED) is admitted


def test_a_partner_without_a_password_has_no_password_that_fits() -> None:
    logins = Logins([replace(PARTNER, credentials={})])
    assert logins.judge(NAME, [given("")], HOME, NOW) is Verdict.REFUSED


def test_nobody_is_admitted_before_the_first_configuration() -> None:
    assert Logins().judge(NAME, [given("new")], HOME, NOW) is Verdict.REFUSED


@pytest.mark.parametrize(
    ("host", "address"),
    [("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("fe80::1%eth0", "fe80::1"), ("::1", "::1")],
)
def test_a_peer_has_one_address(host: str, address: str) -> None:
    assert peer_address(host) == ip_address(address)
