"""A plan: the one value that is shown, saved and applied."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import NamedTuple, Self

from reconciler.errors import PlanRefusedError
from reconciler.model.credential import Credential
from reconciler.model.key import Key, Kind
from reconciler.model.noun import Json
from reconciler.model.source_file import digest
from reconciler.model.state import State
from reconciler.plan.change import Adopt, Change, Create, Delete, Move, Rotate, Update, change_from_json, change_to_json
from reconciler.plan.diff import diff

FORMAT_VERSION = 1


class Counts(NamedTuple):
    """How many of the author's objects a plan touches. Credentials are generated, not written, and count apart."""

    add: int
    change: int
    destroy: int


@dataclass(frozen=True, slots=True)
class Held:
    """A suspended address, until when (UTC; None: until it is resumed), why, by whom, and how many changes wait."""

    key: Key
    until: datetime | None
    reason: str
    actor: str
    changes: int


@dataclass(frozen=True)
class Plan:
    """The changes that turn the live side, as it was at `base_revision`, into what is desired, in order.

    `unmanaged` is live and in no configuration; `refusals` are the reasons for which the plan must not be applied.
    """

    changes: tuple[Change, ...]
    base_revision: int
    unmanaged: tuple[Key, ...] = ()
    held: tuple[Held, ...] = ()
    refusals: tuple[str, ...] = ()

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
        return Counts(*(sum(isinstance(change, noun) for change in objects) for noun in (Create, Update, Delete)))

    @cached_property
    def moves(self) -> tuple[Move, ...]:
        """What gets another address."""
        return tuple(change for change in self.changes if isinstance(change, Move))

    @cached_property
    def adopts(self) -> tuple[Key, ...]:
        """What was made by hand and is taken over."""
        return tuple(change.key for change in self.changes if isinstance(change, Adopt))

    @cached_property
    def rotates(self) -> tuple[Key, ...]:
        """The credentials that get a successor by their age."""
        return tuple(change.key for change in self.changes if isinstance(change, Rotate))

    @cached_property
    def generates(self) -> tuple[tuple[Key, Credential], ...]:
        """The credentials that applying generates, in order; rotated ones are among them."""
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
                "rotate": [str(key) for key in self.rotates],
                "move": len(self.moves),
                "adopt": len(self.adopts),
            },
            "unmanaged": [str(key) for key in self.unmanaged],
            "held": [_held_to_json(held) for held in self.held],
            "refusals": list(self.refusals),
            "changes": [change_to_json(change) for change in self.changes],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Self:
        """Read what `to_json` made. Raises PlanRefusedError when it is no plan, or was altered since."""
        match data:
            case {"format_version": int(version)} if version != FORMAT_VERSION:
                raise PlanRefusedError(f"the plan has format {version}; this version reads format {FORMAT_VERSION}")
            case {
                "format_version": int(),
                "base_revision": int(revision),
                "changes": list(items),
                "unmanaged": list(unmanaged),
                "held": list(held),
                "refusals": list(refusals),
            }:
                try:
                    plan = cls(
                        tuple(change_from_json(item if isinstance(item, dict) else {}) for item in items),
                        revision,
                        tuple(Key.parse(str(address)) for address in unmanaged),
                        tuple(_held_from_json(item if isinstance(item, dict) else {}) for item in held),
                        tuple(map(str, refusals)),
                    )
                except ValueError as error:
                    raise PlanRefusedError(f"the plan cannot be read: {error}") from error
            case _:
                raise PlanRefusedError("this is no plan; make one with: reconciler plan --out plan.json")
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
        case Create(new=Credential() as new) | Rotate(credential=new):
            return new
        case Update(old=Credential() as old, new=Credential() as new) if (
            new.generation > old.generation or new.kind is not old.kind
        ):
            return new
        case _:
            return None


def _held_to_json(held: Held) -> dict[str, Json]:
    return {
        "address": str(held.key),
        "until": None if held.until is None else held.until.isoformat(),
        "reason": held.reason,
        "actor": held.actor,
        "changes": held.changes,
    }


def _held_from_json(data: Mapping[str, Json]) -> Held:
    match data:
        case {"address": str(address), "reason": str(reason), "actor": str(actor), "changes": int(changes)}:
            written = data.get("until")
            until = datetime.fromisoformat(written) if isinstance(written, str) else None
            return Held(Key.parse(address), until, reason, actor, changes)
        case _:
            raise ValueError("a suspension has an address, until, a reason and an actor")


def build(live: State, revision: int, desired: State) -> Plan:
    """Return the plan that turns `live`, read at `revision`, into `desired`, whatever that takes."""
    return Plan(diff(live, desired), revision)
