"""What differs between two states, resource by resource and field by field."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from reconciler.model.credential import Credential
from reconciler.model.integration import Integration
from reconciler.model.key import Key, Kind
from reconciler.model.noun import Json
from reconciler.model.rule import Rule
from reconciler.model.source_file import digest
from reconciler.model.state import NOUNS, Resource, from_json, to_json

_KINDS = {noun: kind for kind, noun in NOUNS.items()}


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that differs: its dotted path and both values as JSON, None where there is no value."""

    name: str
    old: Json
    new: Json


@dataclass(frozen=True, slots=True)
class Create:
    """A resource that is desired and not live."""

    key: Key
    new: Resource

    @property
    def kind(self) -> Kind:
        """The kind of the resource."""
        return _KINDS[type(self.new)]

    @property
    def fields(self) -> tuple[FieldChange, ...]:
        """The fields that say something: those that differ from the noun's defaults, without empty ones."""
        values, written = dict(self.new), to_json(self.new)
        return tuple(
            FieldChange(change.name, None, change.new)
            for name, info in type(self.new).model_fields.items()
            if info.is_required() or values[name] != info.get_default(call_default_factory=True)
            for change in differing(_word(self.new, name), None, _value(name, written[name]))
            if not _says_nothing(change.new)
        )


@dataclass(frozen=True, slots=True)
class Update:
    """A resource that is live and desired otherwise. Raises ValueError when no field differs."""

    key: Key
    old: Resource
    new: Resource
    fields: tuple[FieldChange, ...] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        old, new = _written(self.old), _written(self.new)
        fields = tuple(change for name in old | new for change in differing(name, old.get(name), new.get(name)))
        if not fields:
            raise ValueError(f"{self.key}: an update in which no field differs")
        object.__setattr__(self, "fields", fields)

    @property
    def kind(self) -> Kind:
        """The kind of the resource."""
        return _KINDS[type(self.new)]


@dataclass(frozen=True, slots=True)
class Delete:
    """A resource that is live and no longer desired."""

    key: Key
    old: Resource

    @property
    def kind(self) -> Kind:
        """The kind of the resource."""
        return _KINDS[type(self.old)]


@dataclass(frozen=True, slots=True)
class Move:
    """A resource that gets another address with everything below it: UUIDs, credentials and envelopes stay."""

    key: Key
    old_key: Key

    @property
    def kind(self) -> Kind:
        """The kind of the resource."""
        return self.key.kind


@dataclass(frozen=True, slots=True)
class Adopt:
    """A resource that was made by hand through the API, and that the configuration takes over."""

    key: Key

    @property
    def kind(self) -> Kind:
        """The kind of the resource."""
        return self.key.kind


@dataclass(frozen=True, slots=True)
class Rotate:
    """A credential whose time has come: a new one beside the one before, which stays valid for the overlap."""

    key: Key
    credential: Credential

    @property
    def kind(self) -> Kind:
        """The kind of the resource."""
        return Kind.CREDENTIAL


Change = Create | Update | Delete | Move | Adopt | Rotate


def _written(resource: Resource) -> dict[str, Json]:
    """Return a resource in the words of the YAML; two that differ do so in these words too."""
    return {_word(resource, name): _value(name, value) for name, value in to_json(resource).items()}


def _word(resource: Resource, name: str) -> str:
    """Return what a field is called in YAML: a protocol's settings stand below the protocol's name."""
    match resource, name:
        case Integration(protocol=protocol), "settings":
            return protocol
        case Rule(), "validation":
            return "validate"
        case _:
            return name


def _value(name: str, value: Json) -> Json:
    match name, value:
        case "match", {"by": str(by), "pattern": pattern}:
            return {by: pattern}
        case "default_rule", {"action": action, "reason": reason}:
            return action if reason is None else {str(action): reason}
        case _:
            return value


def differing(name: str, old: Json, new: Json) -> Iterator[FieldChange]:
    """Yield what differs between two values of a field, each at the deepest dotted path.

    A source file and a list are one field each. Two values that are unequal always yield something.
    """
    if old == new:
        return
    before, after = _section(old), _section(new)
    if before is not None and after is not None:
        inner = [
            change
            for part in sorted(before.keys() | after.keys())
            for change in differing(f"{name}.{part}", before.get(part), after.get(part))
        ]
        if inner:
            yield from inner
            return
    yield FieldChange(name, old, new)


def _section(value: Json) -> Mapping[str, Json] | None:
    """Return the fields that a value has of its own: none when there is no value; None when it is one value itself."""
    match value:
        case None:
            return {}
        case dict() if shown_file(value) is None:
            return value
        case _:
            return None


def _says_nothing(value: Json) -> bool:
    match value:
        case dict():
            return all(map(_says_nothing, value.values()))
        case _:
            return value in (None, [])


def shown_file(value: Json) -> str | None:
    """Return how a source file is shown, such as `orders-out.xsl (a1b2c3d4)`; None when the value is no file.

    The eight digits are those of the file's SHA-256 or, when it includes others, of the hash over all of them.
    """
    match value:
        case {"name": str(name), "sha256": str(sha256), "parts": list(parts)}:
            content = digest(json.dumps([sha256, parts]).encode()) if parts else sha256
            return f"{name} ({content[:8]})"
        case _:
            return None


def change_to_json(change: Change) -> dict[str, Json]:
    """Return a change as JSON; an update names the fields that differ for readers of the document."""
    data: dict[str, Json] = {"address": str(change.key), "kind": str(change.kind)}
    match change:
        case Create():
            data |= {"action": "create", "new": to_json(change.new)}
        case Update():
            fields: list[Json] = [{"name": item.name, "old": item.old, "new": item.new} for item in change.fields]
            data |= {"action": "update", "old": to_json(change.old), "new": to_json(change.new), "fields": fields}
        case Delete():
            data |= {"action": "delete", "old": to_json(change.old)}
        case Move():
            data |= {"action": "move", "old_address": str(change.old_key)}
        case Adopt():
            data |= {"action": "adopt"}
        case Rotate():
            data |= {"action": "rotate", "credential": to_json(change.credential)}
        case _:
            assert_never(change)
    return data


def change_from_json(data: Mapping[str, Json]) -> Change:
    """Read what `change_to_json` made. Raises ValueError when it is no change."""
    match data:
        case {"action": "create", "address": str(address), "new": dict(new)}:
            key = Key.parse(address)
            return Create(key, from_json(key.kind, new))
        case {"action": "update", "address": str(address), "old": dict(old), "new": dict(new)}:
            key = Key.parse(address)
            return Update(key, from_json(key.kind, old), from_json(key.kind, new))
        case {"action": "delete", "address": str(address), "old": dict(old)}:
            key = Key.parse(address)
            return Delete(key, from_json(key.kind, old))
        case {"action": "move", "address": str(address), "old_address": str(old_address)}:
            return Move(Key.parse(address), Key.parse(old_address))
        case {"action": "adopt", "address": str(address)}:
            return Adopt(Key.parse(address))
        case {"action": "rotate", "address": str(address), "credential": dict(credential)}:
            return Rotate(Key.parse(address), Credential.model_validate(credential))
        case _:
            raise ValueError("a change has an action, an address and what it does there")
