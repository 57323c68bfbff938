"""The mail server of a configuration, with its password from wherever that is."""

import os
from collections.abc import Callable
from pathlib import Path

from reconciler.desired.gateway import SmtpGateway
from reconciler.desired.secret_reading import read_secret
from reconciler.notify.smtp import mail_server
from reconciler.store.mails import StoredMail


def mail_sender(settings: SmtpGateway, root: Path) -> Callable[[StoredMail], None]:
    """Return what hands a mail over. Raises ReconcilerError when the password cannot be read."""
    password = read_secret(settings.password, root, os.environ) if settings.password else None
    return mail_server(settings.url, settings.sender, password).send
