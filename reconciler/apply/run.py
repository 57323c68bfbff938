"""Making a plan true: one transaction, all or nothing."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import assert_never

from sqlalchemy import Connection

from reconciler.apply.credentials import generate, outlasting
from reconciler.apply.lease import LENGTH, Held
from reconciler.apply.steps import (
    AdoptResource,
    DropCredential,
    DropResource,
    GenerateCredential,
    MoveResource,
    OtherStep,
    Put,
    PutFile,
    PutResource,
    RotateCredential,
    steps,
)
from reconciler.errors import BlobError, NotFoundError, PlanRefusedError, Position
from reconciler.model.credential import Credential
from reconciler.model.key import Key, Kind
from reconciler.plan.change import Create, Delete, Update
from reconciler.plan.plan import Applied, Plan
from reconciler.plan.safety import not_drained
from reconciler.store import configuration, credentials, leases, undelivered
from reconciler.store.blobs import Sealed
from reconciler.store.credentials import Generated, Successor
from reconciler.store.database import Store

Progress = Callable[[int, int], None]
"""Told how many of how many credentials are generated: what takes long about applying."""


def no_progress(_done: int, _of: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a plan comes from: the configuration's hash and commit, or why somebody changes something by hand.

    `places` says where what the plan changes is written, as file:line by address.
    """

    config_hash: str = ""
    commit: str = ""
    by_hand: str = ""
    places: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def places(plan: Plan, positions: Mapping[Key, Position]) -> Mapping[str, str]:
    """Return where what a plan makes or updates is written, as file:line by address."""
    found = ((change.key, positions.get(change.key)) for change in plan.changes if isinstance(change, Create | Update))
    return {str(key): f"{place.file}:{place.line}" for key, place in found if place is not None}


UNKNOWN = Origin()
"""The origin of a plan of which nothing is known."""


def run(
    store: Store,
    plan: Plan,
    files: Mapping[str, bytes],
    *,
    actor: str,
    origin: Origin = UNKNOWN,
    lease: Held | None = None,
    progress: Progress = no_progress,
) -> Applied:
    """Apply a plan. `files` holds the content of every file that the desired state names, by SHA-256.

    Raises PlanRefusedError when the plan has refusals, when the live side moved since it was made, or when a mailbox
    that it destroys got an envelope meanwhile; LeaseLostError when the lease is not held any more. Nothing is written
    then.
    """
    if plan.refusals:
        raise PlanRefusedError("\n".join(plan.refusals))
    if plan.is_empty:
        return Applied(plan.base_revision, ())
    # Refused now rather than after minutes of making keys; what decides is asked again in the transaction.
    with store.read() as connection:
        _refuse_if_moved(connection, plan)
    # Keys take long to generate and files long to write; neither needs the transaction.
    generated = _generated(plan, progress)
    todo = steps(plan, files_known=frozenset())
    sealed = {step.sha256: store.blobs.seal(_content(store, files, step)) for step in todo if isinstance(step, PutFile)}
    with store.write() as tx:
        _refuse_if_moved(tx, plan)
        if lease is not None:
            leases.renew(tx, lease.name, token=lease.token, length=LENGTH)
        _refuse_if_not_drained(tx, plan)
        revision = configuration.add_revision(
            tx,
            actor=actor,
            plan=plan.to_json(),
            by_hand=origin.by_hand,
            config_hash=origin.config_hash,
            commit=origin.commit,
        )
        # What is put is put together: ten thousand mailboxes are some statements, not a hundred thousand.
        puts: list[Put] = []
        by = "api" if origin.by_hand else "configuration"
        for step in todo:
            if isinstance(step, Put):
                puts.append(step)
                continue
            _put(tx, store, puts, generated, revision, by)
            puts.clear()
            _perform(tx, store, step, sealed, generated)
        _put(tx, store, puts, generated, revision, by)
        configuration.place(tx, origin.places, origin.commit)
    return Applied(revision, tuple(generated))


def _put(
    tx: Connection,
    store: Store,
    puts: Sequence[Put],
    generated: Mapping[Key, Generated],
    revision: int,
    managed_by: str,
) -> None:
    resources = {step.key: step.resource for step in puts if isinstance(step, PutResource)}
    configuration.put_resources(tx, resources, revision, managed_by=managed_by)
    successors = [
        Successor(step.key, generated[step.key], outlasting(step.credential))
        for step in puts
        if isinstance(step, GenerateCredential)
    ]
    credentials.replace(tx, store.keyring, successors)


def _perform(
    tx: Connection, store: Store, step: OtherStep, sealed: Mapping[str, Sealed], generated: Mapping[Key, Generated]
) -> None:
    match step:
        case PutFile(sha256):
            store.blobs.put(tx, sealed[sha256])
        case RotateCredential(key, credential):
            lasting = credential.rotation.overlap if credential.rotation else timedelta()
            credentials.replace(tx, store.keyring, [Successor(key, generated[key], lasting)])
        case MoveResource(key, old_key):
            configuration.move(tx, old_key, key)
        case AdoptResource(key):
            configuration.adopt(tx, key)
        case DropCredential(key):
            credentials.drop(tx, key)
        case DropResource(key):
            configuration.drop_resource(tx, key)
        case _:
            assert_never(step)


def _generated(plan: Plan, progress: Progress) -> dict[Key, Generated]:
    """Return new credentials, made on every processor at once: making a key holds no lock of the interpreter."""
    wanted = plan.generates
    generated: dict[Key, Generated] = {}
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        made = pool.map(lambda item: generate(item[1]), wanted)
        for (key, _), credential in zip(wanted, made, strict=True):
            generated[key] = credential
            progress(len(generated), len(wanted))
    return generated


def _content(store: Store, files: Mapping[str, bytes], step: PutFile) -> bytes:
    """Return a file's content; that of an earlier revision or commit, to which a plan goes back, is in the store."""
    if step.sha256 in files:
        with suppress(BlobError):
            return files[step.sha256]
    with store.read() as connection:
        return store.blobs.read(connection, step.sha256)


def rotate(store: Store, key: Key, *, actor: str) -> Generated:
    """Replace one credential by a new one, at once. Raises NotFoundError when nothing was generated there."""
    with store.read() as connection:
        credential = configuration.read_state(connection).get(key)
    if not isinstance(credential, Credential):
        raise _no_credential(key)
    generated = generate(credential)
    with store.write() as tx:
        # A revision of its own: that is how a running gateway learns of it, and how the history keeps it.
        configuration.add_revision(tx, actor=actor, plan={"rotated": [str(key)]})
        if not configuration.is_live(tx, key):
            raise _no_credential(key)
        credentials.replace(tx, store.keyring, [Successor(key, generated)])
    return generated


def _no_credential(key: Key) -> NotFoundError:
    return NotFoundError(f"There is no credential {key}.")


def _refuse_if_moved(connection: Connection, plan: Plan) -> None:
    current = configuration.current_revision(connection)
    if current == plan.base_revision:
        return
    earlier = configuration.applied_as(connection, plan.digest)
    if earlier is not None:
        raise PlanRefusedError(
            f"This plan was applied already, as revision {earlier.number} by {earlier.actor} at "
            f"{earlier.applied_at:%Y-%m-%d %H:%M:%S} UTC. A plan is applied once."
        )
    newest = configuration.headers(connection, limit=1)[0]
    raise PlanRefusedError(
        f"The live side moved since the plan was made: revision {plan.base_revision} is now {current}, applied by "
        f"{newest.actor} at {newest.applied_at:%Y-%m-%d %H:%M:%S} UTC. Plan again."
    )


def _refuse_if_not_drained(tx: Connection, plan: Plan) -> None:
    gone = [change.key for change in plan.changes if isinstance(change, Delete) and change.kind is Kind.MAILBOX]
    uuids = configuration.mailbox_uuids(tx) if gone else {}
    for key in gone:
        # Moves come first in a plan, but not yet in the database.
        live = next((key.moved(move.key, move.old_key) for move in plan.moves if key.is_within(move.key)), key)
        number = undelivered.count(tx, uuids[live]) if live in uuids else 0
        if number:
            raise PlanRefusedError(not_drained(key, number))
