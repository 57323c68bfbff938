"""A plan as the typed steps that make it true, in order. Pure: performing them is `apply.run`'s part."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import assert_never

from reconciler.model.credential import Credential
from reconciler.model.key import Key, Kind
from reconciler.model.state import Resource, State
from reconciler.plan.change import Adopt, Create, Delete, Move, Rotate, Update
from reconciler.plan.plan import Plan, generated_by


@dataclass(frozen=True, slots=True)
class PutFile:
    """Store the content of a file that the resources name and the live side does not have yet."""

    sha256: str


@dataclass(frozen=True, slots=True)
class PutResource:
    """Create or replace what is recorded of a resource, credentials included."""

    key: Key
    resource: Resource


@dataclass(frozen=True, slots=True)
class GenerateCredential:
    """Make the secret of a credential whose record was just put, replacing an earlier one."""

    key: Key
    credential: Credential


@dataclass(frozen=True, slots=True)
class RotateCredential:
    """Make a new secret for a credential; the one before stays valid for its rotation's overlap."""

    key: Key
    credential: Credential


@dataclass(frozen=True, slots=True)
class MoveResource:
    """Give a resource another address, with everything below it."""

    key: Key
    old_key: Key


@dataclass(frozen=True, slots=True)
class AdoptResource:
    """Give a resource that was made by hand to the configuration."""

    key: Key


@dataclass(frozen=True, slots=True)
class DropCredential:
    """Destroy the secrets of a credential; its record is dropped next."""

    key: Key


@dataclass(frozen=True, slots=True)
class DropResource:
    """Drop what is recorded of a resource, credentials included."""

    key: Key


Put = PutResource | GenerateCredential
"""What many of are done together."""

OtherStep = PutFile | RotateCredential | MoveResource | AdoptResource | DropCredential | DropResource

Step = Put | OtherStep


def steps(plan: Plan, files_known: Collection[str]) -> tuple[Step, ...]:
    """Return what is to be done, in order: files first, then the plan's changes in the plan's order.

    `files_known` are the SHA-256 (hex) of the files that the live side has already.
    """
    return (*_files(plan, files_known), *_changes(plan))


def _files(plan: Plan, files_known: Collection[str]) -> Iterator[PutFile]:
    named = State({change.key: change.new for change in plan.changes if isinstance(change, Create | Update)}).hashes()
    yield from (PutFile(sha256) for sha256 in sorted(named) if sha256 not in files_known)


def _changes(plan: Plan) -> Iterator[Step]:
    for change in plan.changes:
        match change:
            case Create() | Update():
                yield PutResource(change.key, change.new)
                credential = generated_by(change)
                if credential is not None:
                    yield GenerateCredential(change.key, credential)
            case Delete():
                if change.kind is Kind.CREDENTIAL:
                    yield DropCredential(change.key)
                yield DropResource(change.key)
            case Move():
                yield MoveResource(change.key, change.old_key)
            case Adopt():
                yield AdoptResource(change.key)
            case Rotate():
                yield RotateCredential(change.key, change.credential)
            case _:
                assert_never(change)
