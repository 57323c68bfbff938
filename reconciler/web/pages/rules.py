"""One rule: what it matches, its map, its tests; and trying it out."""

from starlette.responses import Response
from starlette.routing import BaseRoute

from reconciler.errors import BlobError, NotFoundError
from reconciler.jobs.directory import Directory
from reconciler.model.key import Key, Kind
from reconciler.model.rule import Rule
from reconciler.store.tokens import Role
from reconciler.web.access import Access, require_within
from reconciler.web.operations import Operations
from reconciler.web.pages.conversions import readable
from reconciler.web.pages.integrations import parsed
from reconciler.web.pages.patch import yaml_patch
from reconciler.web.pages.reading import Reading
from reconciler.web.pages.visit import Visit, guarded
from reconciler.web.sources import Sources
from reconciler.web.trial import Trial, TryOut

_LATEST = 10
"""Records of the rule that its page lists."""


class Rules:
    """Handlers of the pages of rules."""

    def __init__(
        self, reading: Reading, operations: Operations, directory: Directory, sources: Sources, try_out: TryOut
    ) -> None:
        self._reading = reading
        self._operations = operations
        self._directory = directory
        self._sources = sources
        self._try_out = try_out

    def shown(self, visit: Visit) -> Response:
        """Show a rule."""
        key, rule = self._rule(visit)
        return self._page(visit, key, rule, None)

    def tried(self, visit: Visit) -> Response:
        """Show a rule with what it makes of an uploaded file; nothing is created."""
        key, rule = self._rule(visit)
        name, content = visit.files.get("file", ("", b""))
        mailbox = parsed(visit.form.get("mailbox", ""))
        require_within(visit.identity, str(mailbox))
        trial = (
            self._try_out(key, mailbox, name, content) if name else Trial(file_name="", error="Choose a file first.")
        )
        return self._page(visit, key, rule, trial)

    def _page(self, visit: Visit, key: Key, rule: Rule, trial: Trial | None) -> Response:
        mailbox = key.mailbox_key
        rows, _ = self._reading.mailboxes(account=key.account, text="", offset=0, limit=200)
        return visit.page(
            "rule.html",
            key=key,
            rule=rule,
            files=self._files(rule),
            mailboxes=[mailbox] if mailbox else [row.key for row in rows],
            latest=self._operations.log(rule=str(key), limit=_LATEST),
            drift={change.key: change for change in self._operations.drift_at_hand()},
            patch=yaml_patch,
            source=self._sources.of(key),
            trial=trial,
            said=visit.query.get("said", ""),
        )

    def _files(self, rule: Rule) -> list[tuple[str, str]]:
        """Return the names and the contents of the rule's map and validation files."""
        found = []
        for file in (rule.convert, *rule.validation):
            if file is not None:
                try:
                    found.append((file.name, readable(self._directory.content(file.sha256))))
                except BlobError as error:
                    found.append((file.name, str(error)))
        return found

    def _rule(self, visit: Visit) -> tuple[Key, Rule]:
        key = parsed(visit.params["address"])
        require_within(visit.identity, str(key))
        rule = self._reading.snapshot.state.get(key)
        if key.kind is not Kind.RULE or not isinstance(rule, Rule):
            raise NotFoundError(f"There is no rule {key}.")
        return key, rule


def routes(access: Access, pages: Rules) -> list[BaseRoute]:
    """Return the routes of rules."""
    return [
        guarded(access, "/rules/{address}", pages.shown),
        guarded(access, "/rules/{address}/try", pages.tried, role=Role.VIEWER, methods=("POST",)),
    ]
