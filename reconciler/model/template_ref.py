"""Which template: by a name of its own, so that who only names one needs nothing of the configuration."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateRef:
    """The identity of a template: its UUID and its version."""

    uuid: UUID
    version: UUID

    def __str__(self) -> str:
        return f"{self.uuid}/{self.version}"
