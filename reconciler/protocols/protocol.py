"""What every protocol is told of the partners that it serves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
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
