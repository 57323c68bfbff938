"""Connection details in files that only their recipients can read, by age (age-encryption.org/v1)."""

import json
from collections.abc import Iterable, Sequence

import pyrage

from reconciler.errors import ReconcilerError
from reconciler.live.views import ConnectionDetails
from reconciler.model.credential import Secret

EXTENSION = ".json.age"


def recipients(lines: Iterable[str]) -> list[object]:
    """Return the recipients that lines name: `age1…`, or an SSH public key (ed25519, rsa); comments begin with #.

    Raises ReconcilerError for a line that names none.
    """
    return [_recipient(line.strip()) for line in lines if line.strip() and not line.lstrip().startswith("#")]


def _recipient(line: str) -> object:
    try:
        return (
            pyrage.ssh.Recipient.from_str(line) if line.startswith("ssh-") else pyrage.x25519.Recipient.from_str(line)
        )
    except pyrage.RecipientError:
        shown = line if len(line) < 20 else f"{line[:20]}…"  # noqa: PLR2004 - enough to find it, should it be a secret
        raise ReconcilerError(f"'{shown}' is no recipient; one begins with age1, ssh-ed25519 or ssh-rsa.") from None


def sealed(details: ConnectionDetails, to: Sequence[object]) -> bytes:
    """Return connection details as JSON, encrypted so that each of the recipients alone can read it."""
    values = {name: value.reveal() if isinstance(value, Secret) else value for name, value in details.values.items()}
    document = {"mailbox": str(details.mailbox), **values}
    encrypted: bytes = pyrage.encrypt(f"{json.dumps(document, indent=2)}\n".encode(), to, armored=True)
    return encrypted
