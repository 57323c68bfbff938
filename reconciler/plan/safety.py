"""What a plan would do that needs a consent which was not given: each as the sentence that says how to go on."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from reconciler.model.account import Account
from reconciler.model.key import Key, Kind
from reconciler.model.mailbox import Mailbox
from reconciler.model.rule import Rule
from reconciler.model.state import State
from reconciler.plan.change import Change, Delete

LARGEST_SHARE = 0.30
"""The part of a kind that may be destroyed at once."""

SHARED_FROM = 10
"""From how many objects of a kind on its part counts: of few, one is a large part already."""

Undelivered = Callable[[Key], int]
"""Says how many envelopes of a mailbox are not delivered yet."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may be destroyed without being told the number. `caps` are the most of a kind."""

    caps: Mapping[Kind, int] = field(default_factory=lambda: MappingProxyType({}))


def refusals(
    changes: tuple[Change, ...], live: State, limits: Limits, *, allow_destroy: int | None, undelivered: Undelivered
) -> tuple[str, ...]:
    """Return why the changes must not be made as they are; nothing when they may."""
    destroyed = [change for change in changes if isinstance(change, Delete) and change.kind is not Kind.CREDENTIAL]
    return (
        *_protected(destroyed),
        *_too_many(destroyed, live, limits, allow_destroy),
        *_not_drained(destroyed, undelivered),
    )


def _protected(destroyed: list[Delete]) -> Iterator[str]:
    for change in destroyed:
        if isinstance(change.old, Account | Mailbox | Rule) and change.old.protected:
            yield f"{change.key} is protected. Apply protected: false first; then it can be destroyed."


def _too_many(destroyed: list[Delete], live: State, limits: Limits, allowed: int | None) -> Iterator[str]:
    number = len(destroyed)
    if allowed is not None:
        if allowed != number:
            yield f"--allow-destroy says {allowed}, but the plan destroys {number}."
        return
    if not destroyed:
        return
    there = Counter(key.kind for key in live.resources)
    for kind, count in Counter(change.kind for change in destroyed).items():
        cap = limits.caps.get(kind)
        if cap is not None and count > cap:
            yield f"{_counted(count, kind)} would be destroyed; reconciler.yaml allows {cap} at once. {_mend(number)}"
        elif there[kind] >= SHARED_FROM and count > LARGEST_SHARE * there[kind]:
            share = f"more than {LARGEST_SHARE:.0%}"
            yield f"{count} of {_counted(there[kind], kind)} would be destroyed, {share}. {_mend(number)}"


def _mend(number: int) -> str:
    return f"If that is meant: --allow-destroy {number}"


def _counted(number: int, kind: Kind) -> str:
    plural = {Kind.MAILBOX: "mailboxes", Kind.DICTIONARY: "dictionaries"}.get(kind, f"{kind}s")
    return f"{number} {kind if number == 1 else plural}"


def _not_drained(destroyed: list[Delete], undelivered: Undelivered) -> Iterator[str]:
    for change in destroyed:
        number = undelivered(change.key) if change.kind is Kind.MAILBOX else 0
        if number:
            yield not_drained(change.key, number)


def not_drained(mailbox: Key, number: int) -> str:
    """Return the sentence that refuses to destroy a mailbox that has something to deliver yet."""
    return (
        f"{mailbox} has {number} envelope{'' if number == 1 else 's'} not yet delivered. Let them be delivered, or "
        "complete or reject them (reconciler envelope list --mailbox …), and plan again."
    )
