"""Telling operators: one message over every channel that Apprise knows by its URL."""

import logging
from collections.abc import Sequence

from reconciler.errors import ReconcilerError
from reconciler.model.credential import Secret

_log = logging.getLogger(__name__)


class Channels:
    """Where operators are told. Raises ReconcilerError for a URL that names no channel."""

    def __init__(self, urls: Sequence[Secret]) -> None:
        # It brings a hundred services, and is needed by whoever wrote `alerts:` only.
        from apprise import Apprise  # noqa: PLC0415

        # Its own log shows parts of the URLs, which hold secrets.
        logging.getLogger("apprise").setLevel(logging.CRITICAL)
        self._channels = [Apprise() for _ in urls]
        self._missed: dict[int, tuple[str, str]] = {}
        for number, (channel, url) in enumerate(zip(self._channels, urls, strict=True), 1):
            if not channel.add(url.reveal()):
                raise ReconcilerError(f"alerts.urls: number {number} is no URL of a channel that Apprise knows.")

    def tell(self, title: str, text: str) -> bool:
        """Send a message; say whether somebody was told: `catch_up` tells the channels that did not take it."""
        missed = {
            number: (title, text)
            for number, channel in enumerate(self._channels, 1)
            if not channel.notify(title=title, body=text)
        }
        for number in missed:
            _log.error("operators could not be told: number %d of alerts.urls does not answer or refuses", number)
        if len(missed) == len(self._channels):
            return False
        self._missed |= missed
        return True

    def catch_up(self) -> None:
        """Send each channel the newest message that only others took."""
        for number, (title, text) in list(self._missed.items()):
            if self._channels[number - 1].notify(title=title, body=text):
                del self._missed[number]
