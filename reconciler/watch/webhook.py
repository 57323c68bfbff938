"""The call of a git host that something was pushed: believed only with its signature, and obeyed by looking sooner."""

import hmac
from collections.abc import Callable, Mapping
from hashlib import sha256
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Self

from reconciler.model.credential import Secret

LARGEST = 25 * 2**20
"""Bytes of a call; GitHub's documented bound."""

_PATIENCE = 10.0
"""Seconds that a caller has for its request."""


def is_signed(headers: Mapping[str, str], body: bytes, secret: Secret) -> bool:
    """Say whether a call is GitHub's (HMAC-SHA256 of its body) or GitLab's (the secret itself in a header)."""
    key = secret.reveal().encode()
    given = {name.lower(): value for name, value in headers.items()}
    if "x-hub-signature-256" in given:
        wanted = "sha256=" + hmac.new(key, body, sha256).hexdigest()
        return hmac.compare_digest(given["x-hub-signature-256"].encode(), wanted.encode())
    return hmac.compare_digest(given.get("x-gitlab-token", "").encode(), key)


class Webhook:
    """Listens for calls and rings a bell for each that is signed."""

    def __init__(self, address: tuple[str, int], secret: Secret, ring: Callable[[], None]) -> None:
        class Handler(BaseHTTPRequestHandler):
            """Answers one call."""

            timeout = _PATIENCE

            def do_POST(self) -> None:
                """Verify, ring, answer."""
                self._answer(self._status())

            def _status(self) -> HTTPStatus:
                length = self.headers.get("Content-Length", "")
                if not length.isdecimal():
                    return HTTPStatus.LENGTH_REQUIRED
                if int(length) > LARGEST:
                    return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
                if not is_signed(dict(self.headers.items()), self.rfile.read(int(length)), secret):
                    return HTTPStatus.UNAUTHORIZED
                ring()
                return HTTPStatus.ACCEPTED

            def _answer(self, status: HTTPStatus) -> None:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.send_header("Connection", "close")
                self.end_headers()
                self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
                """Keep callers out of the log: anybody can call."""

        self._server = ThreadingHTTPServer(address, Handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, name="webhook", daemon=True)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
