"""What is configured: accounts, mailboxes, integrations, rules, templates, dictionaries, credentials."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from reconciler.live.views import LiveResource
from reconciler.model.credential import Secret
from reconciler.model.key import Kind
from reconciler.model.noun import Json
from reconciler.model.state import to_json
from reconciler.store.tokens import Identity
from reconciler.web.access import require_within, scoped
from reconciler.web.api.caller import Operator, Viewer
from reconciler.web.api.paging import Account, Address, Limit, Offset, Page, page
from reconciler.web.api.problems import documented
from reconciler.web.operations import Operations

_PLURALS: tuple[tuple[Kind, str], ...] = (
    (Kind.ACCOUNT, "accounts"),
    (Kind.MAILBOX, "mailboxes"),
    (Kind.INTEGRATION, "integrations"),
    (Kind.RULE, "rules"),
    (Kind.TEMPLATE, "templates"),
    (Kind.DICTIONARY, "dictionaries"),
)


Sha256 = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="The SHA-256 of the content, as resources name it.")]


Within = Annotated[
    str | None,
    Query(max_length=500, description="Only what is there and below.", examples=["accounts.acme.mailboxes.orders"]),
]


class LiveItem(BaseModel):
    """A live resource: its address, its kind, what it is, and (a mailbox) its UUID."""

    address: str = Field(examples=["accounts.acme.mailboxes.orders"])
    kind: Kind
    uuid: UUID | None
    resource: dict[str, Json]


class Connection(BaseModel):
    """A mailbox's connection details, secrets included, by name."""

    mailbox: str
    values: dict[str, str]


class Rotated(BaseModel):
    """The addresses of the credentials that were generated anew."""

    generated: list[str]


def live_item(found: LiveResource) -> LiveItem:
    """Return a live resource as the API shows it."""
    return LiveItem(address=str(found.key), kind=found.key.kind, uuid=found.uuid, resource=to_json(found.resource))


def router(operations: Operations) -> APIRouter:
    """Return the routes of what is configured."""
    routes = APIRouter()
    for kind, plural in _PLURALS:
        _add(routes, operations, kind, plural)

    @routes.get("/resources", tags=["state"], responses=documented(HTTPStatus.NOT_FOUND))
    def show(identity: Viewer, address: Within = None) -> list[LiveItem]:
        """Return everything that is live at and below an address, or all there is."""
        return [live_item(found) for found in _within(operations, identity, address)]

    @routes.get(
        "/files/{address}/{sha256}",
        tags=["state"],
        response_class=Response,
        responses=documented(HTTPStatus.NOT_FOUND)
        | {200: {"content": {"application/octet-stream": {}}, "description": "The file."}},
    )
    def download_file(address: Address, sha256: Sha256, identity: Viewer) -> Response:
        """Return a file that a live resource names: a template, map, schema, dictionary or certificate."""
        require_within(identity, address)
        return Response(operations.file(address, sha256), media_type="application/octet-stream")

    @routes.get("/credentials/{address}", tags=["credentials"], responses=documented(HTTPStatus.NOT_FOUND))
    def credentials(address: Address, identity: Operator) -> Connection:
        """Return the connection details of a mailbox, in clear text."""
        require_within(identity, address)
        details = operations.credentials(address)
        return Connection(
            mailbox=str(details.mailbox),
            values={
                name: value.reveal() if isinstance(value, Secret) else value for name, value in details.values.items()
            },
        )

    @routes.post("/credentials/{address}/rotate", tags=["credentials"], responses=documented(HTTPStatus.NOT_FOUND))
    def rotate(address: Address, identity: Operator) -> Rotated:
        """Replace what was generated at and below an address, at once; the old stops working."""
        require_within(identity, address)
        return Rotated(generated=[str(key) for key in operations.rotate(address, actor=identity.actor)])

    return routes


def _within(operations: Operations, identity: Identity, address: str | None) -> Sequence[LiveResource]:
    if address is not None:
        require_within(identity, address)
    elif identity.account is not None:
        address = f"accounts.{identity.account}"
    return operations.show(address)


def _add(routes: APIRouter, operations: Operations, kind: Kind, plural: str) -> None:
    def listed(
        identity: Viewer,
        account: Account = None,
        offset: Offset = 0,
        limit: Limit = 100,
    ) -> Page[LiveItem]:
        within = scoped(identity, account)
        found = operations.of_kind(kind, account=within, offset=offset, limit=limit + 1)
        return page([live_item(item) for item in found], offset, limit)

    def one(address: Address, identity: Viewer) -> LiveItem:
        require_within(identity, address)
        return live_item(operations.one(kind, address))

    routes.add_api_route(
        f"/{plural}",
        listed,
        tags=[plural],
        operation_id=f"list_{plural}",
        summary=f"List {plural}",
        description=f"List the {plural} that are live, by address.",
        responses=documented(),
    )
    routes.add_api_route(
        f"/{plural}/{{address}}",
        one,
        tags=[plural],
        operation_id=f"show_{kind}",
        summary=f"Show one of the {plural}",
        description=f"Return one of the {plural} that are live.",
        responses=documented(HTTPStatus.NOT_FOUND),
    )
