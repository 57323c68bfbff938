"""The admin API and the pages, put together when the first of them is asked for."""

from asyncio import Lock
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from reconciler.desired.operation import OidcGateway
from reconciler.jobs.directory import Directory
from reconciler.live.at_hand import AtHand
from reconciler.live.status import CertificateEnd
from reconciler.model.credential import Secret
from reconciler.store.database import Store
from reconciler.web.health import Health
from reconciler.web.keeper import Keeper
from reconciler.web.operations import Operations
from reconciler.web.sources import Origins
from reconciler.web.trial import TryOut


@dataclass(frozen=True, slots=True, kw_only=True)
class Administration:
    """What the admin API and the pages are made of.

    `source_url` is the template of links into git, or empty; `url` is where the pages are. Signing in by OpenID Connect
    takes `oidc`, and its client's secret if it has one.
    """

    store: Store
    directory: Directory
    operations: Operations
    keeper: Keeper
    health: Health
    try_out: TryOut
    origins: Origins
    ends: AtHand[Sequence[CertificateEnd]]
    source_url: str
    url: str
    oidc: OidcGateway | None
    oidc_secret: Secret | None
    is_stopping: Callable[[], bool]


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
