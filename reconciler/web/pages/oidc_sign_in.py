"""Signing in by OpenID Connect: to the provider and back."""

from http import HTTPStatus

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from reconciler.errors import ReconcilerError
from reconciler.model.credential import Secret
from reconciler.store.audit import Call
from reconciler.store.keyring import Keyring
from reconciler.store.tokens import Identity
from reconciler.web.access import Access, TooManyAttemptsError
from reconciler.web.oidc import LIFETIME, Beginning, Provider, SignInError
from reconciler.web.pages.rendering import rendered
from reconciler.web.pages.sign_in import with_session
from reconciler.web.pages.visit import onward, peer_of

BEGIN = "/sign-in/oidc"
DONE = "/sign-in/oidc/done"
COOKIE = "__Host-reconciler-oidc"


def routes(access: Access, provider: Provider, keyring: Keyring) -> list[BaseRoute]:
    """Return the routes."""

    async def begin(request: Request) -> Response:
        try:
            url, begun = await run_in_threadpool(provider.begin, onward(request.query_params.get("next", "")))
        except SignInError as error:
            return _refused(str(error), HTTPStatus.BAD_GATEWAY)
        response = RedirectResponse(url, HTTPStatus.SEE_OTHER)
        response.set_cookie(
            COOKIE,
            keyring.encrypt(Secret(begun.to_text())).decode(),
            max_age=int(LIFETIME.total_seconds()),
            path="/",
            secure=True,
            httponly=True,
            samesite="lax",
        )
        return response

    async def done(request: Request) -> Response:
        peer = peer_of(request)
        try:
            identity, onto = await run_in_threadpool(_come_back, request, peer)
        except TooManyAttemptsError as error:
            return _refused(str(error), HTTPStatus.TOO_MANY_REQUESTS)
        except SignInError as error:
            access.count_failure(peer)
            call = Call(actor="", peer=peer, what="sign in by OpenID Connect", status=HTTPStatus.UNAUTHORIZED)
            await run_in_threadpool(access.record, call)
            return _refused(str(error), HTTPStatus.UNAUTHORIZED)
        call = Call(actor=identity.actor, peer=peer, what="sign in by OpenID Connect", status=HTTPStatus.SEE_OTHER)
        await run_in_threadpool(access.record, call)
        session = await run_in_threadpool(lambda: access.sign_in(identity, token=""))
        response = with_session(RedirectResponse(onto, HTTPStatus.SEE_OTHER), session)
        response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")
        return response

    def _come_back(request: Request, peer: str) -> tuple[Identity, str]:
        access.refuse_crowd(peer)
        try:
            kept = keyring.decrypt(request.cookies.get(COOKIE, "").encode())
        except ReconcilerError:
            raise SignInError("This browser did not begin to sign in; begin again.") from None
        begun = Beginning.of(kept.reveal())
        return provider.finish(begun, request.query_params), begun.onto

    def _refused(fault: str, status: HTTPStatus) -> Response:
        return rendered("sign_in.html", status=int(status), fault=fault, told="", next=onward(""), has_oidc=True)

    return [Route(BEGIN, begin), Route(DONE, done)]
