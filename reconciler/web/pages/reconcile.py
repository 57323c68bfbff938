"""Reconciling: what was applied, what drifted, how the accounts are, and what expires."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from starlette.responses import Response
from starlette.routing import BaseRoute

from reconciler.errors import NotFoundError, PlanRefusedError
from reconciler.model.key import Key
from reconciler.plan.plan import Plan
from reconciler.plan.render import text
from reconciler.store import conditions, configuration, credentials
from reconciler.store.database import Store
from reconciler.web.access import Access, everything
from reconciler.web.health import Health
from reconciler.web.operations import Operations
from reconciler.web.pages.patch import yaml_patch
from reconciler.web.pages.visit import Visit, guarded

PAGE = 20
SOON = 50
"""Credentials that the page lists, those that end first."""


@dataclass(frozen=True, slots=True)
class Ending:
    """A credential that ends at some time."""

    key: Key
    expires_at: datetime


class Reconcile:
    """Handlers of the pages about reconciling."""

    def __init__(self, store: Store, operations: Operations, health: Health) -> None:
        self._store = store
        self._operations = operations
        self._health = health

    def shown(self, visit: Visit) -> Response:
        """Show what was applied last, what drifted, the conditions and what expires."""
        everything(visit.identity)
        offset = int(visit.query["offset"]) if visit.query.get("offset", "").isdecimal() else 0
        with self._store.read() as connection:
            revisions = configuration.headers(connection, limit=PAGE + 1, offset=min(offset, 10**9))
            found = conditions.all_of(connection)
        return visit.page(
            "reconcile.html",
            revisions=revisions[:PAGE],
            has_more=len(revisions) > PAGE,
            offset=offset,
            page_size=PAGE,
            drift=self._operations.drift(),
            patch=yaml_patch,
            conditions=found,
            endings=self._endings(),
            checks=self._health.look(),
        )

    def revision(self, visit: Visit) -> Response:
        """Show one applied plan."""
        everything(visit.identity)
        number = visit.params["number"]
        if not number.isdecimal():
            raise NotFoundError(f"There is no revision {number}.")
        with self._store.read() as connection:
            found = configuration.revision(connection, min(int(number), 2**31))
        try:
            plan = text.render(Plan.from_json(found.plan))
        except PlanRefusedError:
            plan = ""  # a rotation, or a plan of another format
        return visit.page("revision.html", revision=found, plan=plan)

    def _endings(self) -> Sequence[Ending]:
        with self._store.read() as connection:
            found = [
                Ending(stored.key, stored.expires_at)
                for stored in credentials.all_of(connection)
                if stored.expires_at is not None
            ]
        return sorted(found, key=lambda ending: ending.expires_at)[:SOON]


def routes(access: Access, pages: Reconcile) -> list[BaseRoute]:
    """Return the routes of the pages about reconciling."""
    return [
        guarded(access, "/reconcile", pages.shown),
        guarded(access, "/reconcile/{number}", pages.revision),
    ]
