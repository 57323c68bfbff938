"""One round of watching: load, plan, apply what the policy allows, and say of each account how it is."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from reconciler.desired.render import render_problems
from reconciler.errors import ConfigurationError, LeaseLostError, Position, ReconcilerError
from reconciler.model.key import Key
from reconciler.plan.making import Terms, Wish
from reconciler.plan.plan import Plan
from reconciler.plan.render import text
from reconciler.plan.selection import Selection
from reconciler.store.conditions import Condition, ConditionType
from reconciler.watch.backoff import Backoff

_log = logging.getLogger(__name__)

GATEWAY = "gateway"
"""What stands in an account's place for the resources that belong to none."""


@dataclass(frozen=True, slots=True)
class Good:
    """A configuration that is right: what it asks for, its files by SHA-256, hash, commit, and where it is written."""

    wish: Wish
    files: Mapping[str, bytes]
    config_hash: str
    commit: str
    positions: Mapping[Key, Position] = field(default_factory=dict)


class Reconciled(Protocol):
    """The configuration and the live side that a watcher keeps together."""

    def newest(self) -> Good:
        """Load the newest configuration. Raises ConfigurationError, and ReconcilerError when it is out of reach."""
        ...

    def commit(self) -> str:
        """Return the commit that was loaded last, right or wrong; empty outside git."""
        ...

    def applied(self) -> Good | None:
        """Return the configuration that was applied last, or None before the first."""
        ...

    def applied_hash(self) -> str:
        """Return the hash of the configuration that was applied last."""
        ...

    def plan(self, good: Good, terms: Terms) -> Plan:
        """Plan it."""
        ...

    def apply(self, plan: Plan, good: Good) -> int:
        """Apply the plan; return the revision."""
        ...

    def accounts(self) -> frozenset[str]:
        """Return the accounts that are live."""
        ...

    def record(self, conditions: list[Condition]) -> None:
        """Keep what is said of each account."""
        ...


@dataclass(frozen=True, slots=True)
class Policy:
    """What a watcher may do besides applying a new configuration: heal drift, destroy what is no longer wanted."""

    heal: bool = True
    prune: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a round ended: whether the newest configuration is right and live, and why not."""

    ok: bool
    commit: str
    message: str


class Rounds:
    """The rounds of one watcher, with what it remembers from one to the next."""

    def __init__(self, reconciled: Reconciled, policy: Policy, interval: timedelta) -> None:
        self._reconciled = reconciled
        self._policy = policy
        self._good: Good | None = None
        self._backoff = Backoff(interval)
        self._troubles: dict[str, str] = {}
        self._settled = ""

    def run(self) -> Outcome:
        """Reconcile once. Raises LeaseLostError when another watches now; every other trouble is in the outcome."""
        wrong = self._load()
        good = self._good or self._reconciled.applied()
        if good is None:
            return self._ended(Outcome(ok=False, commit=self._reconciled.commit(), message=wrong), None)
        try:
            left = self._reconcile(good)
        except LeaseLostError:
            raise
        except ReconcilerError as error:
            return self._ended(Outcome(ok=False, commit=good.commit, message=wrong or str(error)), None)
        message = wrong or "; ".join(f"{account}: {why}" for account, why in sorted(self._troubles.items()))
        if not message and not left.is_empty:
            message = text.summary(left)
        return self._ended(Outcome(ok=not message, commit=self._reconciled.commit(), message=message), left)

    def _load(self) -> str:
        """Take up the newest configuration if it is right; return what is wrong with it, else nothing."""
        try:
            good = self._reconciled.newest()
        except ConfigurationError as error:
            _log.error("the configuration is wrong, the last good one stays:\n%s", render_problems(error.problems))
            first = error.problems[0]
            more = f" and {len(error.problems) - 1} more" if len(error.problems) > 1 else ""
            return f"{first.position}: {first.message}{more}"
        except ReconcilerError as error:
            _log.error("the configuration is out of reach, the last good one stays: %s", error)
            return str(error)
        if self._good is not None and good.config_hash != self._good.config_hash:
            self._backoff = Backoff(self._backoff.interval)  # another configuration is another chance
            self._troubles = {}
        self._good = good
        return ""

    def _reconcile(self, good: Good) -> Plan:
        """Apply what is to be applied, and return what is left to do."""
        now = datetime.now(UTC)
        is_new = good.config_hash not in {self._settled, self._reconciled.applied_hash()}
        resting = self._backoff.resting(now)
        terms = self._terms(exclude=resting)
        plan = self._reconciled.plan(good, terms)
        self._backoff = self._backoff.calm(self._reconciled.accounts() - _accounts(plan), now)
        if not plan.is_empty and (is_new or self._policy.heal):
            _log.info("%s:\n%s", "applying" if is_new else "healing", text.render(plan))
            self._apply(plan, good, terms, is_new=is_new)
        if not self._troubles:
            self._settled = good.config_hash
        return self._reconciled.plan(good, self._terms())

    def _terms(self, *, target: str = "", exclude: frozenset[str] = frozenset()) -> Terms:
        selection = Selection((_glob(target),) if target else (), tuple(map(_glob, sorted(exclude))))
        return Terms(prune=self._policy.prune, selection=selection)

    def _apply(self, plan: Plan, good: Good, terms: Terms, *, is_new: bool) -> None:
        """Apply all of a plan, or, when that is refused, account by account: one must not hold up the others."""
        try:
            self._reconciled.apply(plan, good)
            self._went_well(_accounts(plan), is_new=is_new)
        except LeaseLostError:
            raise
        except ReconcilerError as error:
            _log.warning("not applied as a whole: %s", error)
            for account in sorted(_accounts(plan)):
                self._apply_account(account, good, terms, is_new=is_new)

    def _apply_account(self, account: str, good: Good, terms: Terms, *, is_new: bool) -> None:
        excludes = terms.selection.excludes
        selected = replace(terms, selection=Selection((_glob(account),), excludes))
        try:
            part = self._reconciled.plan(good, selected)
            if not part.is_empty:
                self._reconciled.apply(part, good)
            self._went_well(frozenset({account}), is_new=is_new)
        except LeaseLostError:
            raise
        except ReconcilerError as error:
            _log.error("%s was not applied: %s", account, error)
            self._troubles[account] = str(error)
            self._backoff = self._backoff.failed(account, datetime.now(UTC))

    def _went_well(self, accounts: frozenset[str], *, is_new: bool) -> None:
        for account in accounts:
            self._troubles.pop(account, None)
            if not is_new:
                self._backoff = self._backoff.healed(account, datetime.now(UTC))

    def _ended(self, outcome: Outcome, left: Plan | None) -> Outcome:
        now = datetime.now(UTC)
        commit = self._good.commit if self._good else ""

        def said(scope: str, kind: ConditionType, why_not: str) -> Condition:
            return Condition(scope, kind, not why_not, commit, why_not, now)

        conditions = [
            Condition("", "Synced", outcome.ok, outcome.commit, outcome.message, now),
            said("", "Healthy", "" if left is not None else outcome.message),
        ]
        if left is not None:
            waiting = _waiting(left)
            suspended = {str(held.key.account): text.suspended(held) for held in left.held}
            for account in sorted(self._reconciled.accounts() | set(waiting)):
                conditions += [
                    said(account, "Synced", waiting.get(account, "")),
                    said(account, "Healthy", self._troubles.get(account, "")),
                    Condition(account, "Suspended", account in suspended, commit, suspended.get(account, ""), now),
                ]
            conditions.append(Condition("", "Suspended", bool(suspended), commit, ", ".join(sorted(suspended)), now))
        self._reconciled.record(conditions)
        return outcome


def _accounts(plan: Plan) -> frozenset[str]:
    return frozenset(change.key.account or GATEWAY for change in plan.changes)


def _waiting(plan: Plan) -> dict[str, str]:
    """Return, for each account with something left to do, how much that is."""
    counts: dict[str, int] = {}
    for change in plan.changes:
        account = change.key.account or GATEWAY
        counts[account] = counts.get(account, 0) + 1
    for held in plan.held:
        account = held.key.account or GATEWAY
        counts[account] = counts.get(account, 0) + held.changes
    return {
        account: f"{number} change{'' if number == 1 else 's'} to make" for account, number in counts.items() if number
    }


def _glob(account: str) -> str:
    return f"accounts.{account}" if account != GATEWAY else "gateway.*"
