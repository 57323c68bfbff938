"""Telling operators: one message over every channel that Apprise knows by its URL."""

import logging
from collections.abc import Sequence

from reconciler.errors import ReconcilerError
from reconciler.model.credential import Secret


class Channels:
    """Where operators are told. Raises ReconcilerError for a URL that names no channel."""

    def __init__(self, urls: Sequence[Secret]) -> None:
        # It brings a hundred services, and is needed by whoever wrote `alerts:` only.
        from apprise import Apprise  # noqa: PLC0415

        # Its own log shows parts of the URLs, which hold secrets.
        logging.getLogger("apprise").setLevel(logging.CRITICAL)
        self._apprise = Apprise()
        for number, url in enumerate(urls, 1):
            if not self._apprise.add(url.reveal()):
                raise ReconcilerError(f"alerts.urls: number {number} is no URL of a channel that Apprise knows.")

    def tell(self, title: str, text: str) -> bool:
        """Send a message; say whether every channel took it."""
        return bool(self._apprise.notify(title=title, body=text))
