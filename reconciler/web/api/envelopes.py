"""Envelopes: list, get, send, reject, complete."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Query, Response
from pydantic import BaseModel, Field

from reconciler.envelope.xml import Status
from reconciler.live.views import EnvelopeView
from reconciler.store.tokens import Identity
from reconciler.web.access import require_within, scoped
from reconciler.web.api.caller import Operator, Viewer
from reconciler.web.api.paging import Account, Limit, Offset, OfMailbox, Page, Uuid, page
from reconciler.web.api.problems import documented
from reconciler.web.operations import Operations


class Ending(BaseModel, extra="forbid"):
    """By which of its recipients an envelope is completed."""

    mailbox: str = Field(max_length=500, examples=["accounts.globex.mailboxes.sales"])


class Rejection(Ending):
    """By which of its recipients an envelope is rejected, and why; the sender sees the reason."""

    reason: str = Field(description="5 to 5000 characters.", examples=["We deliver on Fridays only"])


class Received(BaseModel):
    """The input was received under this UUID; it is sent by the gateway's workers."""

    receipt: UUID


def router(operations: Operations) -> APIRouter:
    """Return the routes of envelopes."""
    routes = APIRouter(prefix="/envelopes", tags=["envelopes"])
    missing = documented(HTTPStatus.NOT_FOUND)
    ending = documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)

    def envelope_of(identity: Identity, uuid: UUID) -> EnvelopeView:
        found = operations.envelope(uuid)
        require_within(identity, found.sender, *found.recipients)
        return found

    @routes.get("", responses=missing)
    def list_envelopes(
        identity: Viewer,
        account: Account = None,
        mailbox: OfMailbox = None,
        status: Annotated[Status | None, Query(description="Only those in this state.")] = None,
        subject: Annotated[str, Query(max_length=200, description="A part of the subject.")] = "",
        offset: Offset = 0,
        limit: Limit = 50,
    ) -> Page[EnvelopeView]:
        """List envelopes that a mailbox or an account sent or received, newest first."""
        if mailbox is not None:
            require_within(identity, mailbox)
        found = operations.envelopes(
            account=scoped(identity, account),
            mailbox=mailbox,
            status=status,
            subject=subject,
            offset=offset,
            limit=limit + 1,
        )
        return page(found, offset, limit)

    @routes.post("", status_code=202, responses=missing)
    def send(
        content: Annotated[bytes, Body(media_type="application/xml", max_length=64 * 2**20)],
        mailbox: Annotated[str, Query(max_length=500, description="The mailbox that sends it.")],
        identity: Operator,
        name: Annotated[
            str, Query(min_length=1, max_length=200, description="The file name that the log shows.")
        ] = "envelope.xml",
    ) -> Received:
        """Accept an envelope's XML as if it were uploaded to the mailbox's outbox."""
        require_within(identity, mailbox)
        return Received(receipt=operations.send(mailbox, name, content))

    @routes.get("/{uuid}", responses=missing)
    def show(uuid: Uuid, identity: Viewer) -> EnvelopeView:
        """Return one envelope with its history."""
        return envelope_of(identity, uuid)

    @routes.get(
        "/{uuid}/xml",
        response_class=Response,
        responses=missing | {200: {"content": {"application/xml": {}}, "description": "The envelope itself."}},
    )
    def xml(uuid: Uuid, identity: Viewer) -> Response:
        """Return an envelope's XML as it is now."""
        envelope_of(identity, uuid)
        return Response(operations.envelope_xml(uuid), media_type="application/xml")

    @routes.get(
        "/{uuid}/archive",
        response_class=Response,
        responses=missing | {200: {"content": {"application/zip": {}}, "description": "The zip."}},
    )
    def archive(uuid: Uuid, identity: Viewer) -> Response:
        """Return an envelope's archive: its XML, its attachments, its history."""
        envelope_of(identity, uuid)
        return Response(operations.envelope_archive(uuid), media_type="application/zip")

    @routes.post("/{uuid}/complete", status_code=204, responses=ending)
    def complete(uuid: Uuid, by: Ending, identity: Operator) -> None:
        """Complete an envelope as one of its recipients."""
        require_within(identity, by.mailbox)
        operations.complete(uuid, by.mailbox)

    @routes.post("/{uuid}/reject", status_code=204, responses=ending)
    def reject(uuid: Uuid, by: Rejection, identity: Operator) -> None:
        """Reject an envelope as one of its recipients, for a reason that its sender sees."""
        require_within(identity, by.mailbox)
        operations.reject(uuid, by.mailbox, by.reason)

    return routes
