"""Credentials: what applying generates. The specification and the fingerprint, never the secret."""

from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from reconciler.model.duration import Duration
from reconciler.model.noun import Noun


class CredentialKind(StrEnum):
    """What is generated."""

    PASSWORD = "password"  # noqa: S105 - the name of a kind
    SSH_HOST_KEY = "ssh-host-key"
    SSH_HOST_KEY_RSA = "ssh-host-key-rsa"
    SSH_HOST_KEY_ECDSA = "ssh-host-key-ecdsa"
    CERTIFICATE = "certificate"
    ECDSA_CERTIFICATE = "ecdsa-certificate"


class Rotation(Noun):
    """How often a credential is replaced, and how long the one before stays valid beside the new one."""

    every: Duration = Field(description="The age at which an apply replaces it.", examples=["90d"])
    overlap: Duration = Field(description="How long the old one stays valid beside the new one.", examples=["7d"])

    @model_validator(mode="after")
    def _overlap_is_shorter(self) -> Self:
        if self.overlap >= self.every:
            raise ValueError("overlap is shorter than every: at most two are valid at once")
        return self


class Credential(Noun):
    """A secret that the live side has, or shall have. Raising `generation` asks for a new one.

    `subject` is the common name of a certificate and None for other kinds. With `rotation`, it is replaced by its age.
    """

    kind: CredentialKind
    generation: int = 1
    subject: str | None = None
    rotation: Rotation | None = None


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
