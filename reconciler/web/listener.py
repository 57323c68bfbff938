"""The HTTP listener: uvicorn in a thread of its own."""

import asyncio
import socket
from threading import Thread

import uvicorn
from starlette.types import ASGIApp

HEADER_TIMEOUT = 30
"""Seconds that an idle connection is kept."""


class HttpListener:
    """Serves an ASGI application on one address."""

    def __init__(self, app: ASGIApp, *, host: str, port: int) -> None:
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
