"""All routes of the admin API and the pages."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reconciler.web.access import Access
from reconciler.web.administration import Administration
from reconciler.web.api.application import admin_api
from reconciler.web.oidc import Provider
from reconciler.web.pages import conversions, envelopes, events, integrations, oidc_sign_in, reconcile, rules, sign_in
from reconciler.web.pages.conversions import ConversionLog
from reconciler.web.pages.envelopes import Envelopes
from reconciler.web.pages.integrations import Integrations
from reconciler.web.pages.reading import Reading
from reconciler.web.pages.reconcile import Reconcile
from reconciler.web.pages.rendering import STATIC, rendered
from reconciler.web.pages.rules import Rules
from reconciler.web.sources import Sources


def admin(parts: Administration) -> Starlette:
    """Return the application of the admin API and the pages."""
    access = Access(parts.store)
    reading = Reading(parts.store, parts.directory)
    sources = Sources(parts.origins, parts.source_url)
    provider = parts.oidc and Provider(parts.oidc, parts.oidc_secret, f"{parts.url}{oidc_sign_in.DONE}")
    return Starlette(
        routes=[
            Mount(
                "/api/v1",
                admin_api(
                    parts.operations,
                    parts.keeper,
                    access,
                    parts.health,
                    parts.store,
                    parts.directory,
                    parts.try_out,
                ),
            ),
            Mount("/static", _Cached(StaticFiles(directory=STATIC))),
            Route("/", lambda _request: RedirectResponse("/integrations")),
            *sign_in.routes(access, has_oidc=provider is not None),
            *(oidc_sign_in.routes(access, provider, parts.store.keyring) if provider else ()),
            *integrations.routes(access, Integrations(reading, parts.operations, sources)),
            *rules.routes(access, Rules(reading, parts.operations, parts.directory, sources, parts.try_out)),
            *conversions.routes(access, ConversionLog(reading, parts.operations)),
            *envelopes.routes(access, Envelopes(reading, parts.operations)),
            *reconcile.routes(access, Reconcile(parts.store, parts.operations, parts.health, parts.ends)),
            *events.routes(access, parts.store, parts.is_stopping),
        ],
        exception_handlers={404: _not_found, Exception: _unforeseen},
    )


async def _not_found(_request: Request, _error: Exception) -> Response:
    return rendered("problem.html", status=404, visit=None, title="Not Found", detail="There is no such page.")


async def _unforeseen(_request: Request, _error: Exception) -> Response:
    detail = "This should not happen. The gateway's log says more."
    return rendered("problem.html", status=500, visit=None, title="Internal Server Error", detail=detail)


class _Cached:
    """Has browsers keep static files for good: another content has another URL."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def kept(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:  # noqa: PLR2004 - OK
                extra = {"cache-control": "public, max-age=31536000, immutable", "x-content-type-options": "nosniff"}
                message["headers"] = [*message["headers"], *((k.encode(), v.encode()) for k, v in extra.items())]
            await send(message)

        await self._app(scope, receive, kept)
