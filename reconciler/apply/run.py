"""Making a plan true: one transaction, all or nothing."""

from collections.abc import Mapping
from typing import assert_never

from sqlalchemy import Connection

from reconciler.apply.credentials import generate
from reconciler.apply.steps import DropCredential, DropResource, GenerateCredential, PutFile, PutResource, steps
from reconciler.errors import NotFoundError, PlanRefusedError
from reconciler.model.credential import Credential
from reconciler.model.key import Key
from reconciler.plan.plan import Applied, Plan
from reconciler.store import configuration, credentials
from reconciler.store.credentials import Generated
from reconciler.store.database import Store


def run(store: Store, plan: Plan, files: Mapping[str, bytes], *, actor: str) -> Applied:
    """Apply a plan. `files` holds the content of every file that the desired state names, by SHA-256.

    Raises PlanRefusedError when the live side moved since the plan was made; nothing is written then.
    """
    if plan.is_empty:
        return Applied(plan.base_revision, ())
    # Keys take long to generate and files long to write; neither needs the transaction.
    generated = {key: generate(credential) for key, credential in plan.generates}
    todo = steps(plan, files_known=frozenset())
    sealed = {step.sha256: store.blobs.seal(files[step.sha256]) for step in todo if isinstance(step, PutFile)}
    with store.write() as tx:
        _refuse_if_moved(tx, plan)
        revision = configuration.add_revision(tx, actor=actor, plan=plan.to_json())
        for step in todo:
            match step:
                case PutFile(sha256):
                    store.blobs.put(tx, sealed[sha256])
                case PutResource(key, resource):
                    configuration.put_resource(tx, key, resource, revision)
                case GenerateCredential(key, _):
                    credentials.replace(tx, store.keyring, key, generated[key])
                case DropCredential(key):
                    credentials.drop(tx, key)
                case DropResource(key):
                    configuration.drop_resource(tx, key)
                case _:
                    assert_never(step)
    return Applied(revision, tuple(generated))


def rotate(store: Store, key: Key, *, actor: str) -> Generated:
    """Replace one credential by a new one, at once. Raises NotFoundError when nothing was generated there."""
    with store.read() as connection:
        credential = configuration.read_state(connection).get(key)
    if not isinstance(credential, Credential):
        raise NotFoundError(f"There is no credential {key}.")
    generated = generate(credential)
    with store.write() as tx:
        credentials.replace(tx, store.keyring, key, generated)
        # A revision of its own: that is how a running gateway learns of it, and how the history keeps it.
        configuration.add_revision(tx, actor=actor, plan={"rotated": [str(key)]})
    return generated


def _refuse_if_moved(tx: Connection, plan: Plan) -> None:
    current = configuration.current_revision(tx)
    if current == plan.base_revision:
        return
    newest = next(configuration.revisions(tx))
    raise PlanRefusedError(
        f"The live side moved since the plan was made: revision {plan.base_revision} is now {current}, applied by "
        f"{newest.actor} at {newest.applied_at:%Y-%m-%d %H:%M:%S} UTC. Plan again."
    )
