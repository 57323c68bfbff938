"""What the pages show of the store: read a page at a time, so that ten thousand mailboxes cost as little as ten."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from time import monotonic
from uuid import UUID

from reconciler.jobs.directory import Directory, Snapshot
from reconciler.model.integration import Integration
from reconciler.model.key import Key, Kind
from reconciler.model.mailbox import Mailbox
from reconciler.model.rule import Rule
from reconciler.store import conversions, jobs, search
from reconciler.store.conversions import ConversionStatus
from reconciler.store.database import Store
from reconciler.store.search import LogFilter

RECENT = timedelta(days=30)
"""The time of which succeeded and failed conversions are counted."""

CHART_AGE = 20.0
"""Seconds for which a chart is shown again: what it counts is much, and changes little."""

MOST_CHARTS = 200

DAYS = 14
"""Days that the chart shows."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Conversions of the last thirty days."""

    succeeded: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class MailboxRow:
    """A mailbox with what the list shows of it."""

    key: Key
    uuid: UUID
    mailbox: Mailbox
    integration: Integration | None
    counts: Counts = Counts()


@dataclass(frozen=True, slots=True)
class Bar:
    """A day of the chart: conversions that succeeded and failed, and the heights (0 to 100) at which they are drawn."""

    day: datetime
    succeeded: int
    failed: int
    succeeded_height: float
    failed_height: float


class Reading:
    """Reads for the pages."""

    def __init__(self, store: Store, directory: Directory) -> None:
        self.store = store
        self._directory = directory
        self._charts: dict[LogFilter, tuple[float, list[Bar]]] = {}
        self._accounts: tuple[int, Sequence[str]] = (-1, ())
        self._listed: tuple[int, Sequence[tuple[str, Key]]] = (-1, ())

    @property
    def snapshot(self) -> Snapshot:
        """The configuration as it is now."""
        return self._directory.current()

    def accounts(self, within: str | None) -> Sequence[str]:
        """Return the names of the accounts within reach."""
        snapshot = self.snapshot
        if self._accounts[0] != snapshot.revision:
            found = sorted(key.name for key in snapshot.state.resources if key.kind is Kind.ACCOUNT)
            self._accounts = (snapshot.revision, found)
        return [name for name in self._accounts[1] if within in (None, name)]

    def mailboxes(self, *, account: str | None, text: str, offset: int, limit: int) -> tuple[list[MailboxRow], int]:
        """Return a page of the mailboxes of which every word is said by address, name, alias or UUID; and how many."""
        snapshot = self.snapshot
        words = text.lower().split()
        found = [
            key
            for said, key in self._searchable(snapshot)
            if (account is None or key.account == account) and all(word in said for word in words)
        ]
        keys = found[offset : offset + limit]
        counts = self.counts([uuid for key in keys if (uuid := snapshot.uuid(key))])
        rows = []
        for key in keys:
            uuid, mailbox = snapshot.uuid(key), snapshot.state.get(key)
            if uuid is not None and isinstance(mailbox, Mailbox):
                rows.append(MailboxRow(key, uuid, mailbox, snapshot.integration(key), counts.get(uuid, Counts())))
        return rows, len(found)

    def _searchable(self, snapshot: Snapshot) -> Sequence[tuple[str, Key]]:
        revision, listed = self._listed
        if revision != snapshot.revision:
            listed = sorted(
                (
                    (f"{key} {mailbox.name} {' '.join(mailbox.aliases)} {snapshot.uuid(key)}".lower(), key)
                    for key, mailbox in snapshot.state.of(Mailbox)
                ),
                key=lambda pair: pair[1],
            )
            self._listed = (snapshot.revision, listed)
        return listed

    def hurried(self) -> int:
        """Return how many jobs that a person asked for are not done yet."""
        with self.store.read() as connection:
            return jobs.hurried(connection)

    def counts(self, mailboxes: Sequence[UUID]) -> Mapping[UUID, Counts]:
        """Return how many conversions of each mailbox succeeded and failed lately."""
        with self.store.read() as connection:
            found = conversions.counts(connection, mailboxes, datetime.now(UTC) - RECENT)
        return {
            uuid: Counts(
                sum(count for status, count in by_status.items() if status != ConversionStatus.FAILED),
                by_status.get(ConversionStatus.FAILED, 0),
            )
            for uuid, by_status in found.items()
        }

    def rules(self, mailbox: Key, *, account_rules: bool) -> list[tuple[Key, Rule]]:
        """Return the rules of a mailbox in the order in which they are tried, with those of its account or without."""
        owners = [mailbox, mailbox.owner] if account_rules else [mailbox]
        snapshot = self.snapshot
        return [pair for owner in owners if owner is not None for pair in snapshot.rules_of(owner)]

    def neighbours(self, mailbox: Key, *, limit: int) -> list[Key]:
        """Return the mailboxes of the same account."""
        found = (key for _, key in self._searchable(self.snapshot) if key.account == mailbox.account)
        return list(islice(found, limit))

    def chart(self, wanted: LogFilter) -> list[Bar]:
        """Return the conversions of each of the last days, as they were some seconds ago at the most."""
        known = self._charts.get(wanted)
        if known is None or monotonic() - known[0] > CHART_AGE:
            if len(self._charts) > MOST_CHARTS:
                self._charts.clear()
            known = self._charts[wanted] = (monotonic(), self._chart(wanted))
        return known[1]

    def _chart(self, wanted: LogFilter) -> list[Bar]:
        day = 86400
        today = int(datetime.now(UTC).timestamp()) // day
        first = datetime.fromtimestamp((today - DAYS + 1) * day, UTC)
        with self.store.read() as connection:
            found = search.outcomes(connection, search.since(wanted, first), day)
        per_day = []
        for number in range(today - DAYS + 1, today + 1):
            failed = found.get((number, ConversionStatus.FAILED.value), 0)
            total = sum(count for (span, _), count in found.items() if span == number)
            per_day.append((datetime.fromtimestamp(number * day, UTC), total - failed, failed))
        most = max((succeeded + failed for _, succeeded, failed in per_day), default=0) or 1
        return [
            Bar(when, succeeded, failed, 100 * succeeded / most, 100 * failed / most)
            for when, succeeded, failed in per_day
        ]
