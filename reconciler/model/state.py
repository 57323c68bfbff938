"""The state of a configuration: the same type for what is desired and for what is live."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeVar, assert_never

from reconciler.model.account import Account
from reconciler.model.credential import Credential
from reconciler.model.dictionary import Dictionary
from reconciler.model.integration import Integration
from reconciler.model.key import Key, Kind
from reconciler.model.mailbox import Mailbox
from reconciler.model.noun import Json, Noun
from reconciler.model.rule import Rule
from reconciler.model.template import Template

R = TypeVar("R", bound=Noun)

Resource = Account | Template | Dictionary | Mailbox | Integration | Rule | Credential


NOUNS: Mapping[Kind, type[Resource]] = MappingProxyType(
    {
        Kind.ACCOUNT: Account,
        Kind.TEMPLATE: Template,
        Kind.DICTIONARY: Dictionary,
        Kind.MAILBOX: Mailbox,
        Kind.INTEGRATION: Integration,
        Kind.RULE: Rule,
        Kind.CREDENTIAL: Credential,
    }
)
"""The class of the resources of each kind."""


def to_json(resource: Resource) -> dict[str, Json]:
    """Return a resource as JSON, every field present."""
    data: dict[str, Json] = resource.model_dump(mode="json")
    return data


def from_json(kind: Kind, data: Mapping[str, Json]) -> Resource:
    """Read what `to_json` made. Raises ValueError when it is not of that kind."""
    return NOUNS[kind].model_validate(data)


@dataclass(frozen=True, slots=True)
class State:
    """All resources of a configuration by address."""

    resources: Mapping[Key, Resource] = field(default_factory=lambda: MappingProxyType({}))

    def __contains__(self, key: Key) -> bool:
        return key in self.resources

    def __len__(self) -> int:
        return len(self.resources)

    def get(self, key: Key) -> Resource | None:
        """Return the resource at an address, or None."""
        return self.resources.get(key)

    def of(self, noun: type[R]) -> Iterator[tuple[Key, R]]:
        """Yield the resources of one class with their addresses, in the order of the state."""
        # The address tells the kind, so that no other resource has to be read.
        for key in self.resources:
            if NOUNS[key.kind] is noun:
                resource = self.resources[key]
                if isinstance(resource, noun):
                    yield key, resource

    def hashes(self) -> frozenset[str]:
        """Return the SHA-256 of every file that the state names."""
        found: set[str] = set()
        for resource in self.resources.values():
            match resource:
                case Template() | Dictionary():
                    found.update(resource.file.hashes)
                case Rule():
                    found.update(sha256 for file in resource.files for sha256 in file.hashes)
                case Integration():
                    found.update(_hashes_in(resource.settings))
                case Account() | Mailbox() | Credential():
                    pass
                case _:
                    assert_never(resource)
        return frozenset(found)


def _hashes_in(value: Json) -> Iterator[str]:
    """Yield the hashes of the source files inside a protocol's settings."""
    if isinstance(value, dict):
        sha256 = value.get("sha256")
        if isinstance(sha256, str) and "parts" in value:
            yield sha256
        for item in value.values():
            yield from _hashes_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from _hashes_in(item)
