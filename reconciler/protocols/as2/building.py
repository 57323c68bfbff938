"""Building AS2 messages, and what their MDNs will have to say."""

import re
from datetime import datetime
from email.header import Header
from email.utils import format_datetime
from hashlib import sha256
from typing import assert_never

from reconciler.protocols.as2 import smime
from reconciler.protocols.as2.as2_name import quoted
from reconciler.protocols.as2.der import Bytes
from reconciler.protocols.as2.message import mic
from reconciler.protocols.as2.mime import Entity, attachment, multipart
from reconciler.protocols.as2.ports import Expectation, Post
from reconciler.protocols.as2.relation import Relation

AS2_VERSION = "1.2"
"""Compression is understood (RFC 5402), and EDIINT-Features says what else (RFC 6017)."""

EDIINT_FEATURES = "multiple-attachments, AS2-Reliability"
"""Several files in a message (RFC 6362), and one Message-ID for every try of a message."""

CONTENT_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(; ?[\w.+-]+=([\w.+-]+|\"[^\"\\\r\n]*\"))*", re.ASCII)


def build_message(relation: Relation, post: Post, *, now: datetime, async_mdn_url: str | None = None) -> Entity:
    """Return a file as the entity to post. Raises ValueError or RelationError when it cannot be built."""
    settings = relation.settings
    entity = _content(relation, post)
    if settings.compression is True:
        entity = _wrapped(relation, smime.compress(entity))
    if settings.signing != "none":
        entity = smime.sign(
            entity,
            relation.signer(now),
            settings.signing,
            pss=settings.signature == "pss",
            opaque=relation.has("opaque-signature"),
            now=now,
        )
    if settings.compression == "after-signing":
        entity = _wrapped(relation, smime.compress(entity))
    if settings.encryption != "none":
        _, _, oaep = settings.key_transport.partition("oaep-")
        certificate = relation.certificate_to_encrypt(now)
        entity = _wrapped(relation, smime.encrypt(entity, certificate, settings.encryption, oaep=oaep or None))
    subject = post.subject if post.subject.isascii() else Header(post.subject, "utf-8", maxlinelen=10**6).encode()
    headers = [
        *entity.headers.items(),
        ("MIME-Version", "1.0"),
        ("AS2-Version", AS2_VERSION),
        ("EDIINT-Features", EDIINT_FEATURES),
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
    content = _content(relation, post)
    compressed = _wrapped(relation, smime.compress(content)).raw if settings.compression else content.raw
    others: list[Bytes] = []
    if settings.signing != "none":
        # What is signed is what is checked (RFC 4130 section 7.3.1, RFC 5402 section 4.1).
        checked = compressed if settings.compression is True else content.raw
    else:
        plain = settings.encryption == "none" and not settings.compression
        checked = content.body if plain else content.raw
    if relation.has("mic-over-compressed"):
        others.append(compressed)
    if relation.has("mic-over-uncompressed"):
        others.append(content.raw)
    if relation.has("mic-without-headers"):
        others.append(content.body)
    return Expectation(
        mailbox=relation.mailbox,
        message_id=post.message_id,
        mic=mic(checked, digest),
        mic_algorithm=digest,
        signed=settings.demands_signed_mdn,
        other_mics=frozenset(mic(other, digest) for other in others),
    )


def _content(relation: Relation, post: Post) -> Entity:
    files = [(post.file_name, post.content_type, post.payload)]
    files += [(each.file_name, each.content_type, each.payload) for each in post.attachments]
    entities = [_wrapped(relation, _file(*file)) for file in files]
    if len(entities) == 1:
        return entities[0]
    # The same for every try, since the MIC covers it.
    boundary = f"=_{sha256(post.message_id.encode()).hexdigest()[:48]}"
    kind = f'related; type="{post.content_type.partition(";")[0]}"'
    return multipart(kind, entities, boundary=boundary)


def _wrapped(relation: Relation, entity: Entity) -> Entity:
    return smime.as_base64(entity) if relation.has("base64") else entity


def _file(file_name: str, content_type: str, payload: Bytes) -> Entity:
    if not CONTENT_TYPE.fullmatch(content_type):
        raise ValueError(f"{content_type!r} is no content type")
    return Entity.of(
        [
            ("Content-Type", content_type),
            # Any other encoding but base64 would invite a receiver to rewrite line ends.
            ("Content-Transfer-Encoding", "binary"),
            attachment(file_name),
        ],
        payload,
    )


def _mdn_request(relation: Relation, async_mdn_url: str | None) -> list[tuple[str, str]]:
    settings = relation.settings
    request = [("Disposition-Notification-To", quoted(relation.self_id))]
    if settings.demands_signed_mdn:
        digest = "sha256" if settings.signing == "none" else settings.signing
        options = f"signed-receipt-protocol=required, pkcs7-signature; signed-receipt-micalg=required, {digest}"
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
