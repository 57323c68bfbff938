"""Opening AS2 messages: the payload stays byte for byte as it is."""

import base64
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import new as new_hash

from reconciler.protocols.as2 import cms, smime
from reconciler.protocols.as2.der import Bytes
from reconciler.protocols.as2.disposition import Disposition, RefusedMessageError
from reconciler.protocols.as2.mime import Entity
from reconciler.protocols.as2.relation import Relation

RATIO = 250
"""How many times its size compressed content may inflate to; deflate itself can reach a thousand."""

_SEVERAL = frozenset({"multipart/related", "multipart/mixed"})
_SMALL = 1 << 20
"""Bytes up to which a payload is copied out of the message rather than keeping all of that in memory."""


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """A file of a message; `name` as the sender gives it, None without any."""

    name: str | None
    content_type: str
    payload: Bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Opened:
    """What a message holds: one file or, by RFC 6362, several. `mic` is base64 of the digest `digest`."""

    files: tuple[OpenedFile, ...]
    mic: str
    digest: str


def mic(content: Bytes, digest: str) -> str:
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
    if settings.demands_encryption and not opening.ciphers:
        raise RefusedMessageError(Disposition.INSUFFICIENT_SECURITY, "messages have to be encrypted")
    if settings.demands_signature and opening.digest is None:
        raise RefusedMessageError(Disposition.INSUFFICIENT_SECURITY, "messages have to be signed")
    checked = opening.entity.body if relation.has("mic-without-headers") else opening.checked
    digest = opening.digest or digest
    return Opened(_files(opening.entity), mic(checked, digest), digest)


def _files(entity: Entity) -> tuple[OpenedFile, ...]:
    try:
        parts = entity.parts() if entity.content_type in _SEVERAL else (entity,)
        return tuple(map(_file, parts))
    except ValueError as error:
        raise RefusedMessageError(Disposition.UNEXPECTED, str(error)) from error


def _file(part: Entity) -> OpenedFile:
    if part.content_type.startswith("multipart/"):
        raise ValueError("a message holds one file, or several in one multipart")
    payload = part.decoded()
    content_type = str(part.headers.get("Content-Type", "application/octet-stream"))
    return OpenedFile(part.file_name, content_type, payload if len(payload) > _SMALL else bytes(payload))


@dataclass(slots=True)
class _Opening:
    """A message while it is unwrapped; `checked` are the bytes that the MIC covers (RFC 4130 7.3.1, RFC 5402 4)."""

    relation: Relation
    now: datetime
    limit: int
    entity: Entity
    checked: Bytes
    ciphers: frozenset[str] = frozenset()
    digest: str | None = None
    inflated: bool = False

    def step(self) -> bool:
        """Take one wrapping off; say whether there was one."""
        if self.entity.content_type == "multipart/signed" and self.digest is None:
            inner, signed = smime.signed_part(
                self.entity,
                by=self.relation.certificates_to_verify(self.now),
                now=self.now,
                digests=self.relation.digests,
                canonical=self.relation.has("canonical-line-ends"),
                missing_line_end=self.relation.has("missing-line-end"),
            )
            self._trust(inner, signed)
            return True
        if self.entity.content_type not in smime.PKCS7_MIME:
            return False
        try:
            content = smime.structure(self.entity)
        except ValueError as error:
            raise RefusedMessageError(Disposition.DECRYPTION_FAILED, str(error)) from error
        match cms.kind(content):
            case "enveloped_data" if not self.ciphers and self.digest is None:
                self._decrypt(content)
            case "compressed_data" if not self.inflated:
                self._inflate(content)
            case "signed_data" if self.digest is None:
                by = self.relation.certificates_to_verify(self.now)
                signed = cms.verify(None, content, by=by, now=self.now, digests=self.relation.digests)
                self._trust(Entity.parse(signed.content), signed)
            case _:
                raise RefusedMessageError(Disposition.UNEXPECTED, "the message is wrapped in an unknown way")
        return True

    def _decrypt(self, content: Bytes) -> None:
        inner, cipher = cms.decrypt(content, self.relation.identities)
        if cipher not in self.relation.ciphers:
            raise RefusedMessageError(Disposition.INSUFFICIENT_SECURITY, "the cipher is not accepted")
        self.entity, self.checked, self.ciphers = Entity.parse(inner), inner, frozenset({cipher})
        if not self.entity.has_headers and bytes(inner[:2]) != b"\r\n":
            # What another key decrypts to is noise; it says so in the words of every other failure to decrypt.
            raise RefusedMessageError(
                Disposition.DECRYPTION_FAILED, "the message cannot be decrypted with our certificate"
            )

    def _inflate(self, content: Bytes) -> None:
        inner = cms.inflate(content, self.limit, RATIO)
        self.inflated = True
        self.entity = Entity.parse(inner)
        if self.digest is None:
            unlike, usual = self.relation.has("mic-over-compressed"), True
        else:
            unlike, usual = self.relation.has("mic-over-uncompressed"), False
        if usual != unlike:
            self.checked = inner

    def _trust(self, content: Entity, signed: cms.Signed) -> None:
        self.entity, self.checked, self.digest = content, signed.content, signed.digest
