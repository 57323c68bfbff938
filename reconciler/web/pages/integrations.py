"""The integrations page: every mailbox, and how each one is reached."""

from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute

from reconciler.errors import NotFoundError, ReconcilerError
from reconciler.model.credential import Secret
from reconciler.model.key import Key, Kind
from reconciler.model.mailbox import Mailbox
from reconciler.store.tokens import Role
from reconciler.web.access import Access, require, require_within, scoped
from reconciler.web.operations import Operations
from reconciler.web.pages.patch import yaml_patch
from reconciler.web.pages.reading import Counts, Reading
from reconciler.web.pages.visit import Visit, guarded, see_other
from reconciler.web.sources import Sources

PAGE = 50
"""Mailboxes that the list shows at a time."""


class Integrations:
    """Handlers of the integrations pages."""

    def __init__(self, reading: Reading, operations: Operations, sources: Sources) -> None:
        self._reading = reading
        self._operations = operations
        self._sources = sources

    def listed(self, visit: Visit) -> Response:
        """Show the mailboxes, those left out that the search does not want."""
        account = scoped(visit.identity, visit.query.get("account") or None)
        offset = _number(visit.query.get("offset"))
        text = visit.query.get("q", "")
        rows, total = self._reading.mailboxes(account=account, text=text, offset=offset, limit=PAGE)
        return visit.page(
            "integrations.html",
            rows=rows,
            total=total,
            offset=offset,
            page_size=PAGE,
            text=text,
            account=account or "",
            accounts=self._reading.accounts(visit.identity.account),
        )

    def shown(self, visit: Visit) -> Response:
        """Show how one mailbox is reached."""
        key = self._mailbox(visit)
        snapshot = self._reading.snapshot
        mailbox, uuid = snapshot.state.get(key), snapshot.uuid(key)
        if not isinstance(mailbox, Mailbox) or uuid is None:
            raise NotFoundError(f"There is no mailbox {key}.")
        account_rules = visit.query.get("account_rules", "1") == "1"
        integration = snapshot.integration(key)
        return visit.page(
            "integration.html",
            key=key,
            uuid=uuid,
            mailbox=mailbox,
            integration=integration,
            neighbours=self._reading.neighbours(key, limit=200),
            values=self._values(visit, key) if integration else [],
            rules=self._reading.rules(key, account_rules=account_rules),
            account_rules=account_rules,
            counts=self._reading.counts([uuid]).get(uuid, Counts()),
            drift={change.key: change for change in self._operations.drift_at_hand()},
            patch=yaml_patch,
            origin=self._sources.of,
            said=visit.query.get("said", ""),
        )

    def _values(self, visit: Visit, key: Key) -> list[tuple[str, str, bool]]:
        """Return the connection details as name, value and whether it is hidden: a secret is, until it is asked for."""
        reveal = visit.query.get("reveal", "") if visit.may(Role.OPERATOR) else ""
        shown = []
        for name, value in self._operations.credentials(str(key)).values.items():
            hidden = isinstance(value, Secret) and name != reveal
            text = value.reveal() if isinstance(value, Secret) else value
            shown.append((name, "" if hidden else text, hidden))
        return shown

    def value(self, visit: Visit) -> Response:
        """Return one connection detail as text, for the clipboard."""
        value = self._operations.credentials(str(self._mailbox(visit))).values.get(visit.form.get("name", ""))
        if value is None:
            raise NotFoundError("There is no such value.")
        if isinstance(value, Secret):
            require(visit.identity, Role.OPERATOR)
        return PlainTextResponse(
            value.reveal() if isinstance(value, Secret) else value, headers={"Cache-Control": "no-store"}
        )

    def reset(self, visit: Visit) -> Response:
        """Replace the generated credentials by new ones."""
        key = self._mailbox(visit)
        self._operations.rotate(str(key.integration), actor=visit.identity.actor)
        return see_other(f"/integrations/{key}", "reset")

    def switch(self, visit: Visit) -> Response:
        """Switch an integration or a rule past the configuration, for a reason."""
        key = parsed(visit.form.get("address", ""))
        require_within(visit.identity, str(key))
        reason = visit.form.get("reason", "").strip()
        if not reason:
            raise ReconcilerError("Say why; whoever reconciles this wants to know.")
        on = visit.form.get("on") == "1"
        self._operations.switch(str(key), on=on, actor=visit.identity.actor, reason=reason)
        back = key.mailbox_key
        return see_other(f"/rules/{key}" if key.kind is Kind.RULE else f"/integrations/{back}", "switched")

    @staticmethod
    def _mailbox(visit: Visit) -> Key:
        key = parsed(visit.params["address"])
        require_within(visit.identity, str(key))
        if key.kind is not Kind.MAILBOX:
            raise NotFoundError(f"{key} is no mailbox.")
        return key


def parsed(address: str) -> Key:
    """Return the key of an address. Raises NotFoundError."""
    try:
        return Key.parse(address)
    except ValueError as error:
        raise NotFoundError(str(error)) from None


def _number(text: str | None) -> int:
    return min(int(text), 10**9) if text and text.isascii() and text.isdigit() else 0


def routes(access: Access, pages: Integrations) -> list[BaseRoute]:
    """Return the routes of the integrations pages."""
    return [
        guarded(access, "/integrations", pages.listed),
        guarded(access, "/integrations/{address}", pages.shown),
        guarded(access, "/integrations/{address}/value", pages.value, methods=("POST",)),
        guarded(access, "/integrations/{address}/reset", pages.reset, role=Role.OPERATOR, methods=("POST",)),
        guarded(access, "/switch", pages.switch, role=Role.OPERATOR, methods=("POST",)),
    ]
