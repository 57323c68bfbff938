"""python -m benchmarks.configuration.live DIR: put into the store what an apply would, without an hour of making keys.

It is a process of its own: what starts others shall be small, since their peak memory begins with its.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

from reconciler.model.credential import Credential, Secret
from reconciler.service.workspace import Workspace
from reconciler.store import configuration, credentials
from reconciler.store.credentials import Generated, Successor


def main() -> None:
    workspace = Workspace.open(Path(sys.argv[1]))
    state = workspace.load().state
    secret = Generated(Secret("x"), "SHA256:x", datetime.now(UTC), verifier=bytes(32))
    with workspace.store.write() as tx:
        revision = configuration.add_revision(tx, actor="benchmark", plan={})
        configuration.put_resources(tx, state.resources, revision, managed_by="configuration")
        made = [Successor(key, secret) for key, _ in state.of(Credential)]
        credentials.replace(tx, workspace.store.keyring, made)
    workspace.close()


if __name__ == "__main__":
    main()
