"""Secrets at rest: encrypted with a key that the database does not hold."""

import os
from pathlib import Path
from threading import get_ident
from typing import Self

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from reconciler.errors import ReconcilerError
from reconciler.model.credential import Secret
from reconciler.store.shelf import sync_folder

KEY_VARIABLE = "RECONCILER_KEY"


class Keyring:
    """Encrypts with the first key and decrypts with any, so that a key can be replaced without a moment's stop.

    Keys are Fernet keys (AES-128-CBC with HMAC-SHA256), separated by commas or white space.
    """

    def __init__(self, keys: str) -> None:
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys.replace(",", " ").split()])
        except ValueError:
            # The cause is dropped on purpose: it may quote the key.
            raise ReconcilerError(
                f"The key is not usable: {KEY_VARIABLE} or the key file holds one or more Fernet keys "
                "(32 bytes, URL-safe base64)."
            ) from None

    @classmethod
    def of(cls, folder: Path, ciphertext: bytes | None) -> Self:
        """Return the keyring of the environment, or that of the key file in `folder`, tried on a stored secret.

        Where no secret is stored yet, an absent key file is made. Raises ReconcilerError for a key that is not there,
        that others can read, or that opens nothing here.
        """
        keys = os.environ.get(KEY_VARIABLE)
        path = folder / "key"
        if not keys:
            if not path.exists():
                if ciphertext is not None:
                    raise ReconcilerError(
                        f"The key to this store's secrets is not here. Set {KEY_VARIABLE} to it, or copy the file that "
                        f"holds it to {path}"
                    )
                _write_once(path, Fernet.generate_key())
            if path.stat().st_mode & 0o077:
                raise ReconcilerError(f"The key file {path} can be read by others. Mend it with: chmod 600 {path}")
            keys = path.read_text()
        keyring = cls(keys)
        if ciphertext is not None:
            keyring.decrypt(ciphertext)
        return keyring

    def encrypt(self, secret: Secret) -> bytes:
        """Return the secret's ciphertext."""
        return self._fernet.encrypt(secret.reveal().encode())

    def decrypt(self, ciphertext: bytes) -> Secret:
        """Return the secret. Raises ReconcilerError when none of the keys made the ciphertext."""
        try:
            return Secret(self._fernet.decrypt(ciphertext).decode())
        except InvalidToken:
            raise ReconcilerError(
                f"A secret cannot be decrypted: the key in {KEY_VARIABLE} or in the key file is not the one that "
                "encrypted it. Restore that key."
            ) from None


def _write_once(path: Path, key: bytes) -> None:
    """Write the key so that it is whole or absent, and so that of two processes one key wins."""
    draft = path.with_name(f".key.{os.getpid()}.{get_ident()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # another process was first; its key is the one
    finally:
        draft.unlink()
    sync_folder(path.parent)
