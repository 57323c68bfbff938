"""The gateway's ASGI application: health, and what the protocols bring."""

from collections.abc import Callable, Sequence

from anyio import to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route


def application(routes: Sequence[BaseRoute], is_ready: Callable[[], bool]) -> Starlette:
    """Return the application; `is_ready` says whether the gateway can do its work now, and may block."""

    async def alive(_request: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def ready(_request: Request) -> Response:
        if await to_thread.run_sync(is_ready):
            return PlainTextResponse("ready\n")
        return PlainTextResponse("not ready\n", status_code=503)

    return Starlette(routes=[Route("/healthz", alive), Route("/readyz", ready), *routes])
