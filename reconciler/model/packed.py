"""Resources as JSON text, each read when it is asked for: a large configuration of which little is looked at."""

import re
from collections.abc import Iterator, Mapping

from reconciler.model.key import Key
from reconciler.model.state import NOUNS, Resource

_SHA256 = re.compile(r'"sha256": ?"([0-9a-f]{64})"')


class Packed(Mapping[Key, Resource]):
    """Resources by address. What was read stays read; iterating over `items` reads everything."""

    def __init__(self, texts: Mapping[Key, str]) -> None:
        self._texts = texts
        self._read: dict[Key, Resource] = {}

    def text(self, key: Key) -> str | None:
        """Return a resource's JSON as it is kept, or None."""
        return self._texts.get(key)

    def hashes(self) -> frozenset[str]:
        """Return the SHA-256 of every file that the resources name, without reading them."""
        # Inside a JSON text every quote is escaped, so that nothing an author writes looks like this.
        return frozenset(sha256 for text in self._texts.values() for sha256 in _SHA256.findall(text))

    def __getitem__(self, key: Key) -> Resource:
        resource = self._read.get(key)
        if resource is None:
            resource = self._read[key] = NOUNS[key.kind].model_validate_json(self._texts[key])
        return resource

    def __contains__(self, key: object) -> bool:
        return key in self._texts

    def __iter__(self) -> Iterator[Key]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)


def alike(left: Mapping[Key, Resource], right: Mapping[Key, Resource], key: Key) -> bool:
    """Say whether two configurations have the same text at an address; without it, only reading them tells."""
    if not isinstance(left, Packed) or not isinstance(right, Packed):
        return False
    text = left.text(key)
    return text is not None and text == right.text(key)
