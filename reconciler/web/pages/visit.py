"""One request of a signed-in browser, and what it takes to be let in: a session, and for changes the form's secret."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from reconciler.errors import ReconcilerError
from reconciler.model.credential import Secret
from reconciler.store.audit import Call
from reconciler.store.tokens import Identity, Role
from reconciler.web.access import Access, ForbiddenError, csrf_token, require
from reconciler.web.api.problems import status_of
from reconciler.web.pages.rendering import rendered

COOKIE = "__Host-reconciler"
"""The prefix has browsers refuse the cookie unless it is Secure, for this host alone and for every path."""

LARGEST_UPLOAD = 20 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request by somebody who is signed in. `files` are uploads by the name of their field."""

    identity: Identity
    csrf: str
    path: str
    params: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, tuple[str, bytes]] = field(default_factory=dict)

    def may(self, role: str) -> bool:
        """Say whether the visitor has at least this role."""
        return self.identity.role.includes(Role(role))

    def page(self, template: str, *, status: int = 200, **context: object) -> Response:
        """Return a page for this visitor."""
        return rendered(template, status=status, visit=self, **context)


Handler = Callable[[Visit], Response]


def peer_of(request: Request) -> str:
    """Return the address that a request came from."""
    return request.client.host if request.client else ""


def is_foreign(request: Request) -> bool:
    """Say whether another site had the browser send this (Fetch Metadata)."""
    return request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}


def guarded(
    access: Access, path: str, handler: Handler, *, role: Role = Role.VIEWER, methods: Sequence[str] = ("GET",)
) -> Route:
    """Return the route of a page that takes a role; a change carries the form's secret, and is audited."""

    async def endpoint(request: Request) -> Response:
        session = Secret(request.cookies.get(COOKIE, ""))
        identity = await run_in_threadpool(access.by_session, session)
        if identity is None:
            return _to_sign_in(request)
        csrf = csrf_token(session)
        form, files = await _form(request)
        visit = Visit(
            identity=identity,
            csrf=csrf,
            path=request.url.path,
            params={name: str(value) for name, value in request.path_params.items()},
            query=dict(request.query_params),
            form=form,
            files=files,
        )
        try:
            require(identity, role)
            if request.method != "GET":
                given = request.headers.get("x-csrf-token") or form.get("csrf", "")
                if is_foreign(request) or not secrets.compare_digest(given.encode(), csrf.encode()):
                    raise ForbiddenError("This form is not from this session; open the page again.")
            response = await run_in_threadpool(handler, visit)
        except ReconcilerError as error:
            status, _ = status_of(error)
            response = visit.page("problem.html", status=int(status), title=status.phrase, detail=str(error))
        if request.method != "GET":
            call = Call(
                actor=identity.actor,
                peer=peer_of(request),
                what=f"{request.method} {request.url.path}"[:1000],
                status=response.status_code,
            )
            await run_in_threadpool(access.record, call)
        return response

    return Route(path, endpoint, methods=list(methods))


def _to_sign_in(request: Request) -> Response:
    if request.headers.get("hx-request"):
        return Response(headers={"HX-Redirect": "/sign-in"})
    return RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)


async def _form(request: Request) -> tuple[dict[str, str], dict[str, tuple[str, bytes]]]:
    form: dict[str, str] = {}
    files: dict[str, tuple[str, bytes]] = {}
    if request.method == "GET":
        return form, files
    if int(request.headers.get("content-length", "0")) > LARGEST_UPLOAD:
        return form, files  # without the form's secret it is refused
    async with request.form(max_files=1, max_fields=50) as sent:
        for name, value in sent.items():
            if isinstance(value, UploadFile):
                files[name] = (value.filename or "file", await value.read())
            else:
                form[name] = value
    return form, files


def see_other(path: str, said: str = "") -> Response:
    """Return to a page after a change; `said` is the key of a notice that it shows."""
    return RedirectResponse(f"{path}{'&' if '?' in path else '?'}said={said}" if said else path, HTTPStatus.SEE_OTHER)
