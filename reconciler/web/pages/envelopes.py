"""Envelopes as people read them."""

from starlette.responses import Response
from starlette.routing import BaseRoute

from reconciler.envelope import xml
from reconciler.envelope.xml import Status
from reconciler.live.views import EnvelopeView
from reconciler.model.integration import REASON_LENGTH
from reconciler.store.tokens import Role
from reconciler.web.access import Access, require_within, scoped
from reconciler.web.operations import Operations
from reconciler.web.pages.conversions import as_uuid, attachment
from reconciler.web.pages.reading import Reading
from reconciler.web.pages.visit import Visit, guarded, see_other

PAGE = 50


class Envelopes:
    """Handlers of the pages of envelopes."""

    def __init__(self, reading: Reading, operations: Operations) -> None:
        self._reading = reading
        self._operations = operations

    def listed(self, visit: Visit) -> Response:
        """Show envelopes, those left out that the filters do not want."""
        filters = {name: visit.query.get(name, "").strip() for name in ("account", "mailbox", "status", "subject")}
        offset = int(visit.query["offset"]) if visit.query.get("offset", "").isdecimal() else 0
        if filters["mailbox"]:
            require_within(visit.identity, filters["mailbox"])
        found = self._operations.envelopes(
            account=scoped(visit.identity, filters["account"] or None),
            mailbox=filters["mailbox"] or None,
            status=filters["status"] if filters["status"] in set(Status) else None,
            subject=filters["subject"],
            offset=min(offset, 10**9),
            limit=PAGE + 1,
        )
        return visit.page(
            "envelopes.html",
            envelopes=found[:PAGE],
            has_more=len(found) > PAGE,
            offset=offset,
            page_size=PAGE,
            filters=filters,
            statuses=list(Status),
            accounts=self._reading.accounts(visit.identity.account),
        )

    def shown(self, visit: Visit) -> Response:
        """Show one envelope: its fields, its roles, its state, its history."""
        found = self._envelope(visit)
        content = xml.parse(self._operations.envelope_xml(found.uuid))
        keys = self._reading.snapshot.keys
        return visit.page(
            "envelope.html",
            envelope=found,
            content=content,
            mailbox_name=lambda uuid: str(keys.get(uuid, uuid)),
            is_open=found.status in {Status.SENT, Status.WAITING},
            reason_length=REASON_LENGTH,
            said=visit.query.get("said", ""),
        )

    def reject(self, visit: Visit) -> Response:
        """Reject an envelope for a reason that its sender sees."""
        found = self._envelope(visit)
        mailbox = visit.form.get("mailbox", "")
        require_within(visit.identity, mailbox)
        self._operations.reject(found.uuid, mailbox, visit.form.get("reason", "").strip())
        return see_other(f"/envelopes/{found.uuid}", "rejected")

    def complete(self, visit: Visit) -> Response:
        """Complete an envelope."""
        found = self._envelope(visit)
        mailbox = visit.form.get("mailbox", "")
        require_within(visit.identity, mailbox)
        self._operations.complete(found.uuid, mailbox)
        return see_other(f"/envelopes/{found.uuid}", "completed")

    def xml(self, visit: Visit) -> Response:
        """Return the envelope's XML."""
        found = self._envelope(visit)
        return attachment(self._operations.envelope_xml(found.uuid), f"{found.uuid}.xml")

    def archive(self, visit: Visit) -> Response:
        """Return the envelope's archive."""
        found = self._envelope(visit)
        return attachment(self._operations.envelope_archive(found.uuid), f"{found.uuid}.zip")

    def _envelope(self, visit: Visit) -> EnvelopeView:
        found = self._operations.envelope(as_uuid(visit.params["uuid"]))
        require_within(visit.identity, found.sender, *found.recipients)
        return found


def routes(access: Access, pages: Envelopes) -> list[BaseRoute]:
    """Return the routes of envelopes."""
    return [
        guarded(access, "/envelopes", pages.listed),
        guarded(access, "/envelopes/{uuid}", pages.shown),
        guarded(access, "/envelopes/{uuid}/xml", pages.xml),
        guarded(access, "/envelopes/{uuid}/archive", pages.archive),
        guarded(access, "/envelopes/{uuid}/reject", pages.reject, role=Role.OPERATOR, methods=("POST",)),
        guarded(access, "/envelopes/{uuid}/complete", pages.complete, role=Role.OPERATOR, methods=("POST",)),
    ]
