"""Integrations: how a mailbox is reached from outside, and what happens to envelopes that no rule matches."""

from typing import Literal, Self

from pydantic import model_validator

from reconciler.model.noun import Json, Noun

REASON_LENGTH = range(5, 5001)
"""Characters that the reason of a rejection may have."""


CONCURRENCY = 4
"""How many posts to a partner run at once, where nothing else is said."""


class DefaultRule(Noun):
    """What happens to an incoming envelope that no rule matches. `reason` belongs to `autoreject` alone."""

    action: Literal["inbox", "inbox-notify-email", "autoreject"] = "inbox"
    reason: str | None = None

    @model_validator(mode="after")
    def _reason_fits(self) -> Self:
        if (self.reason is not None) != (self.action == "autoreject"):
            raise ValueError("a reason belongs to autoreject, and autoreject needs one")
        if self.reason is not None and len(self.reason) not in REASON_LENGTH:
            raise ValueError("the reason of autoreject has 5 to 5000 characters")
        return self


class Integration(Noun):
    """One per mailbox. Off by default; off means that no remote connection is possible, in either direction.

    `protocol` names a folder of `reconciler.protocols`; `settings` is what that protocol's settings class made of its
    section, as JSON with every default filled in, so that what means the same is equal. `concurrency` and `per_minute`
    bound what the partner is asked at a time; `ordered` keeps the order of what the mailbox sends and receives.
    """

    enabled: bool = False
    protocol: str = "sftp"
    settings: dict[str, Json]
    notify_email: str | None = None
    default_rule: DefaultRule = DefaultRule()
    ordered: bool = False
    concurrency: int = CONCURRENCY
    per_minute: int | None = None
