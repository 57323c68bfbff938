"""The mail server of a configuration, with its password from wherever that is, and what its mails say."""

import os
from collections.abc import Callable
from pathlib import Path

from reconciler.desired.gateway import GatewaySettings
from reconciler.desired.secret_reading import read_secret
from reconciler.notify.letters import Letters
from reconciler.notify.smtp import mail_server
from reconciler.store.mails import StoredMail


def mail_sender(settings: GatewaySettings, root: Path) -> Callable[[StoredMail], None] | None:
    """Return what hands a mail over, or None without a mail server.

    Raises ReconcilerError when the password cannot be read, or when a template is wrong.
    """
    smtp = settings.smtp
    if smtp is None:
        return None
    password = read_secret(smtp.password, root, os.environ) if smtp.password else None
    server = mail_server(smtp.url, smtp.sender, password)
    own = settings.notifications.templates
    letters = Letters(root / own if own else None, settings.http.url)
    return lambda mail: server.send(mail, letters.write(mail.template, mail.data))
