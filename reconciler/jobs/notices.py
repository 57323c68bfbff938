"""The mails that tell people of what happened. Their Message-IDs are fixed here, before the first try."""

from collections.abc import Mapping
from datetime import datetime
from email.utils import make_msgid
from hashlib import sha256

from sqlalchemy import Connection

from reconciler.envelope.pipeline import Exchange
from reconciler.model.key import Key
from reconciler.model.noun import Json
from reconciler.store import digests, jobs, mails
from reconciler.store.conversions import Conversion
from reconciler.store.digests import Digest
from reconciler.store.envelopes import StoredEnvelope
from reconciler.store.mails import StoredMail, Template


def of_failure(tx: Connection, exchange: Exchange, record: Conversion) -> None:
    """Have a mailbox's notification address, if it has one, told of a failure, with others in one mail."""
    if exchange.notify_email is not None and digests.note(tx, record.mailbox, record.uuid):
        jobs.add(tx, "digest", record.mailbox)


def of_failures(tx: Connection, recipient: str, mailbox: str, digest: Digest) -> None:
    """Tell an address of the failures of an interval."""
    failures: list[Json] = [
        {
            "file": _one_line(record.file_name),
            "direction": record.direction.value,
            "rule": record.rule or "",
            "error": record.error,
            "code": record.error_code,
            "record": str(record.uuid),
            "at": f"{record.changed_at:%Y-%m-%d %H:%M:%S} UTC",
        }
        for record in digest.failures
    ]
    data: dict[str, Json] = {"mailbox": mailbox, "total": digest.total, "failures": failures}
    _send(tx, recipient, "failures", data)


def of_arrival(tx: Connection, email: str, mailbox: Key | None, envelope: StoredEnvelope, sender: str) -> None:
    """Tell an address that an envelope arrived which no rule takes."""
    data: dict[str, Json] = {
        "mailbox": str(mailbox or ""),
        "envelope": str(envelope.uuid),
        "subject": _one_line(envelope.subject),
        "sender": sender,
    }
    _send(tx, email, "arrival", data)


def of_ending(
    tx: Connection, exchange: Exchange, mailbox: Key | None, *, identity: str, whose: str, ends: datetime
) -> bool:
    """Tell a mailbox's notification address that a certificate ends, once for each identity; say whether it is new."""
    if exchange.notify_email is None:
        return False
    data: dict[str, Json] = {
        "mailbox": str(mailbox or ""),
        "whose": whose,
        "day": f"{ends:%Y-%m-%d}",
        "ends": f"{ends:%Y-%m-%d %H:%M} UTC",
    }
    message_id = f"<ending.{identity}@reconciler.invalid>"
    return _send(tx, exchange.notify_email, "ending", data, message_id=message_id)


def of_doubt(tx: Connection, exchange: Exchange, mailbox: Key | None, *, message_id: str, reason: str) -> bool:
    """Tell a mailbox's notification address, once for each message, that an MDN came which proves nothing."""
    if exchange.notify_email is None:
        return False
    data: dict[str, Json] = {"mailbox": str(mailbox or ""), "message": _one_line(message_id), "reason": reason}
    identity = sha256(message_id.encode()).hexdigest()[:40]
    return _send(tx, exchange.notify_email, "doubt", data, message_id=f"<doubt.{identity}@reconciler.invalid>")


def _one_line(text: str) -> str:
    """Return what partners wrote as one line: the subject of a mail ends at a line break."""
    return " ".join(text.split())


def _send(
    tx: Connection, recipient: str, template: Template, data: Mapping[str, Json], *, message_id: str | None = None
) -> bool:
    """Have a mail sent, unless one of its Message-ID was; say whether it will be."""
    message_id = message_id or make_msgid(domain="reconciler.invalid")
    is_new = mails.add(tx, StoredMail(message_id=message_id, recipient=recipient, template=template, data=data))
    if is_new:
        jobs.add(tx, "mail", message_id)
    return is_new
