"""Which part of a configuration a plan is about: globs over addresses."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from reconciler.model.key import Key, Kind
from reconciler.model.rule import Rule
from reconciler.model.state import State
from reconciler.model.template import Template
from reconciler.plan.change import Change, Create, Delete, Update


@dataclass(frozen=True, slots=True)
class Selection:
    """What is named by `targets` (all, without any) and not by `excludes`; a glob also names what is below.

    `*` stands for any characters, dots included: `accounts.acme.mailboxes.*`.
    """

    targets: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()

    def has(self, key: Key) -> bool:
        """Say whether an address is selected."""
        return (not self.targets or _named(key, self.targets)) and not _named(key, self.excludes)

    def unknown(self, keys: Iterable[Key]) -> tuple[str, ...]:
        """Return the targets that name none of the addresses: most likely they are misspelt."""
        wanted = dict.fromkeys(self.targets)
        for key in keys:
            if not wanted:
                break
            for glob in [glob for glob in wanted if _named(key, (glob,))]:
                del wanted[glob]
        return tuple(wanted)

    def of(self, changes: Sequence[Change], live: State) -> list[Change]:
        """Return the selected changes, with those that they cannot do without and without those that cannot be."""
        if not self.targets and not self.excludes:
            return list(changes)
        by_key = {change.key: change for change in changes if isinstance(change, Create | Update)}
        chosen = [change for change in changes if self.has(change.key)]
        kept = {change.key for change in chosen}
        chosen += [by_key[key] for key in _needs(kept, by_key, live) if not _named(key, self.excludes)]
        there = set(live.resources) | {change.key for change in chosen if isinstance(change, Create)}
        kept = {change.key for change in chosen}
        return [change for change in chosen if _is_whole(change, there, kept, live)]


def _named(key: Key, globs: Iterable[str]) -> bool:
    addresses = [".".join(key.path[:length]) for length in range(2, len(key.path) + 1)]
    return any(fnmatchcase(address, glob) for glob in globs for address in addresses)


def _needs(kept: set[Key], by_key: dict[Key, Create | Update], live: State) -> set[Key]:
    """Return the new owners, credentials and templates that what is kept cannot be without."""
    needed: set[Key] = set()
    templates = {change.new.ref: key for key, change in by_key.items() if isinstance(change.new, Template)}
    pending = [key for key in kept if key in by_key]
    while pending:
        key = pending.pop()
        change = by_key[key]
        wanted = [key.owner, templates.get(change.new.template) if isinstance(change.new, Rule) else None]
        if key.kind is Kind.INTEGRATION:
            wanted += [other for other in by_key if other.kind is Kind.CREDENTIAL and other.owner == key]
        for other in wanted:
            if other is not None and other in by_key and other not in needed | kept and _is_missing(other, key, live):
                needed.add(other)
                pending.append(other)
    return needed


def _is_missing(other: Key, key: Key, live: State) -> bool:
    """Say whether `key` needs a change of `other`: one that is not live yet, or a credential of its integration."""
    return other not in live or other.owner == key


def _is_whole(change: Change, there: set[Key], chosen: set[Key], live: State) -> bool:
    """Say whether a change can be made without the ones that were not selected."""
    if isinstance(change, Delete):
        return all(key in chosen for key in live.resources if key != change.key and key.is_within(change.key))
    owner = change.key.owner
    return owner is None or owner in there or not isinstance(change, Create)
