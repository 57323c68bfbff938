"""What happens to one HTTP post: identify, open, commit, answer. Knows no socket and no web framework."""

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from reconciler.errors import RefusedError
from reconciler.model.source_file import ContentReader
from reconciler.protocols.as2.algorithms import HASHES, MIC_DIGESTS
from reconciler.protocols.as2.as2_name import unquoted
from reconciler.protocols.as2.cms import Identity
from reconciler.protocols.as2.der import Bytes
from reconciler.protocols.as2.disposition import Disposition, RefusedMessageError
from reconciler.protocols.as2.mdn import check_mdn, is_mdn, original_message_id
from reconciler.protocols.as2.mdn_answer import MdnRequest, build_mdn
from reconciler.protocols.as2.message import Opened, open_message
from reconciler.protocols.as2.mime import Entity, safe_name
from reconciler.protocols.as2.ports import Answer, Attachment, Incoming, Intake, Outcome, Received
from reconciler.protocols.as2.relation import Relation, RelationError
from reconciler.protocols.protocol import Partner

FORBIDDEN = Answer(403, {}, b"")
"""Given to whoever is not a partner of an enabled integration, without telling which of the two it is."""

_LONGEST_MESSAGE_ID = 998
_SECRET = frozenset({"authorization", "proxy-authorization", "cookie"})
_log = logging.getLogger(__name__)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class _Message:
    """A message of a known partner, with the MDN that it asks for."""

    relation: Relation
    entity: Entity
    request: MdnRequest
    message_id: str
    started_at: datetime

    def mdn(self, disposition: Disposition, opened: Opened | None, text: str = "") -> Answer:
        """Return the MDN for this message."""
        return build_mdn(
            self.request,
            disposition,
            as2_from=self.relation.self_id,
            as2_to=self.relation.recipient.id,
            message_id=_written_message_id(self.entity),
            opened=opened,
            identity=_signer(self.relation, self.started_at),
            now=self.started_at,
            text=text,
        )

    def noted(self, outcome: Outcome, mdn: Answer, reason: str = "") -> Incoming:
        """Return what is kept of a message that is not taken as new."""
        return _incoming(
            self.relation,
            self.entity,
            self.message_id,
            outcome,
            mdn,
            self.started_at,
            reason=reason,
            url=self.request.url,
        )

    def answer(self, mdn: Answer, *, accepted: bool) -> Answer:
        """Return the answer that carries an MDN, if the partner wants it in the answer."""
        if not self.request.wanted:
            return Answer(200 if accepted else 400, {}, b"")
        return mdn if self.request.url is None else Answer(200, {}, b"")


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
        self._own: dict[str, list[Relation]] = {}
        self._off: frozenset[tuple[str, str]] = frozenset()

    def configure(self, partners: Sequence[Partner], off: Collection[tuple[str, str]] = ()) -> None:
        """Receive for these partners and no others; `off` are the names, theirs and ours, of who is switched off."""
        relations = [Relation(partner, self._content) for partner in partners]
        self._off = frozenset(off)
        self._relations = {(relation.self_id, relation.recipient.id): relation for relation in relations}
        own: dict[str, list[Relation]] = {}
        for relation in relations:
            own.setdefault(relation.self_id, []).append(relation)
        self._own = own

    def refuses(self, mailbox: str | None, headers: Iterable[tuple[str, str]]) -> Answer | None:
        """Return the answer to a post that is nobody's, from its headers alone; None when its body is to be read."""
        entity = Entity.received(headers, b"")
        as2_from, as2_to = (unquoted(entity.headers.get(name)) for name in ("AS2-From", "AS2-To"))
        if as2_from is None or as2_to is None:
            return self._stranger(entity, None, "AS2-From or AS2-To is missing or is no AS2 name.")
        if self._relation(mailbox, as2_from, as2_to) is not None:
            return None
        own = next((each for each in self._own.get(as2_to, ()) if _is_of(each, mailbox)), None)
        if own is None or (as2_from, as2_to) in self._off:
            return FORBIDDEN
        return self._stranger(entity, own, "The sender is unknown.")

    def take(self, mailbox: str | None, headers: Iterable[tuple[str, str]], body: Bytes) -> Answer:
        """Take what was posted for everyone or, when the URL names one, for a mailbox (by UUID or key).

        Raises what the intake raises: nobody knows then what was committed, and the sender has to try again.
        """
        headers = list(headers)
        refusal = self.refuses(mailbox, headers)
        if refusal is not None:
            return refusal
        entity = Entity.received(headers, memoryview(body))
        as2_from, as2_to = (unquoted(entity.headers.get(name)) or "" for name in ("AS2-From", "AS2-To"))
        relation = self._relation(mailbox, as2_from, as2_to)
        if relation is None:
            return FORBIDDEN
        if is_mdn(entity):
            return self._settle(relation, entity)
        request = MdnRequest.of(entity, MIC_DIGESTS | (relation.digests & set(HASHES)))
        message = _Message(relation, entity, request, _message_id(entity), self._clock())
        try:
            return self._accept(mailbox, message)
        except (RefusedMessageError, RefusedError) as error:
            return self._refuse(message, error)

    def _refuse(self, message: _Message, refused: RefusedMessageError | RefusedError) -> Answer:
        _log.warning("message %r of %r was refused: %s", message.message_id, message.relation.recipient.id, refused)
        disposition = refused.disposition if isinstance(refused, RefusedMessageError) else Disposition.UNEXPECTED
        mdn = message.mdn(disposition, None, str(refused))
        try:
            self._intake.note(message.noted(Outcome.REFUSED, mdn, f"{disposition.value}: {refused}"))
        except Exception:
            if message.request.url is not None:
                raise  # the MDN would be posted for the record
            # A record that cannot be kept must not keep the partner from its answer.
            _log.exception("the refusal of message %r could not be recorded", message.message_id)
        return message.answer(mdn, accepted=False)

    def _relation(self, mailbox: str | None, as2_from: str, as2_to: str) -> Relation | None:
        relation = self._relations.get((as2_to, as2_from))
        return relation if relation is not None and _is_of(relation, mailbox) else None

    def _stranger(self, entity: Entity, own: Relation | None, text: str) -> Answer:
        """Return an MDN for whoever is no partner, in the answer only: nothing is posted to where strangers say."""
        request = MdnRequest.of(entity)
        if not request.wanted or request.url is not None:
            return FORBIDDEN if own is not None else Answer(400, {}, b"")
        now = self._clock()
        return build_mdn(
            request,
            Disposition.UNEXPECTED if own is None else Disposition.UNKNOWN_PARTNER,
            as2_from=unquoted(entity.headers.get("AS2-To")) or "unknown",
            as2_to=unquoted(entity.headers.get("AS2-From")) or "unknown",
            message_id=_written_message_id(entity),
            opened=None,
            identity=_signer(own, now) if own is not None else None,
            now=now,
            text=text,
        )

    def _accept(self, mailbox: str | None, message: _Message) -> Answer:
        relation, request = message.relation, message.request
        if not message.message_id:
            raise RefusedMessageError(Disposition.UNEXPECTED, "the message has no Message-ID")
        as2_from, as2_to = relation.recipient.id, relation.self_id
        stored = self._intake.stored_answer(as2_from=as2_from, as2_to=as2_to, message_id=message.message_id)
        if stored is not None:
            self._intake.note(message.noted(Outcome.COPY, stored))
            return message.answer(stored, accepted=True)
        request.check()
        received = self._read(message)
        if self._relation(mailbox, as2_from, as2_to) is None:
            # Turned off while the message was being opened.
            return FORBIDDEN
        committed = self._intake.receive(received)
        return message.answer(committed, accepted=True)

    def _read(self, message: _Message) -> Received:
        relation, digest = message.relation, message.request.digest or "sha256"
        try:
            opened = open_message(message.entity, relation, now=message.started_at, digest=digest, limit=self._limit)
            return _received(message, opened)
        except RefusedMessageError:
            raise
        except Exception as error:  # whatever fails, the partner must learn that the message was not taken
            _log.exception("message %r of %r failed", message.message_id, relation.recipient.id)
            raise RefusedMessageError(Disposition.UNEXPECTED, "") from error

    def _settle(self, relation: Relation, entity: Entity) -> Answer:
        now, accepted = self._clock(), Answer(200, {}, b"")
        message_id = original_message_id(entity) or ""
        expected = self._intake.expectation(message_id) if message_id else None
        if expected is None or expected.mailbox != relation.mailbox:
            _log.warning("an MDN of %r is about %r, for which none is expected", relation.recipient.id, message_id)
            self._intake.note(_incoming(relation, entity, message_id, Outcome.STRAY, accepted, now))
            return accepted
        verdict = check_mdn(
            expected,
            dict(entity.headers.items()),
            entity.body,
            relation.certificates_to_verify(now),
            now=now,
            digests=relation.digests,
            quirks=relation.settings.quirks,
        )
        _log.info("MDN for %r: %s, %s", message_id, verdict.outcome, verdict.reason)
        self._intake.settle(
            message_id, verdict, _incoming(relation, entity, message_id, Outcome.ACCEPTED, accepted, now)
        )
        return accepted


def _is_of(relation: Relation, mailbox: str | None) -> bool:
    """Say whether a URL is for a relation: that of its mailbox, by UUID or key, or one for everyone."""
    return mailbox in {None, str(relation.mailbox), relation.partner.key.name}


def _received(message: _Message, opened: Opened) -> Received:
    relation, entity = message.relation, message.entity
    subject = entity.text("Subject")
    first, *others = (
        Attachment(
            payload=file.payload,
            file_name=safe_name(file.name or "") or _nameless(message.message_id, number),
            content_type=file.content_type,
        )
        for number, file in enumerate(opened.files)
    )
    return Received(
        mailbox=relation.mailbox,
        as2_from=relation.recipient.id,
        as2_to=relation.self_id,
        message_id=message.message_id,
        outcome=Outcome.ACCEPTED,
        started_at=message.started_at,
        headers=_headers(entity),
        wire_size=len(entity.body),
        file_name=first.file_name,
        content_type=first.content_type,
        subject=subject,
        payload=first.payload,
        attachments=tuple(others),
        attributes={
            "AS2-From": relation.recipient.id,
            "AS2-To": relation.self_id,
            "Message-ID": message.message_id,
            "Subject": subject,
            "Content-Type": first.content_type,
        },
        mic=opened.mic,
        mic_algorithm=opened.digest,
        mdn=message.mdn(Disposition.PROCESSED, opened),
        async_mdn_url=message.request.url,
    )


def _nameless(message_id: str, number: int) -> str:
    """Return what a file is called whose sender gives it no name."""
    name = safe_name(message_id) or "message"
    return f"{name}.{number}" if number else name


def _incoming(
    relation: Relation,
    entity: Entity,
    message_id: str,
    outcome: Outcome,
    mdn: Answer,
    started_at: datetime,
    *,
    reason: str = "",
    url: str | None = None,
) -> Incoming:
    return Incoming(
        mailbox=relation.mailbox,
        as2_from=relation.recipient.id,
        as2_to=relation.self_id,
        message_id=message_id,
        outcome=outcome,
        reason=reason,
        started_at=started_at,
        headers=_headers(entity),
        wire_size=len(entity.body),
        mdn=mdn,
        async_mdn_url=url,
    )


def _headers(entity: Entity) -> dict[str, str]:
    """Return the headers that are kept; what authenticates somebody is not."""
    return {name: str(value) for name, value in entity.headers.items() if name.lower() not in _SECRET}


def _signer(relation: Relation, now: datetime) -> Identity | None:
    try:
        return relation.signer(now)
    except RelationError:
        return None


def _message_id(entity: Entity) -> str:
    return entity.text("Message-ID").strip("<>")[:_LONGEST_MESSAGE_ID]


def _written_message_id(entity: Entity) -> str:
    return str(entity.headers.get("Message-ID", "")).strip()[:_LONGEST_MESSAGE_ID]
