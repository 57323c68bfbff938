"""Signing in with a token, and out again."""

from http import HTTPStatus

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from reconciler.model.credential import Secret
from reconciler.store.audit import Call
from reconciler.web.access import SESSION, Access, TooManyAttemptsError
from reconciler.web.pages.rendering import rendered
from reconciler.web.pages.visit import COOKIE, Visit, guarded, is_foreign, onward, peer_of, see_other


def routes(access: Access, *, has_oidc: bool) -> list[BaseRoute]:
    """Return the routes of signing in and out."""

    async def form(request: Request) -> Response:
        query = request.query_params
        told = "You were signed out: sessions end after twelve hours, or with their token. Sign in again."
        onto = onward(query.get("next", ""))
        return rendered("sign_in.html", fault="", told=told if "over" in query else "", next=onto, has_oidc=has_oidc)

    async def sign_in(request: Request) -> Response:
        if is_foreign(request):
            return _refused("This form is not from this site.", HTTPStatus.FORBIDDEN, "")
        async with request.form(max_files=0, max_fields=5) as sent:
            token = Secret(str(sent.get("token", "")).strip())
            onto = onward(str(sent.get("next", "")))
        peer = peer_of(request)
        try:
            identity = await run_in_threadpool(access.by_token, token, peer)
        except TooManyAttemptsError as error:
            return _refused(str(error), HTTPStatus.TOO_MANY_REQUESTS, onto)
        status = HTTPStatus.UNAUTHORIZED if identity is None else HTTPStatus.SEE_OTHER
        call = Call(actor=identity.actor if identity else "", peer=peer, what="sign in", status=int(status))
        await run_in_threadpool(access.record, call)
        if identity is None:
            fault = "This token is not valid: it is mistyped, has expired or was revoked."
            return _refused(fault, status, onto)
        session = await run_in_threadpool(lambda: access.sign_in(identity, token=identity.actor))
        return with_session(RedirectResponse(onto, status), session)

    def _refused(fault: str, status: HTTPStatus, onto: str) -> Response:
        return rendered("sign_in.html", status=int(status), fault=fault, told="", next=onto, has_oidc=has_oidc)

    def sign_out(visit: Visit) -> Response:
        del visit
        response = see_other("/sign-in")
        response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")
        return response

    async def end(request: Request) -> Response:
        response = await guarded(access, "/sign-out", sign_out, methods=("POST",)).endpoint(request)
        if response.status_code == HTTPStatus.SEE_OTHER:
            await run_in_threadpool(access.sign_out, Secret(request.cookies.get(COOKIE, "")))
        return response if isinstance(response, Response) else see_other("/sign-in")

    return [
        Route("/sign-in", form, methods=["GET"]),
        Route("/sign-in", sign_in, methods=["POST"]),
        Route("/sign-out", end, methods=["POST"]),
    ]


def with_session(response: Response, session: Secret) -> Response:
    """Have the browser keep a session: out of scripts' reach, and out of other sites' requests."""
    response.set_cookie(
        COOKIE,
        session.reveal(),
        max_age=int(SESSION.total_seconds()),
        path="/",
        secure=True,
        httponly=True,
        samesite="lax",
    )
    return response
