"""Credentials: what applying generates. The specification and the fingerprint, never the secret."""

from enum import StrEnum

from reconciler.model.noun import Noun


class CredentialKind(StrEnum):
    """What is generated."""

    PASSWORD = "password"  # noqa: S105 - the name of a kind
    SSH_HOST_KEY = "ssh-host-key"
    CERTIFICATE = "certificate"


class Credential(Noun):
    """A secret that the live side has, or shall have. Raising `generation` asks for a new one.

    `subject` is the common name of a certificate and None for other kinds.
    """

    kind: CredentialKind
    generation: int = 1
    subject: str | None = None


class Secret:
    """A secret in memory: prints as dots, so that no log, error or traceback shows it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the secret itself."""
        return self._value

    def __repr__(self) -> str:
        return "•••"

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return "•••"

    def __reduce__(self) -> str:
        raise TypeError("a secret is not serialised")
