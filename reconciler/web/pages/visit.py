"""One request of a signed-in browser, and what it takes to be let in: a session, and for changes the form's secret."""

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType
from urllib.parse import urlencode

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
from reconciler.web.api.problems import TooLargeError, status_of
from reconciler.web.pages.rendering import rendered

COOKIE = "__Host-reconciler"
"""The prefix has browsers refuse the cookie unless it is Secure, for this host alone and for every path."""

LARGEST_UPLOAD = 20 * 2**20

_LOCAL = re.compile(r"/(?!/|sign-)[!-\[\]-~]{0,2000}")

SAFE = frozenset({"GET", "HEAD"})
"""Methods that change nothing."""


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

Form = Mapping[str, str]
Files = Mapping[str, tuple[str, bytes]]
NO_FORM: Form = MappingProxyType({})
NO_FILES: Files = MappingProxyType({})


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
        if request.method in SAFE:
            return await run_in_threadpool(answer, request, session)
        # Nothing is read of what a stranger sends.
        if await run_in_threadpool(access.by_session, session) is None:
            return _to_sign_in(request)
        return await run_in_threadpool(answer, request, session, *await _form(request))

    def answer(request: Request, session: Secret, form: Form = NO_FORM, files: Files = NO_FILES) -> Response:
        identity = access.by_session(session)
        if identity is None:
            return _to_sign_in(request)
        visit = Visit(
            identity=identity,
            csrf=csrf_token(session),
            path=request.url.path,
            params={name: str(value) for name, value in request.path_params.items()},
            query=dict(request.query_params),
            form=form,
            files=files,
        )
        try:
            require(identity, role)
            _require_own_form(request, visit)
            response = handler(visit)
        except ReconcilerError as error:
            status, _ = status_of(error)
            response = visit.page("problem.html", status=int(status), title=status.phrase, detail=str(error))
        if request.method not in SAFE:
            call = Call(
                actor=identity.actor,
                peer=peer_of(request),
                what=f"{request.method} {request.url.path}"[:1000],
                status=response.status_code,
            )
            access.record(call)
        return response

    return Route(path, endpoint, methods=list(methods))


def _require_own_form(request: Request, visit: Visit) -> None:
    """Raise TooLargeError or ForbiddenError unless a change comes from a form of this session, and is no larger."""
    if request.method in SAFE:
        return
    if _is_too_large(request):
        raise TooLargeError(f"A file has {LARGEST_UPLOAD // 2**20} MiB at the most.")
    given = request.headers.get("x-csrf-token") or visit.form.get("csrf", "")
    if is_foreign(request) or not secrets.compare_digest(given.encode(), visit.csrf.encode()):
        raise ForbiddenError("This form is not from this session; open its page again and send it from there.")


def _to_sign_in(request: Request) -> Response:
    """Ask to sign in; who came to read comes back to where that was."""
    query = {"next": f"{request.url.path}?{request.url.query}".rstrip("?")} if request.method in SAFE else {}
    if COOKIE in request.cookies:
        query["over"] = "1"
    path = f"/sign-in?{urlencode(query)}" if query else "/sign-in"
    if request.headers.get("hx-request"):
        return Response(headers={"HX-Redirect": "/sign-in?over=1"})
    return RedirectResponse(path, HTTPStatus.SEE_OTHER)


def onward(path: str) -> str:
    """Return a path of this site where somebody wanted to go, or the first page instead of anything else."""
    return path if _LOCAL.fullmatch(path) else "/integrations"


def _is_too_large(request: Request) -> bool:
    return int(request.headers.get("content-length", "0")) > LARGEST_UPLOAD


async def _form(request: Request) -> tuple[Form, Files]:
    form: dict[str, str] = {}
    files: dict[str, tuple[str, bytes]] = {}
    if _is_too_large(request):
        return form, files
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
