"""The admin API as one ASGI application."""

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reconciler import __version__
from reconciler.jobs.directory import Directory
from reconciler.store.audit import Call
from reconciler.store.database import Store
from reconciler.web.access import Access
from reconciler.web.api import envelopes, log, problems, resources, rule_tests, state, upkeep
from reconciler.web.api.caller import Viewer
from reconciler.web.api.problems import Problem, documented
from reconciler.web.health import Health
from reconciler.web.keeper import Keeper
from reconciler.web.operations import Operations
from reconciler.web.trial import TryOut

LARGEST_BODY = 256 * 2**20
"""Bytes of a request; a plan with all its files is the largest."""


class CheckItem(BaseModel):
    """One thing that the gateway needs; `fault` is empty while it works."""

    name: str
    fault: str


class HealthReport(BaseModel):
    """How the gateway is."""

    version: str
    ready: bool
    checks: list[CheckItem]


def admin_api(
    operations: Operations,
    keeper: Keeper,
    access: Access,
    health: Health,
    store: Store,
    directory: Directory,
    try_out: TryOut,
) -> FastAPI:
    """Return the admin API."""
    app = FastAPI(
        title="Reconciler admin API",
        version=__version__,
        description="Everything that the gateway does, for programs. Errors are problem details (RFC 9457).",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        servers=[{"url": "/api/v1"}],
        root_path_in_servers=False,
    )
    app.state.access = access
    problems.install(app)
    for routes in (
        resources.router(operations),
        rule_tests.router(operations, directory, try_out),
        log.router(operations),
        envelopes.router(operations),
        state.router(store, directory, operations),
        upkeep.router(keeper),
        _health(health),
    ):
        app.include_router(routes)

    @app.get("/openapi.json", include_in_schema=False)
    def schema(_identity: Viewer) -> dict[str, Any]:
        return openapi(app)

    app.add_middleware(_Audited, access=access)
    app.add_middleware(_Bounded)
    return app


def _health(health: Health) -> APIRouter:
    routes = APIRouter(tags=["health"])

    @routes.get("/health", responses=documented())
    def look(_identity: Viewer) -> HealthReport:
        """Say how the gateway is, in detail."""
        checks = health.look()
        return HealthReport(
            version=__version__,
            ready=not any(check.fault for check in checks),
            checks=[CheckItem(name=check.name, fault=check.fault) for check in checks],
        )

    return routes


def openapi(app: FastAPI) -> dict[str, Any]:
    """Return the API's description: what FastAPI knows, with the problems that every route answers with."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes, servers=app.servers
        )
        components = schema.setdefault("components", {}).setdefault("schemas", {})
        components["Problem"] = Problem.model_json_schema()
        # FastAPI's own form of an invalid request, which this API never answers with.
        components.pop("HTTPValidationError", None)
        components.pop("ValidationError", None)
        app.openapi_schema = schema
    return app.openapi_schema


class _Audited:
    """Records each call before it is answered."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                client = scope.get("client")
                call = Call(
                    actor=scope.get("state", {}).get("actor", ""),
                    peer=client[0] if client else "",
                    what=f"{scope['method']} {scope['path']}"[:1000],
                    status=message["status"],
                )
                await run_in_threadpool(self._access.record, call)
            await send(message)

        await self._app(scope, receive, noted)


class _Bounded:
    """Refuses a body that says that it is larger than any may be, and one without a length."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"0")
        if b"transfer-encoding" in headers and b"content-length" not in headers:
            refusal = problems.answer(HTTPStatus.LENGTH_REQUIRED, "Say the length of the body.", "length_required")
            await refusal(scope, receive, send)
        elif not length.isdigit() or int(length) > LARGEST_BODY:
            refusal = problems.answer(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A body has {LARGEST_BODY} bytes at the most.", "too_large"
            )
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)
