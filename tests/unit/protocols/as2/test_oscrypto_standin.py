import re
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import pkcs12

from reconciler.protocols.as2 import oscrypto_standin as standin
from tests.contract.as2.as2_world import World


@pytest.fixture(scope="module")
def certificate(world: World) -> standin.Certificate:
    return standin.load_certificate((world.folder / "acme.pem").read_bytes())


@pytest.fixture(scope="module")
def key(world: World) -> standin.PrivateKey:
    return standin.load_private_key((world.folder / "acme.key").read_bytes())


def test_every_name_that_the_library_uses_is_there() -> None:
    library = sys.modules["pyas2lib.cms"]
    source = "".join(Path(str(sys.modules[name].__file__)).read_text() for name in ("pyas2lib.cms", "pyas2lib.as2"))
    for module in ("asymmetric", "symmetric", "util"):
        used = set(re.findall(rf"\b{module}\.(\w+)", source))
        assert used
        assert used <= set(vars(getattr(library, module)))


def test_keys_are_transported(certificate: standin.Certificate, key: standin.PrivateKey) -> None:
    assert standin.rsa_pkcs1v15_decrypt(key, standin.rsa_pkcs1v15_encrypt(certificate, b"key")) == b"key"
    assert standin.rsa_oaep_decrypt(key, standin.rsa_oaep_encrypt(certificate, b"key")) == b"key"


@pytest.mark.parametrize("digest", ["sha1", "sha224", "sha256", "sha384", "sha512"])
def test_signatures_hold_for_what_was_signed_only(
    certificate: standin.Certificate, key: standin.PrivateKey, digest: str
) -> None:
    plain = standin.rsa_pkcs1v15_sign(key, b"data", digest)
    salted = standin.rsa_pss_sign(key, b"data", digest)
    standin.rsa_pkcs1v15_verify(certificate, plain, b"data", digest)
    standin.rsa_pss_verify(certificate, salted, b"data", digest)
    with pytest.raises(InvalidSignature):
        standin.rsa_pkcs1v15_verify(certificate, plain, b"Data", digest)
    with pytest.raises(InvalidSignature):
        standin.rsa_pss_verify(certificate, salted, b"Data", digest)


def test_ciphers_decrypt_what_they_encrypt() -> None:
    for size in (16, 24, 32):
        iv, ciphertext = standin.aes_cbc_pkcs7_encrypt(b"k" * size, b"data", None)
        assert standin.aes_cbc_pkcs7_decrypt(b"k" * size, ciphertext, iv) == b"data"
    iv, ciphertext = standin.tripledes_cbc_pkcs5_encrypt(bytes(range(24)), b"data", None)
    assert standin.tripledes_cbc_pkcs5_decrypt(bytes(range(24)), ciphertext, iv) == b"data"


def test_weak_ciphers_are_refused() -> None:
    for name in ("rc2_cbc_pkcs5_encrypt", "rc2_cbc_pkcs5_decrypt", "rc4_encrypt", "rc4_decrypt"):
        with pytest.raises(ValueError, match="not offered"):
            vars(sys.modules["oscrypto.symmetric"])[name](b"key", b"data", None)


def test_a_pkcs12_file_is_read_with_its_password_only(world: World) -> None:
    key = serialization.load_pem_private_key((world.folder / "acme.key").read_bytes(), None)
    certificate = x509.load_pem_x509_certificate((world.folder / "acme.pem").read_bytes())
    assert isinstance(key, RSAPrivateKey)
    protection = serialization.BestAvailableEncryption(b"secret")
    file = pkcs12.serialize_key_and_certificates(b"acme", key, certificate, None, protection)
    read_key, read_certificate, others = standin.load_pkcs12(file, "secret")
    assert read_key is not None
    assert read_certificate is not None
    assert (read_certificate.certificate, others) == (certificate, [])
    with pytest.raises(ValueError, match=r"^Password provided is invalid$"):
        standin.load_pkcs12(file, "wrong")
    with pytest.raises(ValueError, match="PKCS12"):
        standin.load_pkcs12(b"-----BEGIN", None)


def test_what_is_no_key_and_no_certificate_raises_as_the_library_expects() -> None:
    with pytest.raises(ValueError, match=r"."):
        standin.load_certificate(b"nothing")
    with pytest.raises(OSError, match="cannot be read"):
        standin.load_private_key(b"nothing")


def test_keys_are_not_printed(key: standin.PrivateKey) -> None:
    assert repr(key) == "PrivateKey()"
