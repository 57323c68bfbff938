"""The conversion log."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from reconciler.errors import ReconcilerError
from reconciler.live.views import LogPart, LogRecord
from reconciler.store.conversions import ConversionStatus
from reconciler.store.tokens import Identity
from reconciler.web.access import require_within, scoped
from reconciler.web.api.caller import Operator, Viewer
from reconciler.web.api.paging import Account, Limit, Offset, OfMailbox, Page, Uuid, page
from reconciler.web.api.problems import documented
from reconciler.web.operations import Operations

MOST = 10_000
"""Records that one call has run again at the most."""


class Reprocessed(BaseModel):
    """How many records are run again, and how many were being run again already or could not be."""

    count: int
    refused: int


class Wanted(BaseModel, extra="forbid"):
    """Which FAILED records are run again; what is left out does not matter."""

    account: str | None = Field(default=None, max_length=100)
    mailbox: str | None = Field(default=None, max_length=500)
    rule: str | None = Field(default=None, max_length=500)
    no_rule: bool = False
    keyword: str = Field(default="", max_length=200)


def reprocess_all(operations: Operations, identity: Identity, wanted: Wanted) -> Reprocessed:
    """Have every FAILED record that the filters want run again."""
    if wanted.mailbox is not None:
        require_within(identity, wanted.mailbox)
    found = operations.log(
        status=ConversionStatus.FAILED,
        account=scoped(identity, wanted.account),
        mailbox=wanted.mailbox,
        rule=wanted.rule,
        no_rule=wanted.no_rule,
        keyword=wanted.keyword,
        limit=MOST,
    )
    refused = 0
    for record in found:
        try:
            operations.reprocess(record.uuid)
        except ReconcilerError:
            refused += 1  # it is being run again already
    return Reprocessed(count=len(found) - refused, refused=refused)


def router(operations: Operations) -> APIRouter:
    """Return the routes of the conversion log."""
    routes = APIRouter(prefix="/log", tags=["log"])
    missing = documented(HTTPStatus.NOT_FOUND)

    def record_of(identity: Identity, uuid: UUID) -> LogRecord:
        record = operations.log_record(uuid)
        require_within(identity, record.mailbox)
        return record

    @routes.get("", responses=missing)
    def list_records(
        identity: Viewer,
        account: Account = None,
        mailbox: OfMailbox = None,
        rule: Annotated[str | None, Query(max_length=500, description="A rule's address.")] = None,
        status: Annotated[ConversionStatus | None, Query(description="Only those with this result.")] = None,
        keyword: Annotated[
            str, Query(max_length=200, description="Beginnings of words of file name and subject, or a UUID.")
        ] = "",
        no_rule: Annotated[bool, Query(description="Only those that no rule matched.")] = False,  # noqa: FBT002 - a query's flag
        offset: Offset = 0,
        limit: Limit = 50,
    ) -> Page[LogRecord]:
        """List records, newest first."""
        if mailbox is not None:
            require_within(identity, mailbox)
        found = operations.log(
            account=scoped(identity, account),
            mailbox=mailbox,
            rule=rule,
            status=status,
            keyword=keyword,
            no_rule=no_rule,
            offset=offset,
            limit=limit + 1,
        )
        return page(found, offset, limit)

    @routes.post("/reprocess", responses=missing)
    def reprocess_filtered(wanted: Wanted, identity: Operator) -> Reprocessed:
        """Have every FAILED record that the filters want run again."""
        return reprocess_all(operations, identity, wanted)

    @routes.get("/{uuid}", responses=missing)
    def show_record(uuid: Uuid, identity: Viewer) -> LogRecord:
        """Return one record with everything that is known of it."""
        return record_of(identity, uuid)

    @routes.get(
        "/{uuid}/{part}",
        response_class=Response,
        responses=missing | {200: {"content": {"application/octet-stream": {}}, "description": "The file."}},
    )
    def download(uuid: Uuid, part: Annotated[LogPart, Path(description="Which part.")], identity: Viewer) -> Response:
        """Return a part of a record, byte for byte: input, source (what the map saw), output or messages."""
        record_of(identity, uuid)
        return Response(operations.log_payload(uuid, part), media_type="application/octet-stream")

    @routes.post("/{uuid}/reprocess", status_code=204, responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT))
    def reprocess(uuid: Uuid, identity: Operator) -> None:
        """Have a FAILED record run again, with the rules as they are now."""
        record_of(identity, uuid)
        operations.reprocess(uuid)

    return routes
