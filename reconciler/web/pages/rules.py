"""One rule: what it matches, its map, its tests; and trying it out."""

from collections.abc import Mapping
from types import MappingProxyType

from starlette.responses import Response
from starlette.routing import BaseRoute

from reconciler.errors import BlobError, NotFoundError
from reconciler.jobs.directory import Directory
from reconciler.live.views import RuleTestRun
from reconciler.model.key import Key, Kind
from reconciler.model.rule import Rule, RuleTest
from reconciler.store.tokens import Role
from reconciler.web.access import Access, require_within
from reconciler.web.api.rule_tests import TestFile, file_of, test_of
from reconciler.web.operations import Operations
from reconciler.web.pages.conversions import attachment, readable
from reconciler.web.pages.integrations import parsed
from reconciler.web.pages.patch import yaml_patch
from reconciler.web.pages.reading import Reading
from reconciler.web.pages.visit import Visit, guarded
from reconciler.web.sources import Sources
from reconciler.web.trial import Trial, TryOut

_LATEST = 10
"""Records of the rule that its page lists."""

NONE_RUN: Mapping[str, RuleTestRun] = MappingProxyType({})


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
        sample = visit.form.get("test")
        if sample is None:
            name, content = visit.files.get("file", ("", b""))
            mailbox = parsed(visit.form.get("mailbox", ""))
        else:
            test = test_of(rule, sample)
            name, content = test.input.name, file_of(test, "input", self._directory)
            mailbox = self._mailbox_of(key, test)
        require_within(visit.identity, str(mailbox))
        trial = (
            self._try_out(key, mailbox, name, content) if name else Trial(file_name="", error="Choose a file first.")
        )
        return self._page(visit, key, rule, trial)

    def tested(self, visit: Visit) -> Response:
        """Show a rule with the results of its tests; nothing is created."""
        key, rule = self._rule(visit)
        return self._page(visit, key, rule, None, {run.name: run for run in self._try_out.tests(key)})

    def sample(self, visit: Visit) -> Response:
        """Show the input of a test beside what has to come out."""
        key, rule = self._rule(visit)
        name = visit.query.get("name", "")
        test = test_of(rule, name)
        shown: dict[TestFile, str] = {"input": readable(file_of(test, "input", self._directory))}
        if test.expect is not None:
            shown["expect"] = readable(file_of(test, "expect", self._directory))
        return visit.page("sample.html", key=key, rule=rule, name=name, test=test, shown=shown)

    def download(self, visit: Visit) -> Response:
        """Return a file of a test, byte for byte, never to be opened in the page's name."""
        _, rule = self._rule(visit)
        test = test_of(rule, visit.query.get("name", ""))
        file = {"input": test.input, "expect": test.expect}.get(visit.params["part"])
        if file is None:
            raise NotFoundError("This test has no such file.")
        return attachment(self._directory.content(file.sha256), file.name)

    def _mailbox_of(self, key: Key, test: RuleTest) -> Key:
        """Return the mailbox in which a test converts."""
        if key.mailbox_key is not None:
            return key.mailbox_key
        account = Key(key.path[:2])
        if test.mailbox is not None:
            return account.mailbox(test.mailbox)
        rows, _ = self._reading.mailboxes(account=key.account, text="", offset=0, limit=1)
        return rows[0].key if rows else account

    def _page(
        self, visit: Visit, key: Key, rule: Rule, trial: Trial | None, runs: Mapping[str, RuleTestRun] = NONE_RUN
    ) -> Response:
        mailbox = key.mailbox_key
        rows, _ = self._reading.mailboxes(account=key.account, text="", offset=0, limit=200)
        return visit.page(
            "rule.html",
            key=key,
            rule=rule,
            declared=self._reading.snapshot.template_key(rule.template),
            files=self._files(rule),
            mailboxes=[mailbox] if mailbox else [row.key for row in rows],
            latest=self._operations.log(rule=str(key), limit=_LATEST),
            drift={change.key: change for change in self._operations.drift_at_hand()},
            patch=yaml_patch,
            source=self._sources.of(key),
            trial=trial,
            runs=runs,
            failed=sum(bool(run.fault) for run in runs.values()),
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
        guarded(access, "/rules/{address}/tests", pages.sample),
        guarded(access, "/rules/{address}/tests/run", pages.tested, role=Role.VIEWER, methods=("POST",)),
        guarded(access, "/rules/{address}/tests/{part}", pages.download),
    ]
