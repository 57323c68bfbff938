"""What was applied, by whom."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel

from reconciler.errors import NotFoundError
from reconciler.live.views import RevisionView
from reconciler.model.noun import Json
from reconciler.store.tokens import Identity
from reconciler.web.access import ForbiddenError
from reconciler.web.api.caller import Viewer
from reconciler.web.api.paging import Limit, Offset, Page, page
from reconciler.web.api.problems import documented
from reconciler.web.operations import Operations


class RevisionItem(BaseModel):
    """One applied plan, or a change by hand for a reason (`by_hand`)."""

    number: int
    applied_at: datetime
    actor: str
    by_hand: str


class RevisionPlan(RevisionItem):
    """One applied plan, with the plan."""

    plan: dict[str, Json]


def everything(identity: Identity) -> None:
    """Raise ForbiddenError when whoever is at work is limited to an account: this shows all of them."""
    if identity.account is not None:
        raise ForbiddenError(f"{identity.actor} reaches the account {identity.account} only.")


def _item(found: RevisionView) -> RevisionItem:
    return RevisionItem(number=found.number, applied_at=found.applied_at, actor=found.actor, by_hand=found.by_hand)


def router(operations: Operations) -> APIRouter:
    """Return the routes of the history."""
    routes = APIRouter(prefix="/revisions", tags=["state"])

    @routes.get("", responses=documented())
    def list_revisions(identity: Viewer, offset: Offset = 0, limit: Limit = 50) -> Page[RevisionItem]:
        """List what was applied, newest first."""
        everything(identity)
        found = operations.revisions(offset=offset, limit=limit + 1)
        return page([_item(revision) for revision in found], offset, limit)

    @routes.get("/{number}", responses=documented(HTTPStatus.NOT_FOUND))
    def show_revision(number: Annotated[int, Path(ge=1, le=2**31)], identity: Viewer) -> RevisionPlan:
        """Return one applied plan."""
        everything(identity)
        newest = operations.revisions(limit=1)
        offset = newest[0].number - number if newest else -1
        found = operations.revisions(offset=offset, limit=1) if offset >= 0 else []
        if not found:
            raise NotFoundError(f"There is no revision {number}.")
        return RevisionPlan(**_item(found[0]).model_dump(), plan=dict(found[0].plan))

    return routes
