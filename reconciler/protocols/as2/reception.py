"""What happens to one HTTP post: identify, open, commit, answer. Knows no socket and no web framework."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from reconciler.errors import RefusedError
from reconciler.model.source_file import ContentReader
from reconciler.protocols.as2.as2_name import unquoted
from reconciler.protocols.as2.cms import Identity
from reconciler.protocols.as2.disposition import Disposition, RefusedMessageError
from reconciler.protocols.as2.mdn import check_mdn, is_mdn, original_message_id
from reconciler.protocols.as2.mdn_answer import MdnRequest, build_mdn
from reconciler.protocols.as2.message import Opened, open_message
from reconciler.protocols.as2.mime import Entity, safe_name
from reconciler.protocols.as2.ports import Answer, Intake, Received
from reconciler.protocols.as2.relation import Relation, RelationError
from reconciler.protocols.protocol import Partner

FORBIDDEN = Answer(403, {}, b"")
"""Given to whoever is not a partner of an enabled integration, without telling which of the two it is."""

_LONGEST_MESSAGE_ID = 998
_log = logging.getLogger(__name__)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a post, and the MDN to post to `url` when the partner asked for an asynchronous one."""

    answer: Answer
    url: str | None = None
    mdn: Answer | None = None
    relation: Relation | None = None


@dataclass(frozen=True, slots=True)
class _Message:
    """A message of a known partner, with the MDN that it asks for."""

    relation: Relation
    entity: Entity
    request: MdnRequest
    message_id: str

    def mdn(self, disposition: Disposition, opened: Opened | None, now: datetime, text: str = "") -> Answer:
        """Return the MDN for this message."""
        return build_mdn(
            self.request,
            disposition,
            as2_from=self.relation.self_id,
            as2_to=self.relation.recipient.id,
            message_id=self.message_id,
            opened=opened,
            identity=self._identity(),
            now=now,
            text=text,
        )

    def _identity(self) -> Identity | None:
        try:
            return self.relation.identities[0]
        except RelationError:
            return None

    def reply(self, mdn: Answer, *, accepted: bool) -> Reply:
        """Return the reply that carries an MDN in the way that was asked for."""
        if not self.request.wanted:
            return Reply(Answer(200 if accepted else 400, {}, b""))
        if self.request.url is None:
            return Reply(mdn)
        return Reply(Answer(200, {}, b""), self.request.url, mdn, self.relation)


class Reception:
    """Receives for all configured partners. Thread-safe: the partners are replaced as a whole."""

    def __init__(
        self, intake: Intake, content: ContentReader, *, limit: int, clock: Callable[[], datetime] = _now
    ) -> None:
        self._intake = intake
        self._content = content
        self._limit = limit
        self._clock = clock
        self._relations: dict[tuple[str, str], Relation] = {}

    def configure(self, partners: Sequence[Partner]) -> None:
        """Receive for these partners and no others."""
        relations = [Relation(partner, self._content) for partner in partners]
        self._relations = {(relation.self_id, relation.recipient.id): relation for relation in relations}

    def take(self, mailbox: str | None, headers: Iterable[tuple[str, str]], body: bytes) -> Reply:
        """Take what was posted for everyone or, when the URL names one, for a mailbox (by UUID or key)."""
        entity = Entity.received(headers, body)
        as2_from, as2_to = (unquoted(entity.headers.get(name)) for name in ("AS2-From", "AS2-To"))
        if as2_from is None or as2_to is None:
            return self._nameless(entity)
        relation = self._relation(mailbox, as2_from, as2_to)
        if relation is None:
            return Reply(FORBIDDEN)
        if is_mdn(entity):
            return self._settle(relation, entity, body)
        message = _Message(relation, entity, MdnRequest.of(entity), _message_id(entity))
        try:
            return self._accept(mailbox, message)
        except (RefusedMessageError, RefusedError) as error:
            refused = error
        except Exception:  # noqa: BLE001 - whatever fails, the partner must learn that the message was not taken
            _log.exception("message %r of %r failed", message.message_id, as2_from)
            refused = RefusedMessageError(Disposition.UNEXPECTED, "")
        _log.warning("message %r of %r was refused: %s", message.message_id, as2_from, refused)
        disposition = refused.disposition if isinstance(refused, RefusedMessageError) else Disposition.UNEXPECTED
        return message.reply(message.mdn(disposition, None, self._clock(), str(refused)), accepted=False)

    def _relation(self, mailbox: str | None, as2_from: str, as2_to: str) -> Relation | None:
        relation = self._relations.get((as2_to, as2_from))
        if relation is not None and mailbox not in {None, str(relation.mailbox), relation.partner.key.name}:
            return None
        return relation

    def _nameless(self, entity: Entity) -> Reply:
        request = MdnRequest.of(entity)
        if not request.wanted or request.url is not None:
            return Reply(Answer(400, {}, b""))
        mdn = build_mdn(
            request,
            Disposition.UNEXPECTED,
            as2_from=unquoted(entity.headers.get("AS2-To")) or "unknown",
            as2_to=unquoted(entity.headers.get("AS2-From")) or "unknown",
            message_id=_message_id(entity),
            opened=None,
            identity=None,
            now=self._clock(),
            text="AS2-From or AS2-To is missing or is no AS2 name.",
        )
        return Reply(mdn)

    def _accept(self, mailbox: str | None, message: _Message) -> Reply:
        relation, request, now = message.relation, message.request, self._clock()
        if not message.message_id:
            raise RefusedMessageError(Disposition.UNEXPECTED, "the message has no Message-ID")
        as2_from, as2_to = relation.recipient.id, relation.self_id
        stored = self._intake.stored_answer(as2_from=as2_from, as2_to=as2_to, message_id=message.message_id)
        if stored is not None:
            return message.reply(stored, accepted=True)
        request.check()
        opened = open_message(message.entity, relation, now=now, digest=request.digest or "sha256", limit=self._limit)
        if self._relation(mailbox, as2_from, as2_to) is None:
            # Turned off while the message was being opened.
            return Reply(FORBIDDEN)
        subject = message.entity.text("Subject")
        content_type = str(opened.content.headers.get("Content-Type", "application/octet-stream"))
        committed = self._intake.receive(
            Received(
                mailbox=relation.mailbox,
                as2_from=as2_from,
                as2_to=as2_to,
                message_id=message.message_id,
                file_name=safe_name(opened.content.file_name or "") or safe_name(message.message_id) or "message",
                content_type=content_type,
                subject=subject,
                payload=opened.payload,
                attributes={
                    "AS2-From": as2_from,
                    "AS2-To": as2_to,
                    "Message-ID": message.message_id,
                    "Subject": subject,
                    "Content-Type": content_type,
                },
                mic=opened.mic,
                mic_algorithm=opened.digest,
                mdn=message.mdn(Disposition.PROCESSED, opened, now),
                async_mdn_url=request.url,
            )
        )
        return message.reply(committed, accepted=True)

    def _settle(self, relation: Relation, entity: Entity, body: bytes) -> Reply:
        message_id = original_message_id(entity)
        expected = self._intake.expectation(message_id) if message_id else None
        if message_id is None or expected is None or expected.mailbox != relation.mailbox:
            _log.warning("an MDN of %r is about %r, for which none is expected", relation.recipient.id, message_id)
            return Reply(Answer(200, {}, b""))
        headers = dict(entity.headers.items())
        verdict = check_mdn(expected, headers, body, relation.certificates, now=self._clock())
        _log.info("MDN for %r: %s, %s", message_id, verdict.outcome, verdict.reason)
        self._intake.settle(message_id, verdict)
        return Reply(Answer(200, {}, b""))


def _message_id(entity: Entity) -> str:
    return entity.text("Message-ID").strip("<>")[:_LONGEST_MESSAGE_ID]
