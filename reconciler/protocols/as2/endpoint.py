"""The AS2 endpoint: an ASGI application for POST `/as2` and `/as2/{mailbox}`."""

import logging
from collections.abc import Sequence

from anyio import to_thread
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from reconciler.model.source_file import ContentReader
from reconciler.protocols.as2.mdn_delivery import post_mdn
from reconciler.protocols.as2.ports import DeliveryError, Intake
from reconciler.protocols.as2.reception import Reception, Reply
from reconciler.protocols.protocol import Partner

LARGEST_BODY = 100 * 1024 * 1024
"""Bytes that a message may have on the wire, and inflated, by default."""

_log = logging.getLogger(__name__)


class As2Endpoint:
    """Receives messages and asynchronous MDNs for the partners it is configured with.

    The HTTP listener belongs to whoever mounts `app`; what blocks runs in threads.
    """

    def __init__(self, intake: Intake, content: ContentReader, *, largest_body: int = LARGEST_BODY) -> None:
        self._reception = Reception(intake, content, limit=largest_body)
        self._largest_body = largest_body
        self.app = Starlette(
            routes=[
                Route("/as2", self._post, methods=["POST"]),
                Route("/as2/{mailbox}", self._post, methods=["POST"]),
            ]
        )

    def configure(self, partners: Sequence[Partner]) -> None:
        """Receive for these partners and no others, at once; posts of all others get 403."""
        self._reception.configure(partners)

    def start(self) -> None:
        """Do nothing: the listener belongs to the web application."""

    def stop(self, grace: float) -> None:
        """Receive for nobody any more; `grace` is for the listener, which is not ours."""
        del grace
        self._reception.configure(())

    async def _post(self, request: Request) -> Response:
        try:
            body = await self._body(request)
        except ClientDisconnect:
            return Response(status_code=400)
        if body is None:
            return Response(status_code=413)
        mailbox: str | None = request.path_params.get("mailbox")
        try:
            reply = await to_thread.run_sync(self._reception.take, mailbox, request.headers.items(), body)
        except Exception:  # noqa: BLE001 - what failed over an asynchronous MDN is logged; its sender has to try again
            _log.exception("a post could not be taken")
            return Response(status_code=503)
        later = BackgroundTask(_post_mdn, reply) if reply.mdn is not None else None
        answer = reply.answer
        return Response(answer.body, status_code=answer.status, headers=dict(answer.headers), background=later)

    async def _body(self, request: Request) -> bytes | None:
        """Return the body, or None as soon as it is seen to be too large."""
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > self._largest_body:
                return None
        return bytes(body)


def _post_mdn(reply: Reply) -> None:
    if reply.mdn is None or reply.url is None or reply.relation is None:
        return
    try:
        post_mdn(reply.url, reply.mdn, declared=reply.relation.recipient.url)
    except DeliveryError as error:
        # The partner, missing the MDN, posts the message again and gets the same MDN.
        _log.warning("the MDN for %r was not delivered: %s", reply.relation.recipient.id, error)
