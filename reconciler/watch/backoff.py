"""When an account is tried again after it failed, or was put right again and again. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

LONGEST = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Rest:
    """How often in a row an account had to be put right or could not be, and until when it is left alone now."""

    times: int
    until: datetime


@dataclass(frozen=True, slots=True)
class Backoff:
    """The accounts that are not tried at every round. Each further time doubles the rest, up to an hour."""

    interval: timedelta
    rests: Mapping[str, Rest] = field(default_factory=dict)

    def resting(self, now: datetime) -> frozenset[str]:
        """Return the accounts that are left alone now."""
        return frozenset(account for account, rest in self.rests.items() if now < rest.until)

    def failed(self, account: str, now: datetime) -> "Backoff":
        """Let an account rest that could not be put right."""
        return self._longer(account, now, at_once=0)

    def healed(self, account: str, now: datetime) -> "Backoff":
        """Let an account rest that was put right; the first time, the next round looks at it again."""
        return self._longer(account, now, at_once=1)

    def _longer(self, account: str, now: datetime, *, at_once: int) -> "Backoff":
        times = self.rests[account].times + 1 if account in self.rests else 1
        # 2**20 intervals are more than an hour whatever the interval is, and need no large number.
        length = min(self.interval * 2 ** min(times - at_once, 20), LONGEST) if times > at_once else timedelta()
        return Backoff(self.interval, {**self.rests, account: Rest(times, now + length)})

    def calm(self, accounts: frozenset[str], now: datetime) -> "Backoff":
        """Forget the accounts that are as they should be after their rest."""
        kept = {account: rest for account, rest in self.rests.items() if account not in accounts or now < rest.until}
        return Backoff(self.interval, kept)
