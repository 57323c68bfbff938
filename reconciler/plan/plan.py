"""A plan: the one value that is shown, saved and applied."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Self

from reconciler.errors import PlanRefusedError
from reconciler.model.credential import Credential
from reconciler.model.key import Key, Kind
from reconciler.model.noun import Json
from reconciler.model.source_file import digest
from reconciler.model.state import State
from reconciler.plan.change import Change, Create, Delete, Update, change_from_json, change_to_json
from reconciler.plan.diff import diff

FORMAT_VERSION = 1


class Counts(NamedTuple):
    """How many of the author's objects a plan touches. Credentials are generated, not written, and count apart."""

    add: int
    change: int
    destroy: int


@dataclass(frozen=True)
class Plan:
    """The changes that turn the live side, as it was at `base_revision`, into what is desired, in order."""

    changes: tuple[Change, ...]
    base_revision: int

    @cached_property
    def digest(self) -> str:
        """The SHA-256 (hex) of the changes and the base revision: two plans that do the same have the same."""
        changes = [
            {name: value for name, value in change_to_json(change).items() if name != "fields"}
            for change in self.changes
        ]
        content = json.dumps([self.base_revision, changes], sort_keys=True, separators=(",", ":"))
        return digest(content.encode())

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.changes

    @cached_property
    def counts(self) -> Counts:
        """The author's objects to add, to change and to destroy."""
        objects = [change for change in self.changes if change.kind is not Kind.CREDENTIAL]
        add = sum(isinstance(change, Create) for change in objects)
        destroy = sum(isinstance(change, Delete) for change in objects)
        return Counts(add, len(objects) - add - destroy, destroy)

    @cached_property
    def generates(self) -> tuple[tuple[Key, Credential], ...]:
        """The credentials that applying generates, in order."""
        return tuple(
            (change.key, credential) for change in self.changes if (credential := generated_by(change)) is not None
        )

    @cached_property
    def revokes(self) -> tuple[Key, ...]:
        """The credentials that applying drops for good."""
        return tuple(
            change.key for change in self.changes if isinstance(change, Delete) and change.kind is Kind.CREDENTIAL
        )

    def to_json(self) -> dict[str, Json]:
        """Return the plan as JSON, without loss; `summary` and an update's `fields` are there for readers."""
        return {
            "format_version": FORMAT_VERSION,
            "base_revision": self.base_revision,
            "digest": self.digest,
            "summary": {
                **self.counts._asdict(),
                "generate": [str(key) for key, _ in self.generates],
                "revoke": [str(key) for key in self.revokes],
            },
            "changes": [change_to_json(change) for change in self.changes],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Self:
        """Read what `to_json` made. Raises PlanRefusedError when it is no plan, or was altered since."""
        match data:
            case {"format_version": int(version)} if version != FORMAT_VERSION:
                raise PlanRefusedError(f"the plan has format {version}; this version reads format {FORMAT_VERSION}")
            case {"format_version": int(), "base_revision": int(revision), "changes": list(items)}:
                try:
                    changes = tuple(change_from_json(item if isinstance(item, dict) else {}) for item in items)
                except ValueError as error:
                    raise PlanRefusedError(f"the plan cannot be read: {error}") from error
            case _:
                raise PlanRefusedError("this is no plan; make one with: reconciler plan -o json")
        plan = cls(changes, revision)
        if plan.to_json() != data:
            raise PlanRefusedError("the plan was altered since it was made; plan again")
        return plan


@dataclass(frozen=True, slots=True)
class Applied:
    """What applying did: the revision that is live now, and the credentials that were generated."""

    revision: int
    generated: tuple[Key, ...]


def generated_by(change: Change) -> Credential | None:
    """Return the credential whose secret a change makes: one that is new, of another kind, or asked for again.

    A certificate of which the subject alone changes keeps its key, because partners have pinned it.
    """
    match change:
        case Create(new=Credential() as new):
            return new
        case Update(old=Credential() as old, new=Credential() as new) if (
            new.generation > old.generation or new.kind is not old.kind
        ):
            return new
        case _:
            return None


def build(live: State, revision: int, desired: State) -> Plan:
    """Return the plan that turns `live`, read at `revision`, into `desired`."""
    return Plan(diff(live, desired), revision)
