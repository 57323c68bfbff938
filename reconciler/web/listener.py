"""The HTTP listener: uvicorn in a thread of its own."""

import asyncio
import socket
from threading import Thread

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from reconciler.web.server_certificate import ServerCertificates

HEADER_TIMEOUT = 30
"""Seconds that an idle connection is kept, and that a request's headers may take."""

LARGEST_HEADERS = 64 * 1024
"""Bytes that a request's headers may have."""


class _Connection(H11Protocol):
    """A connection that ends when the headers of a request take too long; uvicorn alone would wait for ever."""

    _due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait for headers."""
        super().connection_made(transport)
        self._await_headers()

    def data_received(self, data: bytes) -> None:
        """Go on to wait, from the first byte of a request until its headers are complete."""
        if self._due is None and self.conn.their_state is h11.IDLE:
            self._await_headers()
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._no_longer_wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._no_longer_wait()
        super().connection_lost(exc)

    def _await_headers(self) -> None:
        self._due = self.loop.call_later(HEADER_TIMEOUT, self.timeout_keep_alive_handler)

    def _no_longer_wait(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None


class HttpListener:
    """Serves an ASGI application on one address; with certificates it speaks TLS."""

    def __init__(self, app: ASGIApp, *, host: str, port: int, certificates: ServerCertificates | None = None) -> None:
        self._host = host
        self._port = port
        self._socket: socket.socket | None = None
        config = uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            http=_Connection,
            h11_max_incomplete_event_size=LARGEST_HEADERS,
            ssl_context_factory=None if certificates is None else lambda *_: certificates.context,
            timeout_keep_alive=HEADER_TIMEOUT,
        )
        self._server = uvicorn.Server(config)
        self._thread = Thread(target=self._run, name="http", daemon=True)

    @property
    def address(self) -> tuple[str, int]:
        """The address and the port that are listened on, once started."""
        if self._socket is None:
            return self._host, self._port
        host, port, *_ = self._socket.getsockname()
        return host, port

    def start(self) -> None:
        """Bind and begin to serve. Raises OSError when the address cannot be bound."""
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        self._socket = socket.create_server((self._host, self._port), family=family, backlog=512)
        self._thread.start()

    def stop(self, grace: float) -> None:
        """Accept nothing more, let what runs end for `grace` seconds, then cut it."""
        if self._socket is None:
            return
        self._server.config.timeout_graceful_shutdown = max(1, int(grace))
        self._server.should_exit = True
        self._thread.join(grace + 1)
        self._server.force_exit = True
        self._thread.join(1)

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket] if self._socket else None))
