"""How a partner's web server is recognised, and how it recognises us."""

import os
import secrets
import ssl
from datetime import datetime
from hashlib import sha256

from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from reconciler.protocols.as2.relation import Relation, RelationError
from reconciler.protocols.protocol import LiveCredential


class _PinnedSocket(ssl.SSLSocket):
    """A connection that ends with the handshake unless the server has a pinned certificate."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - the standard library's signature
        """Raise SSLCertVerificationError before anything is sent when the certificate is another one."""
        super().do_handshake(block)
        shown = sha256(self.getpeercert(binary_form=True) or b"").digest()
        context = self.context
        if not isinstance(context, _PinnedContext) or shown not in context.pins:
            raise ssl.SSLCertVerificationError("the server's certificate is none of the pinned ones")


class _PinnedContext(ssl.SSLContext):
    """Trusts a server by the SHA-256 of its certificate alone."""

    pins: frozenset[bytes] = frozenset()
    sslsocket_class = _PinnedSocket


def plain_context() -> ssl.SSLContext:
    """Return what a client is given that never speaks TLS: it trusts nobody."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def default_context() -> ssl.SSLContext:
    """Return how a server is recognised of which nothing is declared: by the system's authorities."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def server_context(relation: Relation, now: datetime) -> ssl.SSLContext:
    """Return how the partner's declaration says that its server is recognised. Raises RelationError."""
    declared = relation.recipient.tls
    if declared.pinned:
        context: ssl.SSLContext = _pinned(relation)
    elif declared.ca:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        for file in declared.ca:
            try:
                context.load_verify_locations(cadata=relation.file(file.sha256).decode("ascii"))
            except (ssl.SSLError, ValueError) as error:
                raise RelationError(f"{file.name} holds no certificates in PEM") from error
    else:
        context = default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    shown = relation.tls_client(now)
    if shown is not None:
        _show(context, shown)
    return context


def _pinned(relation: Relation) -> _PinnedContext:
    context = _PinnedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    # The handshake proves possession of the key; that the certificate is the declared one is checked right after it.
    context.verify_mode = ssl.CERT_NONE
    files = relation.recipient.tls.pinned
    context.pins = frozenset(
        sha256(relation.certificate(file.name, file.sha256).public_bytes(Encoding.DER)).digest() for file in files
    )
    return context


def _show(context: ssl.SSLContext, credential: LiveCredential) -> None:
    """Have a context show our certificate. The key passes through memory, encrypted, since OpenSSL reads files only."""
    password = secrets.token_bytes(24).hex().encode()
    key = load_pem_private_key(credential.reveal().reveal().encode(), None)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password))
    descriptor = os.memfd_create("tls-client")
    try:
        os.write(descriptor, private + credential.public.encode())
        context.load_cert_chain(f"/proc/self/fd/{descriptor}", password=password)
    finally:
        os.close(descriptor)
