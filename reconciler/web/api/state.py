"""The live side for those who reconcile with it from afar: reading, planning, applying, and being alone meanwhile."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import Base64Bytes, BaseModel, Field, JsonValue

from reconciler.apply.lease import APPLY, LENGTH, Held
from reconciler.apply.run import Origin, run
from reconciler.errors import PlanRefusedError
from reconciler.jobs.directory import Directory
from reconciler.live import history, wire
from reconciler.live.store_live import live_side
from reconciler.live.wire import (
    DriftDocument,
    RevisionDocument,
    StateDocument,
    StatusDocument,
)
from reconciler.model.key import Key
from reconciler.model.source_file import digest
from reconciler.plan.making import Terms, Wish, make
from reconciler.plan.plan import Plan
from reconciler.store import configuration, leases, suspensions, undelivered
from reconciler.store.database import Store
from reconciler.web.access import everything, require_within
from reconciler.web.api.caller import Admin, Viewer
from reconciler.web.api.paging import Address, Limit, Offset, Page, page
from reconciler.web.api.problems import HeldError, InvalidError, documented
from reconciler.web.operations import Operations

LeaseToken = Annotated[
    str | None, Query(max_length=32, description="The holder's token; without it the lease is taken away.")
]
LeaseName = Annotated[Literal["apply", "watch"], Path(description="What is done alone.")]


class Desired(BaseModel, extra="forbid"):
    """What is desired: resources by address, as `GET /state` returns them, and on what terms."""

    resources: dict[str, dict[str, JsonValue]]
    prune: bool = False
    adopt: bool = False
    allow_destroy: int | None = Field(default=None, ge=0)


class Application(BaseModel, extra="forbid"):
    """A plan, the files that it names by SHA-256 (base64), where it comes from, and the lease that is held."""

    plan: dict[str, JsonValue]
    files: dict[str, Base64Bytes] = {}
    config_hash: str = Field(default="", max_length=64)
    commit: str = Field(default="", max_length=64)
    places: dict[str, str] = Field(default={}, description="Where what is changed is written: file:line by address.")
    lease: str | None = Field(default=None, max_length=32)


class Done(BaseModel):
    """The revision that is live now, and the addresses of the credentials that were generated."""

    revision: int
    generated: list[str]


class Undelivered(BaseModel):
    """Envelopes of a mailbox that are not delivered yet."""

    count: int


class Claim(BaseModel, extra="forbid"):
    """Who wants a lease; the token, made up by the holder, is its proof."""

    owner: str = Field(min_length=1, max_length=300)
    token: str = Field(pattern="^[0-9a-f]{32}$")


class Suspended(BaseModel, extra="forbid"):
    """Until when an address is held out of reconciling (null: until it is resumed), and why."""

    until: datetime | None = None
    reason: str = Field(min_length=1, max_length=1000)


def router(store: Store, directory: Directory, operations: Operations) -> APIRouter:
    """Return the routes of the live side."""
    routes = APIRouter(tags=["state"])
    conflicts = documented(HTTPStatus.CONFLICT)
    _add_reading(routes, store, directory, operations)
    _add_leases(routes, store)
    _add_suspensions(routes, store)

    @routes.post("/plan", responses=conflicts)
    def plan(desired: Desired, identity: Viewer) -> dict[str, JsonValue]:
        """Return the plan that makes the live side what is desired; nothing is written."""
        everything(identity)
        try:
            wish = Wish(state=wire.state(desired.resources))
        except ValueError as error:
            raise InvalidError(str(error)) from None
        terms = Terms(prune=desired.prune, adopt=desired.adopt, allow_destroy=desired.allow_destroy)
        return make(live_side(store), wish, terms, now=datetime.now(UTC)).to_json()

    @routes.post("/apply", responses=conflicts)
    def apply(wanted: Application, identity: Admin) -> Done:
        """Make a plan true, all or nothing; it is refused when the live side moved since it was made."""
        made = Plan.from_json(wanted.plan)
        for change in made.changes:
            require_within(identity, str(change.key))
        for sha256, content in wanted.files.items():
            if digest(content) != sha256:
                raise PlanRefusedError(f"The file {sha256} is not the one that the plan names.")
        lease = Held(APPLY, wanted.lease) if wanted.lease else None
        origin = Origin(wanted.config_hash, wanted.commit, places=wanted.places)
        done = run(store, made, wanted.files, actor=identity.actor, origin=origin, lease=lease)
        return Done(revision=done.revision, generated=[str(key) for key in done.generated])

    return routes


def _add_reading(routes: APIRouter, store: Store, directory: Directory, operations: Operations) -> None:
    @routes.get("/state", responses=documented())
    def read_state(identity: Viewer) -> StateDocument:
        """Return everything that is live, as of one moment. Credentials are their specifications, never secrets."""
        everything(identity)
        return StateDocument.of(live_side(store))

    @routes.get("/undelivered/{address}", responses=documented(HTTPStatus.NOT_FOUND))
    def count_undelivered(address: Address, identity: Viewer) -> Undelivered:
        """Return how many envelopes of a mailbox are not delivered yet."""
        require_within(identity, address)
        uuid = directory.current().uuid(_key(address))
        with store.read() as connection:
            return Undelivered(count=undelivered.count(connection, uuid) if uuid else 0)

    @routes.get("/status", responses=documented())
    def status(identity: Viewer) -> StatusDocument:
        """Return how the gateway is: listeners, queue, what is applied, what the watcher says, what failed last."""
        everything(identity)
        return StatusDocument.of(operations.status())

    @routes.get("/drift", responses=documented())
    def drift(identity: Viewer) -> list[DriftDocument]:
        """Return where the live side is not what was last applied."""
        everything(identity)
        with store.read() as connection:
            return [DriftDocument.of(item) for item in history.drift(connection)]

    @routes.get("/revisions", responses=documented())
    def list_revisions(identity: Viewer, offset: Offset = 0, limit: Limit = 50) -> Page[RevisionDocument]:
        """List what was applied, newest first, without the plans."""
        everything(identity)
        with store.read() as connection:
            found = configuration.headers(connection, limit=limit + 1, offset=offset)
        return page([RevisionDocument.of(revision) for revision in found], offset, limit)

    number = Path(ge=1, le=2**31, description="The number of the revision.")

    @routes.get("/revisions/{number}", responses=documented(HTTPStatus.NOT_FOUND))
    def show_revision(number: Annotated[int, number], identity: Viewer) -> RevisionDocument:
        """Return one applied plan."""
        everything(identity)
        with store.read() as connection:
            return RevisionDocument.of(configuration.revision(connection, number))

    @routes.get("/revisions/{number}/state", responses=documented(HTTPStatus.NOT_FOUND))
    def state_at(number: Annotated[int, number], identity: Viewer) -> StateDocument:
        """Return what was live at a revision."""
        everything(identity)
        with store.read() as connection:
            return StateDocument(revision=number, resources=wire.resources(history.state_at(connection, number)))


def _add_leases(routes: APIRouter, store: Store) -> None:
    @routes.post("/leases/{name}", status_code=204, responses=documented(HTTPStatus.CONFLICT))
    def acquire(name: LeaseName, claim: Claim, identity: Admin) -> None:
        """Take a lease that nobody holds; it runs out after 30 seconds unless it is renewed."""
        everything(identity)
        owner = f"{identity.actor}: {claim.owner}"
        with store.write() as tx:
            if leases.acquire(tx, name, owner=owner, token=claim.token, length=LENGTH):
                return
            other = leases.find(tx, name)
        since = f" since {other.acquired_at:%Y-%m-%d %H:%M:%S} UTC" if other else ""
        raise HeldError(
            f"{other.owner if other else 'Another'} has the lease on {name}{since}. Wait longer with --lock-timeout, "
            "or, when its holder is dead: reconciler lock release"
        )

    @routes.put("/leases/{name}", status_code=204, responses=documented(HTTPStatus.CONFLICT))
    def renew(name: LeaseName, claim: Claim, identity: Admin) -> None:
        """Prolong a lease from now."""
        everything(identity)
        with store.write() as tx:
            leases.renew(tx, name, token=claim.token, length=LENGTH)

    @routes.delete("/leases/{name}", responses=documented())
    def release(name: LeaseName, identity: Admin, token: LeaseToken = None) -> bool:
        """Give a lease back, or (without its token) take it from its holder; say whether there was one."""
        everything(identity)
        with store.write() as tx:
            return leases.release(tx, name, token=token)


def _add_suspensions(routes: APIRouter, store: Store) -> None:
    ending = documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)

    @routes.put("/suspensions/{address}", status_code=204, responses=ending)
    def suspend(address: Address, wanted: Suspended, identity: Admin) -> None:
        """Hold an address out of reconciling, with all that is below it."""
        require_within(identity, address)
        until = wanted.until
        if until is not None and until.tzinfo is None:
            until = until.replace(tzinfo=UTC)
        with store.write() as tx:
            suspensions.suspend(tx, address, until=until, reason=wanted.reason, actor=identity.actor)

    @routes.delete("/suspensions/{address}", status_code=204, responses=ending)
    def resume(address: Address, identity: Admin) -> None:
        """Take an address back into reconciling."""
        require_within(identity, address)
        with store.write() as tx:
            suspensions.resume(tx, address)


def _key(address: str) -> Key:
    try:
        return Key.parse(address)
    except ValueError as error:
        raise InvalidError(str(error)) from None
