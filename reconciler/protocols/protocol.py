"""The port of a protocol: what the gateway tells it, and what it can be asked to do."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from reconciler.model.credential import Secret
from reconciler.model.key import Key
from reconciler.model.noun import Json


@dataclass(frozen=True, slots=True)
class LiveCredential:
    """A credential that is valid now. `verifier` is the SHA-256 of a password, `public` a certificate or key as PEM."""

    fingerprint: str
    reveal: Callable[[], Secret]
    verifier: bytes = b""
    public: str = ""
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class Partner:
    """A mailbox whose integration is enabled: how its partner may connect, and how the gateway reaches that partner.

    `settings` is what the protocol's settings class wrote; `credentials` are the valid ones by name, newest first.
    """

    mailbox: UUID
    key: Key
    settings: Mapping[str, Json]
    credentials: Mapping[str, tuple[LiveCredential, ...]] = field(default_factory=dict)


class Endpoint(Protocol):
    """The side of a protocol that partners connect to."""

    def configure(self, partners: Sequence[Partner]) -> None:
        """Serve these partners and no others, at once; sessions of all others are cut. May be called while serving."""
        ...

    def start(self) -> None:
        """Begin to accept connections; returns when the listener is bound. Raises OSError when it cannot be."""
        ...

    def stop(self, grace: float) -> None:
        """Accept nothing more, let what runs end for `grace` seconds, then cut it."""
        ...
