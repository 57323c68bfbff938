"""The `openssl` command opens what we send, and we open what it makes."""

import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from reconciler.protocols.as2.building import build_message
from reconciler.protocols.as2.mime import Entity
from reconciler.protocols.as2.ports import Post
from reconciler.protocols.as2.reception import Reception
from tests.conftest import require_program
from tests.contract.as2.as2_world import MemoryIntake, World

BINARY = b"UNA:+.? '\nUNB+UNOC:3\r\nFTX\rA\x00\xff\xfe--=_\r\n\r\n\n\r"
POST = Post(message_id="7@acme", payload=BINARY, file_name="ORDERS.edi", content_type="application/edifact")


def cms(openssl: str, folder: Path, *arguments: str, stdin: bytes) -> bytes:
    done = subprocess.run([openssl, "cms", *arguments], input=stdin, capture_output=True, cwd=folder, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


SIGNATURES = [
    *((digest, scheme) for digest in ("sha1", "sha256", "sha384", "sha512") for scheme in ("pkcs1", "pss")),
    *((digest, "ecdsa") for digest in ("sha256", "sha384", "sha512")),
    ("md5", "pkcs1"),
]
CIPHERS = ["aes128-cbc", "aes192-cbc", "aes256-cbc", "aes128-gcm", "aes192-gcm", "aes256-gcm", "tripledes-192-cbc"]
TRANSPORTS = ["pkcs1", "oaep-sha1", "oaep-sha256", "oaep-sha384", "oaep-sha512"]
PAIRS = [
    (*signature, cipher, TRANSPORTS[number % len(TRANSPORTS)])
    for number, (signature, cipher) in enumerate(product(SIGNATURES, CIPHERS))
]


@pytest.fixture(scope="session")
def curved(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return a world in which ACME and GLOBEX also have elliptic-curve keys, called acme-ec and globex-ec."""
    world = World(tmp_path_factory.mktemp("curved"))
    for name in ("acme-ec", "globex-ec"):
        new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}")
        files = ("-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "1")
        subprocess.run(
            [require_program("openssl", package="openssl"), *new, *files],
            cwd=world.folder,
            check=True,
            capture_output=True,
        )
    return world


@pytest.mark.parametrize(("digest", "signature", "cipher", "transport"), PAIRS)
def test_openssl_decrypts_and_verifies_what_we_send(
    openssl: str, curved: World, digest: str, signature: str, cipher: str, transport: str
) -> None:
    settings = {"signing": digest, "signature": signature, "encryption": cipher, "key_transport": transport}
    message = build_message(curved.relation(settings=settings), POST, now=datetime.now(UTC))
    key = ("-recip", "globex.pem", "-inkey", "globex.key")
    signed = cms(openssl, curved.folder, "-decrypt", "-binary", "-inform", "DER", *key, stdin=bytes(message.body))
    content, signed_by = Entity.parse(signed).parts()
    (curved.folder / "content").write_bytes(content.raw)
    # Given apart, since the command's own reader of multipart messages rewrites binary content.
    signer = "acme-ec.pem" if signature == "ecdsa" else "acme.pem"
    apart = ("-verify", "-binary", "-inform", "DER", "-content", "content", "-CAfile", signer)
    assert cms(openssl, curved.folder, *apart, stdin=bytes(signed_by.decoded())) == content.raw
    assert content.body == BINARY


@pytest.mark.parametrize(("digest", "signature", "cipher", "transport"), PAIRS)
def test_we_open_what_openssl_makes(
    openssl: str, curved: World, digest: str, signature: str, cipher: str, transport: str
) -> None:
    signer = "globex-ec" if signature == "ecdsa" else "globex"
    sign = ["-sign", "-binary", "-md", digest, "-signer", f"{signer}.pem", "-inkey", f"{signer}.key"]
    sign += ["-keyopt", "rsa_padding_mode:pss"] if signature == "pss" else []
    name = cipher.replace("tripledes-192-cbc", "des3").replace("aes", "aes-")
    encrypt = ["-encrypt", "-binary", "-outform", "DER", f"-{name}", "-recip", "acme.pem"]
    if transport != "pkcs1":
        encrypt += ["-keyopt", "rsa_padding_mode:oaep", "-keyopt", f"rsa_oaep_md:{transport[5:]}"]
    entity = Entity.of([("Content-Type", "application/edifact"), ("Content-Transfer-Encoding", "binary")], BINARY)
    signed = cms(openssl, curved.folder, *sign, stdin=bytes(entity.raw))
    encrypted = cms(openssl, curved.folder, *encrypt, stdin=signed)
    message = Entity.of([("Content-Type", "application/pkcs7-mime; smime-type=enveloped-data")], encrypted)
    intake = received(curved, message, signer_file=signer, encryption=cipher, signing=digest)
    assert intake.received[0].payload == BINARY


def test_openssl_reads_our_multipart_messages(openssl: str, world: World) -> None:
    text = replace(POST, payload=b"UNB+UNOC:3'\r\nUNZ+1'\r\n")
    message = build_message(world.relation(settings={"encryption": "none"}), text, now=datetime.now(UTC))
    content = cms(openssl, world.folder, "-verify", "-CAfile", "acme.pem", stdin=bytes(message.raw))
    assert Entity.parse(content).body == text.payload


def received(world: World, entity: Entity, *, signer_file: str = "globex", **settings: Any) -> MemoryIntake:  # noqa: ANN401 - any setting
    """Have ACME take an entity from GLOBEX, whose certificate is in the file of a name."""
    intake = MemoryIntake()
    reception = Reception(intake, world.content, limit=10**6)
    reception.configure([world.partner(reach=world.declared(signer_file), **settings)])
    headers = [
        *((name, " ".join(value.split())) for name, value in entity.headers.items()),
        ("AS2-From", "GLOBEX"),
        ("AS2-To", "ACME"),
        ("Message-ID", "<7@globex>"),
        ("Disposition-Notification-To", "globex"),
    ]
    answer = reception.take(None, headers, entity.body)
    assert b"automatically; processed\r\n" in answer.body, answer.body
    return intake


SIGN = ("-sign", "-signer", "globex.pem", "-inkey", "globex.key")
ENCRYPT = ("-encrypt", "-binary", "-outform", "DER")


@pytest.mark.parametrize(
    ("sign", "encrypt"),
    [
        (("-md", "sha256", "-binary"), ("-aes256", "-recip", "acme.pem")),
        (("-md", "sha384", "-binary"), ("-aes192", "-recip", "acme.pem")),
        (("-md", "sha512", "-binary", "-keyid"), ("-aes128", "-keyid", "-recip", "acme.pem")),
        (("-md", "sha256", "-binary", "-noattr"), ("-aes256", "-stream", "-recip", "acme.pem")),
        (("-md", "sha256", "-binary", "-nodetach"), ("-aes256", "-recip", "globex.pem", "-recip", "acme.pem")),
        (
            ("-md", "sha256", "-binary", "-keyopt", "rsa_padding_mode:pss"),
            ("-aes256", "-recip", "acme.pem", "-keyopt", "rsa_padding_mode:oaep"),
        ),
        (
            ("-md", "sha256", "-binary", "-signer", "mallory.pem", "-inkey", "mallory.key"),
            ("-aes256", "-recip", "acme.pem", "-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256"),
        ),
    ],
)
def test_we_open_what_openssl_signs_and_encrypts(
    openssl: str, world: World, sign: tuple[str, ...], encrypt: tuple[str, ...]
) -> None:
    entity = Entity.of([("Content-Type", "application/edifact"), ("Content-Transfer-Encoding", "binary")], BINARY)
    signed = cms(openssl, world.folder, *SIGN, *sign, stdin=bytes(entity.raw))
    encrypted = cms(openssl, world.folder, *ENCRYPT, *encrypt, stdin=signed)
    message = Entity.of([("Content-Type", "application/pkcs7-mime; smime-type=enveloped-data")], encrypted)
    assert received(world, message).received[0].payload == BINARY


def test_text_that_openssl_made_canonical_verifies(openssl: str, world: World) -> None:
    text = b"Content-Type: text/plain\n\nline one\nline two\n"
    signed = cms(openssl, world.folder, *SIGN, "-md", "sha256", stdin=text)
    assert (
        bytes(received(world, Entity.parse(signed), encryption="none").received[0].payload).split() == text.split()[2:]
    )


def test_base64_on_the_wire_is_taken(openssl: str, world: World) -> None:
    entity = Entity.of([("Content-Type", "application/edifact")], BINARY)
    signed = cms(openssl, world.folder, *SIGN, "-md", "sha256", "-binary", stdin=bytes(entity.raw))
    encrypted = cms(openssl, world.folder, "-encrypt", "-binary", "-aes256", "-recip", "acme.pem", stdin=signed)
    assert received(world, Entity.parse(encrypted)).received[0].payload == BINARY


def test_a_partner_may_sign_with_an_elliptic_curve(openssl: str, tmp_path: Path) -> None:
    world = World(tmp_path)
    new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=curve")
    files = ("-keyout", "globex.key", "-out", "globex.pem", "-days", "1")
    subprocess.run([openssl, *new, *files], cwd=tmp_path, check=True, capture_output=True)
    signed = cms(openssl, tmp_path, *SIGN, "-md", "sha256", "-binary", stdin=b"Content-Type: text/x\r\n\r\nUNB")
    encrypted = cms(openssl, tmp_path, *ENCRYPT, "-aes256", "-recip", "acme.pem", stdin=signed)
    message = Entity.of([("Content-Type", "application/x-pkcs7-mime")], encrypted)
    assert received(world, message).received[0].payload == b"UNB"
