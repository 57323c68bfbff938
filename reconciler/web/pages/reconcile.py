"""Reconciling: what was applied, what drifted, how the accounts are, and what expires."""

from collections.abc import Sequence
from time import monotonic

from starlette.responses import Response
from starlette.routing import BaseRoute

from reconciler.errors import NotFoundError, PlanRefusedError
from reconciler.jobs.expiry import OURS
from reconciler.live.at_hand import AtHand
from reconciler.live.status import CertificateEnd
from reconciler.plan.plan import Plan
from reconciler.plan.render import text
from reconciler.store import conditions, configuration, credentials
from reconciler.store.database import Store
from reconciler.web.access import Access, everything
from reconciler.web.health import Check, Health
from reconciler.web.operations import Operations
from reconciler.web.pages.patch import yaml_patch
from reconciler.web.pages.visit import Visit, guarded

PAGE = 20
SOON = 50
"""Credentials that the page lists, those that end first."""


DRIFTED = 100
"""Resources that drifted, of which the page shows so many."""

PATIENCE = 0.05
"""Seconds that the page waits for what may take longer; it is then asked for once more."""

FRESH = 2.0
"""Seconds for which the gateway's checks are shown again."""


class Reconcile:
    """Handlers of the pages about reconciling. `ends` are those of the certificates."""

    def __init__(
        self, store: Store, operations: Operations, health: Health, ends: AtHand[Sequence[CertificateEnd]]
    ) -> None:
        self._store = store
        self._operations = operations
        self._checks: AtHand[Sequence[Check]] = AtHand(lambda: monotonic() // FRESH, health.look)
        self._ends = ends

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
            conditions=found,
            checks=self._checks.within(PATIENCE),
            drift=self._operations.drift_soon(),
            drift_shown=DRIFTED,
            patch=yaml_patch,
            endings=self._endings(self._ends.within(PATIENCE)),
        )

    def drift(self, visit: Visit) -> Response:
        """Show what drifted, once it is known: what the page does not wait for."""
        everything(visit.identity)
        return visit.page("drift.html", drift=self._operations.drift(), drift_shown=DRIFTED, patch=yaml_patch)

    def checks(self, visit: Visit) -> Response:
        """Show whether the gateway works, once it is known: what the page does not wait for."""
        everything(visit.identity)
        return visit.page("checks.html", checks=self._checks.now())

    def endings(self, visit: Visit) -> Response:
        """Show what expires, once it is known: what the page does not wait for."""
        everything(visit.identity)
        return visit.page("endings.html", endings=self._endings(self._ends.now()))

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

    def _endings(self, certificates: Sequence[CertificateEnd] | None) -> Sequence[CertificateEnd] | None:
        """Return what ends first: credentials that were generated, and partners' certificates."""
        if certificates is None:
            return None
        with self._store.read() as connection:
            ours = [CertificateEnd(str(key), "ours", at) for key, at in credentials.ending_first(connection, SOON)]
        theirs = [end for end in certificates if end.whose != OURS]
        return sorted([*ours, *theirs], key=lambda end: (end.at, end.address))[:SOON]


def routes(access: Access, pages: Reconcile) -> list[BaseRoute]:
    """Return the routes of the pages about reconciling."""
    return [
        guarded(access, "/reconcile", pages.shown),
        guarded(access, "/reconcile/drift", pages.drift),
        guarded(access, "/reconcile/checks", pages.checks),
        guarded(access, "/reconcile/endings", pages.endings),
        guarded(access, "/reconcile/{number}", pages.revision),
    ]
