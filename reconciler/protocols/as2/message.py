"""AS2 messages: open one that was received, build one to send. Both leave the payload byte for byte as it is."""

import base64
import re
from dataclasses import dataclass, field
from datetime import datetime
from email.header import Header
from email.utils import format_datetime
from hashlib import new as new_hash
from typing import assert_never

from reconciler.protocols.as2 import cms, smime
from reconciler.protocols.as2.as2_name import quoted
from reconciler.protocols.as2.disposition import Disposition, RefusedMessageError
from reconciler.protocols.as2.mime import Entity, attachment
from reconciler.protocols.as2.ports import Expectation, Post
from reconciler.protocols.as2.relation import Relation

AS2_VERSION = "1.1"
"""Compression is understood (RFC 5402); none of the features that 1.2 announces in EDIINT-Features."""

CONTENT_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(; ?[\w.+-]+=([\w.+-]+|\"[^\"\\\r\n]*\"))*", re.ASCII)
_STRONG_CIPHERS = frozenset({"aes128-cbc", "aes192-cbc", "aes256-cbc"})


@dataclass(frozen=True, slots=True)
class Opened:
    """What a message holds. `content` is the file with its MIME headers; `mic` is base64 of the digest `digest`."""

    content: Entity
    payload: bytes = field(repr=False)
    mic: str
    digest: str


def mic(content: bytes, digest: str) -> str:
    """Return the message integrity check of some content, in base64."""
    return base64.b64encode(new_hash(digest, content).digest()).decode()


def open_message(entity: Entity, relation: Relation, *, now: datetime, digest: str, limit: int) -> Opened:
    """Decrypt, verify and inflate what a partner posted, in whatever order it was wrapped.

    `digest` is for the MIC of an unsigned message; a signed one has the digest of its signature (RFC 4130 section
    7.3.1). `limit` bounds what inflates, in bytes. Raises RefusedMessageError when the message is not what the
    settings demand.
    """
    opening = _Opening(relation, now, limit, entity, entity.body)
    while opening.step():
        pass
    settings = relation.settings
    if settings.encryption != "none" and not opening.ciphers:
        raise RefusedMessageError(Disposition.INSUFFICIENT_SECURITY, "messages have to be encrypted")
    if not opening.ciphers <= _STRONG_CIPHERS | {settings.encryption}:
        raise RefusedMessageError(Disposition.INSUFFICIENT_SECURITY, "the cipher is not accepted")
    if settings.signing != "none" and opening.digest is None:
        raise RefusedMessageError(Disposition.INSUFFICIENT_SECURITY, "messages have to be signed")
    if opening.entity.content_type.startswith("multipart/"):
        raise RefusedMessageError(Disposition.UNEXPECTED, "a message holds one file")
    try:
        payload = opening.entity.decoded()
    except ValueError as error:
        raise RefusedMessageError(Disposition.UNEXPECTED, str(error)) from error
    digest = opening.digest or digest
    return Opened(opening.entity, payload, mic(opening.checked, digest), digest)


@dataclass(slots=True)
class _Opening:
    """A message while it is unwrapped; `checked` are the bytes that the MIC covers (RFC 4130 7.3.1, RFC 5402 4)."""

    relation: Relation
    now: datetime
    limit: int
    entity: Entity
    checked: bytes
    ciphers: frozenset[str] = frozenset()
    digest: str | None = None
    inflated: bool = False

    def step(self) -> bool:
        """Take one wrapping off; say whether there was one."""
        if self.entity.content_type == "multipart/signed" and self.digest is None:
            self._trust(
                smime.signed_part(self.entity, by=self.relation.certificates, now=self.now, digests=self._digests())
            )
            return True
        if self.entity.content_type not in smime.PKCS7_MIME:
            return False
        try:
            content = self.entity.decoded()
        except ValueError as error:
            raise RefusedMessageError(Disposition.DECRYPTION_FAILED, str(error)) from error
        match cms.kind(content):
            case "enveloped_data" if not self.ciphers and self.digest is None:
                inner, cipher = cms.decrypt(content, self.relation.identities)
                self.ciphers = frozenset({cipher})
                self._unwrap(inner)
            case "compressed_data" if not self.inflated:
                self.inflated = True
                self._unwrap(cms.inflate(content, self.limit))
            case "signed_data" if self.digest is None:
                certificates = self.relation.certificates
                self._trust(cms.verify(None, content, by=certificates, now=self.now, digests=self._digests()))
            case _:
                raise RefusedMessageError(Disposition.UNEXPECTED, "the message is wrapped in an unknown way")
        return True

    def _digests(self) -> frozenset[str]:
        return cms.STRONG_DIGESTS | {self.relation.settings.signing}

    def _unwrap(self, inner: bytes) -> None:
        self.entity = Entity.parse(inner)
        if self.digest is None:
            self.checked = inner

    def _trust(self, signed: cms.Signed) -> None:
        self._unwrap(signed.content)
        self.digest = signed.digest


def build_message(relation: Relation, post: Post, *, now: datetime, async_mdn_url: str | None = None) -> Entity:
    """Return a file as the entity to post. Raises ValueError or RelationError when it cannot be built."""
    settings = relation.settings
    entity = _content(relation, post)
    if settings.signing != "none":
        entity = smime.sign(entity, relation.identities[0], settings.signing)
    if settings.encryption != "none":
        entity = smime.encrypt(entity, relation.certificate_to_encrypt(now), settings.encryption)
    subject = post.subject if post.subject.isascii() else Header(post.subject, "utf-8", maxlinelen=10**6).encode()
    headers = [
        *entity.headers.items(),
        ("MIME-Version", "1.0"),
        ("AS2-Version", AS2_VERSION),
        ("AS2-From", quoted(relation.self_id)),
        ("AS2-To", quoted(relation.recipient.id)),
        ("Message-ID", f"<{post.message_id}>"),
        ("Date", format_datetime(now)),
        ("Subject", subject),
        *_mdn_request(relation, async_mdn_url),
    ]
    return Entity.of(headers, entity.body)


def expectation(relation: Relation, post: Post) -> Expectation:
    """Return what the MDN of a post has to say. It is the same for every try, so it can be stored before the first."""
    settings = relation.settings
    digest = "sha256" if settings.signing == "none" else settings.signing
    entity = _content(relation, post) if settings.signing != "none" else _file(post)
    plain = settings.signing == "none" and settings.encryption == "none" and not settings.compression
    return Expectation(
        mailbox=relation.mailbox,
        message_id=post.message_id,
        mic=mic(post.payload if plain else entity.raw, digest),
        mic_algorithm=digest,
        signed=settings.signing != "none",
    )


def _content(relation: Relation, post: Post) -> Entity:
    return smime.compress(_file(post)) if relation.settings.compression else _file(post)


def _file(post: Post) -> Entity:
    if not CONTENT_TYPE.fullmatch(post.content_type):
        raise ValueError(f"{post.content_type!r} is no content type")
    return Entity.of(
        [
            ("Content-Type", post.content_type),
            # Anything else would invite a receiver to rewrite line ends.
            ("Content-Transfer-Encoding", "binary"),
            attachment(post.file_name),
        ],
        post.payload,
    )


def _mdn_request(relation: Relation, async_mdn_url: str | None) -> list[tuple[str, str]]:
    settings = relation.settings
    request = [("Disposition-Notification-To", quoted(relation.self_id))]
    if settings.signing != "none":
        options = (
            f"signed-receipt-protocol=required, pkcs7-signature; signed-receipt-micalg=required, {settings.signing}"
        )
        request.append(("Disposition-Notification-Options", options))
    match settings.mdn:
        case "none":
            return []
        case "sync":
            return request
        case "async":
            if async_mdn_url is None:
                raise ValueError("an asynchronous MDN needs the URL that it is sent to")
            return [*request, ("Receipt-Delivery-Option", async_mdn_url)]
        case _:
            assert_never(settings.mdn)
