"""Resources as JSON text, each read when it is asked for: a large configuration of which little is looked at."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache

from pydantic_core import to_json

from reconciler.model.key import Key, Kind
from reconciler.model.state import NOUNS, Resource
from reconciler.model.template_ref import TemplateRef

_SHA256 = re.compile(r'"sha256": ?"([0-9a-f]{64})"')


def packed(resource: Resource) -> str:
    """Return a resource as its JSON text, every field present."""
    return resource.model_dump_json()


def packed_as(noun: type[Resource], **fields: object) -> str:
    """Return the JSON text of a resource of these fields, which are known to be right, without making it."""
    return to_json({**_defaults(noun), **fields}, by_alias=False).decode()


@lru_cache(maxsize=1024)
def packed_ref(ref: TemplateRef) -> str:
    """Return the identity of a template as it stands in a rule's JSON text."""
    return to_json(ref).decode()


@cache
def _defaults(noun: type[Resource]) -> Mapping[str, object]:
    """Return every field in its order with its default; None stands for what has none."""
    fields = noun.model_fields.items()
    return {
        name: None if field.is_required() else field.get_default(call_default_factory=True) for name, field in fields
    }


class Packed(Mapping[Key, Resource]):
    """Resources by address. What was read stays read; iterating over `items` reads everything."""

    def __init__(self, texts: Mapping[Key, str]) -> None:
        self.texts = texts
        """The JSON of each, as it is kept."""
        self._read: dict[tuple[Kind, str], Resource] = {}

    def text(self, key: Key) -> str | None:
        """Return a resource's JSON as it is kept, or None."""
        return self.texts.get(key)

    def hashes(self) -> frozenset[str]:
        """Return the SHA-256 of every file that the resources name, without reading them."""
        # Inside a JSON text every quote is escaped, so that nothing an author writes looks like this.
        return frozenset(sha256 for text in self.texts.values() if "sha256" in text for sha256 in _SHA256.findall(text))

    def moved(self, old: Key, new: Key) -> "Packed":
        """Return the resources with what is at and below `old` at `new`."""
        return Packed({key.moved(old, new): text for key, text in self.texts.items()})

    def __getitem__(self, key: Key) -> Resource:
        kind, text = key.kind, self.texts[key]
        resource = self._read.get((kind, text))
        if resource is None:
            resource = self._read[kind, text] = NOUNS[kind].model_validate_json(text)
        return resource

    def __contains__(self, key: object) -> bool:
        return key in self.texts

    def __iter__(self) -> Iterator[Key]:
        return iter(self.texts)

    def __len__(self) -> int:
        return len(self.texts)


def text_of(resources: Mapping[Key, Resource], key: Key) -> str:
    """Return the JSON text of the resource at an address, as it is kept or as it would be. Raises KeyError."""
    text = resources.text(key) if isinstance(resources, Packed) else None
    return packed(resources[key]) if text is None else text


def shared(texts: Iterable[tuple[str, str]], other: Mapping[Key, Resource]) -> dict[Key, str]:
    """Return texts by address; one that is the same in another configuration is that one: two in memory become one."""
    known: Mapping[Key, str] = other.texts if isinstance(other, Packed) else {}
    found: dict[Key, str] = {}
    for address, text in texts:
        key = Key.known(address)
        same = known.get(key)
        found[key] = same if same is not None and same == text else text
    return found


def unlike(left: Mapping[Key, Resource], right: Mapping[Key, Resource]) -> Iterator[Key]:
    """Yield the addresses at which `right` has another text than `left`, or all where only reading them would tell."""
    if isinstance(left, Packed) and isinstance(right, Packed):
        text_in = left.texts.get
        return (key for key, text in right.texts.items() if text_in(key) != text)
    return iter(right)


def only_in(left: Mapping[Key, Resource], right: Mapping[Key, Resource]) -> Iterator[Key]:
    """Yield the addresses that `left` has and `right` has not."""
    if isinstance(left, Packed) and isinstance(right, Packed):
        missing = left.texts.keys() - right.texts.keys()
        return (key for key in left if key in missing) if missing else iter(())
    return (key for key in left if key not in right)
