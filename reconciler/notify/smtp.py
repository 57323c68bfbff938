"""Handing mail to the mail server (RFC 5321)."""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import unquote, urlsplit

from reconciler.model.credential import Secret
from reconciler.notify.letters import Letter
from reconciler.store.mails import StoredMail

TIMEOUT = 30.0
"""Seconds that the mail server may take for one step."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """A mail server; with `tls`, TLS is spoken from the first byte, else as soon as the server offers STARTTLS."""

    host: str
    port: int
    tls: bool
    user: str
    password: Secret
    sender: str

    def send(self, mail: StoredMail, letter: Letter) -> None:
        """Hand a mail over. Raises OSError, of which smtplib's errors are kinds, when it is not taken."""
        with self._session() as server:
            server.send_message(_message(mail, letter, self.sender))

    def greet(self) -> str:
        """Sign in and hand nothing over; return how the server was spoken to. Raises OSError."""
        with self._session() as server:
            server.noop()
            is_secret = isinstance(server.sock, ssl.SSLSocket)
        return f"{self.host}:{self.port} answers, {'with' if is_secret else 'without'} TLS"

    @contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        context = ssl.create_default_context()
        if self.tls:
            connection: smtplib.SMTP = smtplib.SMTP_SSL(self.host, self.port, timeout=TIMEOUT, context=context)
        else:
            connection = smtplib.SMTP(self.host, self.port, timeout=TIMEOUT)
        with connection as server:
            server.ehlo_or_helo_if_needed()
            if not self.tls and server.has_extn("starttls"):
                server.starttls(context=context)
            if self.user:
                server.login(self.user, self.password.reveal())
            yield server


def mail_server(url: str, sender: str, password: Secret | None = None) -> MailServer:
    """Read `smtp://[user[:password]@]host[:port]` or `smtps://…`. A password that is given goes before the URL's."""
    parts = urlsplit(url)
    tls = parts.scheme == "smtps"
    return MailServer(
        host=parts.hostname or "localhost",
        port=parts.port or (465 if tls else 25),
        tls=tls,
        user=unquote(parts.username or ""),
        password=password or Secret(unquote(parts.password or "")),
        sender=sender,
    )


def _message(mail: StoredMail, letter: Letter, sender: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = sender
    message["To"] = mail.recipient
    message["Subject"] = letter.subject
    message["Message-ID"] = mail.message_id
    # A retry repeats the date as it repeats the Message-ID.
    message["Date"] = format_datetime(mail.changed_at)
    # RFC 3834, section 5: no out-of-office answer to this.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text)
    message.add_alternative(letter.html, subtype="html")
    return message
