"""Reading a secret from where the configuration says that it is."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

from reconciler.errors import ReconcilerError
from reconciler.model.credential import Secret
from reconciler.model.secret_source import SecretSource

SOPS_SECONDS = 30.0
"""How long sops may take; it can ask a key service on the network."""


def read_secret(source: SecretSource, root: Path, environ: Mapping[str, str]) -> Secret:
    """Return the secret. Raises ReconcilerError, which says where it was looked for, never what was there."""
    kind, _, place = source.secret.partition(":")
    match kind:
        case "env":
            value = environ.get(place, "")
            if not value:
                raise ReconcilerError(f"The environment variable {place}, which has a secret, is not set.")
        case "file":
            try:
                value = (root / place).read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
                raise ReconcilerError(f"The file {place}, which has a secret, cannot be read: {reason}.") from None
        case _:
            value = _decrypted(root, place)
    if not value:
        raise ReconcilerError(f"The secret {source.secret} is empty.")
    return Secret(value)


def _decrypted(root: Path, place: str) -> str:
    path, _, key = place.partition("#")
    extract = ["--extract", "".join(f"[{json.dumps(part)}]" for part in key.split("."))] if key else []
    command = ["sops", "--decrypt", *extract, path]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, timeout=SOPS_SECONDS, check=False)  # noqa: S603 - no shell
    except FileNotFoundError:
        raise ReconcilerError(f"The secret sops:{place} needs the program sops, which is not installed.") from None
    except subprocess.TimeoutExpired:
        raise ReconcilerError(f"sops did not decrypt {place} within {SOPS_SECONDS:g} seconds.") from None
    if done.returncode != 0:
        reason = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["without a word"]
        raise ReconcilerError(f"sops cannot decrypt {place}: {reason[0]}")
    return done.stdout.decode(errors="replace").rstrip("\r\n")
