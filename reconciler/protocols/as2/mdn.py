"""Believing an MDN: what proves that a partner has what we sent (RFC 4130 section 7)."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from email.message import Message
from email.parser import HeaderParser

from cryptography import x509

from reconciler.protocols.as2 import cms, smime
from reconciler.protocols.as2.algorithms import STRONG_DIGESTS
from reconciler.protocols.as2.der import Bytes
from reconciler.protocols.as2.disposition import RefusedMessageError
from reconciler.protocols.as2.mime import Entity
from reconciler.protocols.as2.ports import Expectation, MdnOutcome, MdnVerdict

_LONGEST_REPORT = 64 * 1024
_REPORT = "message/disposition-notification"
_DISPOSITION = re.compile(r"[^;]*;\s*([a-z]+)\s*(?:/\s*([a-z]+)\b.*|[;.]?)", re.IGNORECASE | re.DOTALL)
_BLANK_BEFORE_COLON = re.compile(r"^([A-Za-z-]+)[ \t]+:", re.MULTILINE)
_NO_DIGEST_NAME = re.compile(r"[^a-z0-9].*", re.DOTALL)
_ONCE = ("Original-Message-ID", "Disposition", "Received-Content-MIC")


def is_mdn(entity: Entity) -> bool:
    """Say whether what was posted is an MDN, signed or not, rather than a message."""
    try:
        return _unsigned(entity) is not None
    except (ValueError, RefusedMessageError):
        return False


def original_message_id(entity: Entity) -> str | None:
    """Return which message an MDN claims to be about. Nothing is verified: use it to look up what is expected."""
    try:
        return _message_id(_fields(_unsigned(entity))["Original-Message-ID"])
    except (ValueError, RefusedMessageError):
        return None


def check_mdn(
    expected: Expectation,
    headers: Mapping[str, str],
    body: Bytes,
    certificates: Sequence[x509.Certificate],
    *,
    now: datetime,
    digests: frozenset[str] = STRONG_DIGESTS,
    quirks: Collection[str] = (),
) -> MdnVerdict:
    """Say what an MDN proves about a message.

    It is CONFIRMED only by a report that is signed, where a signature was asked for, by one of the partner's
    certificates, on a day on which that is valid, that names our message and states the MIC that we computed, by our
    algorithm, and that says `processed` or `processed/warning`. The report is read from the signed bytes alone.
    `digests` are those that its signature may have, beside that of the MIC.
    """
    entity = Entity.received(headers.items(), body)
    digests |= {expected.mic_algorithm}
    try:
        report = _signed(entity, certificates, now, digests, quirks) if _is_signed(entity) else None
        if report is None and expected.signed:
            return MdnVerdict(MdnOutcome.DOUBTFUL, "the MDN is not signed, or there is none", _stated(entity))
        return _judged(expected, _fields(report or _unsigned(entity)))
    except (ValueError, RefusedMessageError) as error:
        return MdnVerdict(MdnOutcome.DOUBTFUL, f"the MDN is not believed: {error}", _stated(entity))


def _judged(expected: Expectation, fields: Message) -> MdnVerdict:
    disposition = " ".join(str(fields["Disposition"] or "").split())
    if _message_id(fields["Original-Message-ID"]) != expected.message_id:
        return MdnVerdict(MdnOutcome.DOUBTFUL, "the MDN is about another message", disposition)
    found = _DISPOSITION.fullmatch(disposition)
    if found is None:
        return MdnVerdict(MdnOutcome.DOUBTFUL, "the MDN states no disposition", disposition)
    if found[1].lower() != "processed" or (found[2] or "warning").lower() != "warning":
        return MdnVerdict(MdnOutcome.REJECTED, f"the partner refused the message: {disposition}", disposition)
    value, _, algorithm = str(fields["Received-Content-MIC"] or "").partition(",")
    if not value.strip() or digest_name(algorithm) != expected.mic_algorithm:
        return MdnVerdict(MdnOutcome.DOUBTFUL, "the MDN has no MIC, or one of another algorithm", disposition)
    if "".join(value.split()).strip("\"'") not in expected.other_mics | {expected.mic}:
        return MdnVerdict(MdnOutcome.DOUBTFUL, "the MIC is not that of what we sent", disposition)
    return MdnVerdict(MdnOutcome.CONFIRMED, "the partner has what we sent", disposition)


def digest_name(text: str) -> str:
    """Return a digest by the name of the settings: `sha256` for `SHA-256`, `"sha_256"`, `rsa-sha256`, `sha256;`."""
    name = text.strip().strip("\"'").lower().removeprefix("rsa-").replace("-", "").replace("_", "")
    return _NO_DIGEST_NAME.sub("", name)


def _is_signed(entity: Entity) -> bool:
    return entity.content_type == "multipart/signed" or entity.content_type in smime.PKCS7_MIME


def _signed(
    entity: Entity,
    certificates: Sequence[x509.Certificate],
    now: datetime,
    digests: frozenset[str],
    quirks: Collection[str],
) -> Entity:
    """Return the signed entity. Raises RefusedMessageError and ValueError."""
    if entity.content_type == "multipart/signed":
        report, _ = smime.signed_part(
            entity,
            by=tuple(certificates),
            now=now,
            digests=digests,
            canonical="canonical-line-ends" in quirks,
            missing_line_end="missing-line-end" in quirks,
        )
        return report
    return Entity.parse(cms.verify(None, smime.structure(entity), by=certificates, now=now, digests=digests).content)


def _unsigned(entity: Entity) -> Entity:
    """Return the report inside an MDN whether or not its signature holds. Raises ValueError when there is none."""
    if entity.content_type == "multipart/signed":
        entity = entity.parts()[0]
    elif entity.content_type in smime.PKCS7_MIME:
        entity = Entity.parse(cms.signed_content(smime.structure(entity)))
    if entity.content_type != "multipart/report":
        raise ValueError("there is no report")
    return entity


def _fields(entity: Entity) -> Message:
    """Return the fields of the report. Raises ValueError unless there is one that does not contradict itself."""
    if entity.content_type != "multipart/report":
        raise ValueError("there is no report")
    reports = [part for part in entity.parts() if part.content_type == _REPORT]
    if len(reports) != 1:
        raise ValueError("there is not exactly one report")
    if len(reports[0].body) > _LONGEST_REPORT:
        raise ValueError("the report is too long")
    text = bytes(reports[0].decoded()).decode("latin-1").lstrip()
    # An empty line between the fields, or a blank before a colon, as some products write, would end them for the
    # parser.
    text = _BLANK_BEFORE_COLON.sub(r"\1:", re.sub(r"\r?\n(?:[ \t]*\r?\n)+", "\n", text))
    fields = HeaderParser().parsestr(text)
    for name in _ONCE:
        if len(fields.get_all(name, [])) > 1:
            raise ValueError(f"the report states {name} more than once")
    return fields


def _stated(entity: Entity) -> str:
    try:
        return " ".join(str(_fields(_unsigned(entity))["Disposition"] or "").split())
    except (ValueError, RefusedMessageError):
        return ""


def _message_id(value: str | None) -> str | None:
    return "".join(value.split()).strip("<>") if value else None
