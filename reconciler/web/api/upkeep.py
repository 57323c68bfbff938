"""Looking after the gateway itself: jobs, bans, tokens, the audit trail."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from reconciler.store.audit import Call
from reconciler.store.bans import StoredBan
from reconciler.store.job_states import JobState
from reconciler.store.jobs import JobRow
from reconciler.store.tokens import Role, Token
from reconciler.web.access import everything
from reconciler.web.api.caller import Admin, Operator, Viewer
from reconciler.web.api.paging import Limit, Offset, Page, page
from reconciler.web.api.problems import documented
from reconciler.web.keeper import Keeper

_LONGEST = 3650 * 86400
"""Seconds that a token lasts at the most."""


class Numbers(BaseModel, extra="forbid"):
    """Dead jobs, by their numbers."""

    numbers: list[Annotated[int, Field(ge=1, le=2**53)]] = Field(max_length=1000)


class BanSubject(BaseModel, extra="forbid"):
    """Who is let in again, as the list of bans says it."""

    subject: str = Field(max_length=300, examples=["address 192.0.2.1"])


class WantedToken(BaseModel, extra="forbid"):
    """A token that is to be made: for all accounts or for one, for so many seconds."""

    name: str = Field(min_length=1, max_length=100, pattern=r"^[\w.@+-]+$")
    role: Role
    account: str | None = Field(default=None, max_length=100)
    lifetime: int = Field(ge=1, le=_LONGEST)


class MadeToken(BaseModel):
    """The token, which is shown this once."""

    token: str


class TokenName(BaseModel, extra="forbid"):
    """A token by its name."""

    name: str = Field(max_length=100)


def router(keeper: Keeper) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()
    _add_jobs(routes, keeper)
    _add_doors(routes, keeper)
    return routes


def _add_jobs(routes: APIRouter, keeper: Keeper) -> None:
    ending = documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)

    @routes.get("/jobs", tags=["jobs"], responses=documented())
    def list_jobs(
        identity: Viewer,
        state: Annotated[list[JobState] | None, Query(description="In one of these states. Default: dead.")] = None,
        offset: Offset = 0,
        limit: Limit = 50,
    ) -> Page[JobRow]:
        """List jobs, oldest first: those that were given up, or those in the states that are named."""
        everything(identity)
        found = keeper.jobs(state or [JobState.DEAD], limit + 1, offset)
        return page(found, offset, limit)

    def changing(path: str, change: Callable[[Sequence[int]], list[JobRow]], summary: str) -> None:
        def changed(which: Numbers, identity: Operator) -> list[JobRow]:
            everything(identity)
            return change(which.numbers)

        routes.add_api_route(
            f"/jobs/{path}",
            changed,
            methods=["POST"],
            tags=["jobs"],
            summary=summary,
            description="Dead jobs are those that were given up; each is named by its number.",
            operation_id=f"{path}_jobs",
            responses=ending,
        )

    changing("retry", keeper.retry, "Have dead jobs run again, all or none; messages keep their Message-ID.")
    changing("drop", keeper.drop, "Let dead jobs be, all or none.")


def _add_doors(routes: APIRouter, keeper: Keeper) -> None:
    @routes.get("/bans", tags=["access"], responses=documented())
    def list_bans(identity: Viewer) -> list[StoredBan]:
        """List who is banned from the SFTP server now."""
        everything(identity)
        return keeper.bans()

    @routes.post("/bans/lift", tags=["access"], responses=documented())
    def lift_ban(which: BanSubject, identity: Operator) -> bool:
        """Lift a ban; say whether there was one."""
        everything(identity)
        return keeper.lift_ban(which.subject)

    @routes.get("/tokens", tags=["access"], responses=documented())
    def list_tokens(identity: Admin) -> list[Token]:
        """List the tokens, without their secrets."""
        everything(identity)
        return keeper.tokens()

    @routes.post("/tokens", tags=["access"], responses=documented(HTTPStatus.CONFLICT))
    def create_token(wanted: WantedToken, identity: Admin) -> MadeToken:
        """Make a token; it is kept as a digest and can never be shown again."""
        everything(identity)
        lifetime = timedelta(seconds=wanted.lifetime)
        secret = keeper.create_token(
            wanted.name, wanted.role, account=wanted.account, lifetime=lifetime, actor=identity.actor
        )
        return MadeToken(token=secret.reveal())

    @routes.post("/tokens/revoke", status_code=204, tags=["access"], responses=documented(HTTPStatus.NOT_FOUND))
    def revoke_token(which: TokenName, identity: Admin) -> None:
        """End a token at once, and whoever is signed in with it."""
        everything(identity)
        keeper.revoke_token(which.name)

    @routes.get("/audit", tags=["access"], responses=documented())
    def audit(identity: Admin, offset: Offset = 0, limit: Limit = 50) -> Page[Call]:
        """List what was done through the admin API and the pages, newest first."""
        everything(identity)
        return page(keeper.audit(limit + 1, offset), offset, limit)
