"""The admin API and the pages, put together when the first of them is asked for."""

from asyncio import Lock

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from reconciler.web.administration import Administration


class LazyAdmin:
    """An ASGI application that costs nothing until it is used: its libraries take longer to load than the gateway."""

    def __init__(self, parts: Administration) -> None:
        self._parts = parts
        self._app: ASGIApp | None = None
        self._lock = Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if self._app is None:
            async with self._lock:
                if self._app is None:
                    self._app = await run_in_threadpool(_built, self._parts)
        await self._app(scope, receive, send)


def _built(parts: Administration) -> Starlette:
    from reconciler.web.application import admin  # noqa: PLC0415 - see LazyAdmin

    return admin(parts)
