"""A stand-in for oscrypto, as far as pyas2lib uses it, written on `cryptography`.

pyas2lib needs oscrypto, which is unmaintained and does not import where OpenSSL's patch version has two digits, such
as 3.0.10. Names and signatures are oscrypto's, since pyas2lib calls them. RC2, RC4 and DES are refused.
"""

import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import NoReturn

from asn1crypto import pem  # type: ignore[import-untyped]
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, CipherAlgorithm, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import pkcs12


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate and its ASN.1 structure, which pyas2lib copies into what it builds."""

    certificate: x509.Certificate
    asn1: asn1_x509.Certificate = field(repr=False)

    @property
    def public_key(self) -> rsa.RSAPublicKey:
        """The public key. Raises ValueError when it is no RSA key."""
        key = self.certificate.public_key()
        if not isinstance(key, rsa.RSAPublicKey):
            raise ValueError("the certificate has no RSA key")  # noqa: TRY004 - the key is at fault, not its type
        return key


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """An RSA private key."""

    key: rsa.RSAPrivateKey = field(repr=False)


def certificate_of(certificate: x509.Certificate) -> Certificate:
    """Return a certificate in the form that pyas2lib takes."""
    der = certificate.public_bytes(serialization.Encoding.DER)
    return Certificate(certificate, asn1_x509.Certificate.load(der))


def load_certificate(source: bytes) -> Certificate:
    """Read a certificate, PEM or DER. Raises ValueError when it is none."""
    load = x509.load_pem_x509_certificate if pem.detect(source) else x509.load_der_x509_certificate
    return certificate_of(load(source))


def load_private_key(source: bytes, password: str | bytes | None = None) -> PrivateKey:
    """Read an RSA private key, PEM or DER. Raises OSError when it cannot, as oscrypto does."""
    load = serialization.load_pem_private_key if pem.detect(source) else serialization.load_der_private_key
    try:
        key = load(source, _bytes(password))
    except (ValueError, TypeError) as error:
        raise OSError("the private key cannot be read") from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise OSError("the private key is no RSA key")
    return PrivateKey(key)


def load_pkcs12(
    source: bytes, password: str | bytes | None = None
) -> tuple[PrivateKey | None, Certificate | None, list[Certificate]]:
    """Read a PKCS #12 file: key, certificate, further certificates. Raises ValueError when it cannot."""
    try:
        key, certificate, others = pkcs12.load_key_and_certificates(source, _bytes(password))
    except ValueError as error:
        if "password" in str(error).lower():
            # pyas2lib tells a wrong password from a PEM file by this exact text.
            raise ValueError("Password provided is invalid") from error
        raise
    if key is not None and not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("the private key is no RSA key")
    return (
        PrivateKey(key) if key else None,
        certificate_of(certificate) if certificate else None,
        [certificate_of(other) for other in others],
    )


def rsa_pkcs1v15_encrypt(certificate: Certificate, data: bytes) -> bytes:
    """Encrypt for the holder of the certificate."""
    return certificate.public_key.encrypt(data, padding.PKCS1v15())


def rsa_pkcs1v15_decrypt(private_key: PrivateKey, ciphertext: bytes) -> bytes:
    """Decrypt what `rsa_pkcs1v15_encrypt` made."""
    return private_key.key.decrypt(ciphertext, padding.PKCS1v15())


def rsa_oaep_encrypt(certificate: Certificate, data: bytes) -> bytes:
    """Encrypt for the holder of the certificate."""
    return certificate.public_key.encrypt(data, _oaep())


def rsa_oaep_decrypt(private_key: PrivateKey, ciphertext: bytes) -> bytes:
    """Decrypt what `rsa_oaep_encrypt` made."""
    return private_key.key.decrypt(ciphertext, _oaep())


def rsa_pkcs1v15_sign(private_key: PrivateKey, data: bytes, hash_algorithm: str) -> bytes:
    """Sign."""
    return private_key.key.sign(data, padding.PKCS1v15(), _hash(hash_algorithm))


def rsa_pkcs1v15_verify(certificate: Certificate, signature: bytes, data: bytes, hash_algorithm: str) -> None:
    """Raise InvalidSignature unless the holder of the certificate signed the data."""
    certificate.public_key.verify(signature, data, padding.PKCS1v15(), _hash(hash_algorithm))


def rsa_pss_sign(private_key: PrivateKey, data: bytes, hash_algorithm: str) -> bytes:
    """Sign."""
    return private_key.key.sign(data, _pss(hash_algorithm), _hash(hash_algorithm))


def rsa_pss_verify(certificate: Certificate, signature: bytes, data: bytes, hash_algorithm: str) -> None:
    """Raise InvalidSignature unless the holder of the certificate signed the data."""
    certificate.public_key.verify(signature, data, _pss(hash_algorithm), _hash(hash_algorithm))


def aes_cbc_pkcs7_encrypt(key: bytes, data: bytes, iv: bytes | None) -> tuple[bytes, bytes]:
    """Return the initialisation vector and the ciphertext."""
    return _cbc_encrypt(AES(key), data, iv or secrets.token_bytes(16))


def aes_cbc_pkcs7_decrypt(key: bytes, data: bytes, iv: bytes) -> bytes:
    """Decrypt. Raises ValueError when the padding is wrong."""
    return _cbc_decrypt(AES(key), data, iv)


def tripledes_cbc_pkcs5_encrypt(key: bytes, data: bytes, iv: bytes | None) -> tuple[bytes, bytes]:
    """Return the initialisation vector and the ciphertext."""
    return _cbc_encrypt(TripleDES(key), data, iv or secrets.token_bytes(8))


def tripledes_cbc_pkcs5_decrypt(key: bytes, data: bytes, iv: bytes) -> bytes:
    """Decrypt. Raises ValueError when the padding is wrong."""
    return _cbc_decrypt(TripleDES(key), data, iv)


def rand_bytes(length: int) -> bytes:
    """Return random bytes fit for keys."""
    return secrets.token_bytes(length)


def _refuse(*_: object) -> NoReturn:
    raise ValueError("RC2, RC4 and DES are not offered")


def _bytes(password: str | bytes | None) -> bytes | None:
    return (password.encode() if isinstance(password, str) else password) or None


def _hash(name: str) -> hashes.HashAlgorithm:
    algorithms = (hashes.MD5, hashes.SHA1, hashes.SHA224, hashes.SHA256, hashes.SHA384, hashes.SHA512)
    for algorithm in algorithms:
        if algorithm.name == name:
            return algorithm()
    raise ValueError(f"the digest {name} is not offered")


def _oaep() -> padding.OAEP:
    return padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)  # noqa: S303 - the default of RFC 8017 A.2.1


def _pss(name: str) -> padding.PSS:
    return padding.PSS(padding.MGF1(_hash(name)), _hash(name).digest_size)


def _cbc_encrypt(cipher: CipherAlgorithm, data: bytes, iv: bytes) -> tuple[bytes, bytes]:
    padder = PKCS7(len(iv) * 8).padder()
    encryptor = Cipher(cipher, modes.CBC(iv)).encryptor()
    return iv, encryptor.update(padder.update(data) + padder.finalize()) + encryptor.finalize()


def _cbc_decrypt(cipher: CipherAlgorithm, data: bytes, iv: bytes) -> bytes:
    decryptor = Cipher(cipher, modes.CBC(iv)).decryptor()
    unpadder = PKCS7(len(iv) * 8).unpadder()
    return unpadder.update(decryptor.update(data) + decryptor.finalize()) + unpadder.finalize()


_ASYMMETRIC: tuple[Callable[..., object], ...] = (
    load_certificate,
    load_private_key,
    load_pkcs12,
    rsa_pkcs1v15_encrypt,
    rsa_pkcs1v15_decrypt,
    rsa_oaep_encrypt,
    rsa_oaep_decrypt,
    rsa_pkcs1v15_sign,
    rsa_pkcs1v15_verify,
    rsa_pss_sign,
    rsa_pss_verify,
)
_SYMMETRIC: tuple[Callable[..., object], ...] = (
    aes_cbc_pkcs7_encrypt,
    aes_cbc_pkcs7_decrypt,
    tripledes_cbc_pkcs5_encrypt,
    tripledes_cbc_pkcs5_decrypt,
)
_REFUSED = ("rc2_cbc_pkcs5_encrypt", "rc2_cbc_pkcs5_decrypt", "rc4_encrypt", "rc4_decrypt", "des_cbc_pkcs5_encrypt")


def install() -> None:
    """Put the stand-in where `import oscrypto` looks first. To be called before pyas2lib is imported."""
    package = ModuleType("oscrypto", __doc__)
    parts: dict[str, dict[str, Callable[..., object]]] = {
        "asymmetric": {function.__name__: function for function in _ASYMMETRIC},
        "symmetric": {function.__name__: function for function in _SYMMETRIC} | dict.fromkeys(_REFUSED, _refuse),
        "util": {rand_bytes.__name__: rand_bytes},
    }
    sys.modules["oscrypto"] = package
    for name, functions in parts.items():
        module = ModuleType(f"oscrypto.{name}")
        vars(module).update(functions)
        vars(package)[name] = module
        sys.modules[module.__name__] = module
