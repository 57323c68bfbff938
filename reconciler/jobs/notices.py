"""The mails that tell people of what happened. Their Message-IDs are fixed here, before the first try."""

from datetime import datetime
from email.utils import make_msgid

from sqlalchemy import Connection

from reconciler.envelope.pipeline import Exchange
from reconciler.model.key import Key
from reconciler.store import jobs, mails
from reconciler.store.conversions import Conversion
from reconciler.store.envelopes import StoredEnvelope
from reconciler.store.mails import StoredMail


def of_failure(tx: Connection, exchange: Exchange, mailbox: Key | None, record: Conversion) -> None:
    """Tell a mailbox's notification address, if it has one, that a conversion failed."""
    if exchange.notify_email is None:
        return
    _send(
        tx,
        exchange.notify_email,
        f"Conversion failed: {record.file_name}",
        f"Mailbox:   {mailbox or record.mailbox}\n"
        f"File:      {record.file_name}\n"
        f"Direction: {record.direction}\n"
        f"Rule:      {record.rule or 'none matched'}\n"
        f"Error:     {record.error} ({record.error_code})\n"
        f"Record:    {record.uuid}\n\n"
        "Mend the file or the rule, then run it again:\n"
        f"    reconciler log reprocess {record.uuid}\n",
    )


def of_arrival(tx: Connection, email: str, mailbox: Key | None, envelope: StoredEnvelope) -> None:
    """Tell an address that an envelope arrived which no rule takes."""
    _send(
        tx,
        email,
        f"Envelope received: {envelope.subject or envelope.uuid}",
        f"Mailbox:  {mailbox}\n"
        f"Envelope: {envelope.uuid}\n"
        f"Subject:  {envelope.subject}\n"
        f"Sender:   {envelope.sender}\n\n"
        "No rule takes envelopes of this template; it is kept in the mailbox:\n"
        f"    reconciler envelope show {envelope.uuid}\n",
    )


def of_ending(
    tx: Connection, exchange: Exchange, mailbox: Key | None, *, identity: str, whose: str, ends: datetime
) -> bool:
    """Tell a mailbox's notification address that a certificate ends, once for each identity; say whether it is new."""
    if exchange.notify_email is None:
        return False
    body = (
        f"Mailbox:     {mailbox}\n"
        f"Certificate: {whose}\n"
        f"Valid until: {ends:%Y-%m-%d %H:%M} UTC\n\n"
        "Nothing is exchanged with a certificate that is not valid any more. Declare the next one beside it in time:\n"
        "the partner's below recipient.certificates, our own by raising certificate_generation.\n"
    )
    subject = f"Certificate ends on {ends:%Y-%m-%d}: {mailbox}"
    return _send(tx, exchange.notify_email, subject, body, message_id=f"<ending.{identity}@reconciler.invalid>")


def _send(tx: Connection, recipient: str, subject: str, body: str, *, message_id: str | None = None) -> bool:
    """Have a mail sent, unless one of its Message-ID was; say whether it will be."""
    # One line, whatever the partner called the file: a header ends at a line break.
    subject = " ".join(subject.split())[:200]
    message_id = message_id or make_msgid(domain="reconciler.invalid")
    is_new = mails.add(tx, StoredMail(message_id=message_id, recipient=recipient, subject=subject, body=body))
    if is_new:
        jobs.add(tx, "mail", message_id)
    return is_new
