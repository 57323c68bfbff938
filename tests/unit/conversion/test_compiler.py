"""What the configuration's loader is told of templates, dictionaries, certificates and name patterns."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from reconciler.conversion.compiler import ContentCompiler
from reconciler.desired.codes import Code
from reconciler.desired.compiler import Compiler, Fault
from reconciler.model.source_file import SourceFile, digest
from reconciler.model.template_ref import TemplateRef

REF = TemplateRef(uuid=UUID(int=1), version=UUID(int=2))
PARTS = '<documents/><roles><role id="seller" type="sender"/></roles>'
NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def compiler() -> Iterator[ContentCompiler]:
    with ContentCompiler(now=lambda: NOW) as compiler:
        yield compiler


def certificate(
    until: datetime, key: rsa.RSAPrivateKey | None = None, *, name: str = "GLOBEX", issuer: str | None = None
) -> tuple[bytes, bytes]:
    signer = key or ec.generate_private_key(ec.SECP256R1())
    made = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(issuer or name))
        .public_key(signer.public_key())
        .serial_number(1)
        .not_valid_before(until - timedelta(days=30))
        .not_valid_after(until)
        .sign(signer, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem = signer.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    return made.public_bytes(serialization.Encoding.PEM), pem


def named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def checked(compiler: Compiler, kind: str, content: bytes) -> list[Fault]:
    file = SourceFile(name=f"a.{kind}", sha256=digest(content))
    contents = {file.sha256: content}
    match kind:
        case "template":
            return list(compiler.template(file, contents.__getitem__, REF))
        case "dictionary":
            return list(compiler.dictionary(file, contents.__getitem__))
        case "certificate":
            return list(compiler.certificate(file, contents.__getitem__))
        case _:
            raise AssertionError(kind)


def test_a_template_s_fault_has_its_line(compiler: ContentCompiler) -> None:
    (fault,) = checked(compiler, "template", b"<template>\n<a")
    assert fault.line == 2


def test_a_dictionary_s_faults_have_their_lines(compiler: ContentCompiler) -> None:
    assert [fault.line for fault in checked(compiler, "dictionary", b"record,a\nx,1\ny,2\n")] == [2, 3]
    assert not checked(compiler, "dictionary", b"record,a\n00000000-0000-4000-8000-000000000001,1\n")


def test_a_certificate_is_readable_valid_and_without_its_key(compiler: ContentCompiler) -> None:
    valid, key = certificate(NOW + timedelta(days=31))
    expired, _ = certificate(NOW - timedelta(days=1))
    soon, _ = certificate(NOW + timedelta(days=29))
    assert not checked(compiler, "certificate", valid)
    (fault,) = checked(compiler, "certificate", valid + expired)
    assert fault.message == "the certificate of CN=GLOBEX expired on 2026-05-31"
    assert (fault.code, fault.is_warning) == (Code.CERTIFICATE_EXPIRED, True)
    (fault,) = checked(compiler, "certificate", soon)
    assert (fault.code, fault.is_warning) == (Code.CERTIFICATE_EXPIRES, True)
    der = x509.load_pem_x509_certificate(valid).public_bytes(serialization.Encoding.DER)
    assert not checked(compiler, "certificate", der)
    (fault,) = checked(compiler, "certificate", valid + key)
    assert "private key" in fault.message
    for content in (b"", b"no certificate", valid[:200]):
        (fault,) = checked(compiler, "certificate", content)
        assert fault.message.startswith("this is no certificate in PEM")


def test_a_chain_holds_together(compiler: ContentCompiler) -> None:
    """GLOBEX's certificate names the authority, but another key of that name signed it."""
    authority, _ = certificate(NOW + timedelta(days=90), name="Root")
    end, _ = certificate(NOW + timedelta(days=90), issuer="Root")
    (fault,) = checked(compiler, "certificate", end + authority)
    assert fault.message == "the certificate of CN=GLOBEX names CN=Root as its issuer, which did not sign it"
    assert not checked(compiler, "certificate", end)


def test_a_short_key_is_refused(compiler: ContentCompiler) -> None:
    weak, _ = certificate(NOW + timedelta(days=90), rsa.generate_private_key(public_exponent=65537, key_size=1024))
    (fault,) = checked(compiler, "certificate", weak)
    assert fault.message == "the key of CN=GLOBEX has 1024 bits; 2048 are the least that is safe"
    assert (fault.code, fault.is_warning) == (Code.WEAK_KEY, False)


def test_a_template_is_the_one_that_the_configuration_says(compiler: ContentCompiler) -> None:
    other = f'<template uuid="{REF.uuid}" version="{UUID(int=3)}">{PARTS}</template>'
    (fault,) = checked(compiler, "template", other.encode())
    assert fault.code is Code.TEMPLATE_IDENTITY
    assert fault.message == f"the version is {UUID(int=3)}, but the configuration says {REF.version}"
    assert not checked(compiler, "template", other.replace(str(UUID(int=3)), str(REF.version)).encode())


def test_a_name_pattern_is_checked_by_the_words_of_naming(compiler: ContentCompiler) -> None:
    assert not compiler.name_pattern("ORDER_{envelopeUuid}.xml")
    (fault,) = compiler.name_pattern("ORDER_{nothing}.xml")
    assert "nothing" in fault.message
    assert fault.column == 7


def test_the_examples_of_maps_are_no_templates(compiler: ContentCompiler) -> None:
    cases = Path(__file__).parents[2] / "cases" / "conversion" / "xslt"
    (fault, *_) = checked(compiler, "template", (cases / "parameters" / "map.xsl").read_bytes())
    assert fault.message


def test_the_fields_of_a_name_are_those_of_the_template(compiler: ContentCompiler) -> None:
    template = (
        b'<template uuid="00000000-0000-0000-0000-000000000001" version="00000000-0000-0000-0000-000000000002">'
        b'<documents><document id="d1"><field name="number"/><field name="scan" type="file"/>'
        b'<fieldgroup name="rows"><field name="product"/></fieldgroup></document></documents>'
        b'<roles><role id="seller" type="sender"/></roles></template>'
    )
    file = SourceFile(name="order.xml", sha256=digest(template))

    def faults(pattern: str) -> list[tuple[str, int | None]]:
        found = compiler.name_fields(pattern, file, {file.sha256: template}.__getitem__)
        return [(fault.message, fault.column) for fault in found]

    assert faults('{envelopeUuid}_{"d1":"number"}.xml') == []
    assert faults('INV_{"d1":"numbr"}.xml') == [
        ("the template has no field numbr of the document d1 that stands in no table", 5)
    ]
    assert [column for _, column in faults('{"d1":"rows"}{"d2":"number"}{"d1":"product"}')] == [1, 14, 29]
    assert "scan of the document d1 is a file; a name is made of" in faults('{"d1":"scan"}')[0][0]
    assert faults("{unknown}") == []
