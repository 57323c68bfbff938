"""What refers to something else in a configuration, and what may exist only once in all of it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from reconciler.desired.codes import CODES, Code
from reconciler.desired.findings import WrittenClaim
from reconciler.desired.nearest import nearest
from reconciler.desired.yaml_document import Yaml, YamlDocument
from reconciler.errors import Position, Problem


class Place(NamedTuple):
    """Where in the configuration something is written."""

    document: YamlDocument
    location: tuple[str | int, ...]

    def below(self, *parts: str | int) -> "Place":
        """Return the place of something inside."""
        return Place(self.document, (*self.location, *parts))

    def position(self, *, of_key: bool = False) -> Position:
        """Return the position of the value, or of its key."""
        return self.document.position(self.location, of_key=of_key)

    def problem(
        self, code: Code, message: str, *, of_key: bool = False, suggestion: str = "", also: Position | None = None
    ) -> Problem:
        """Return a mistake at this place."""
        return self.document.problem(code, message, self.location, of_key=of_key, suggestion=suggestion, also=also)


@dataclass(frozen=True, slots=True)
class Templates:
    """The templates of all accounts by account and name; `refs` are those that are right."""

    refs: dict[tuple[str, str], str] = field(default_factory=dict)
    """Each as UUID/version."""
    _declared: set[tuple[str, str]] = field(default_factory=set)

    def declare(self, templates: Iterable[tuple[str, str]]) -> None:
        """Note that there are templates of these accounts and names, whatever is wrong with them."""
        self._declared.update(templates)

    def find(self, name: str, account: str) -> str | None:
        """Return the template that a rule of an account names; None when there is none, or when it is wrong."""
        return self.refs.get(_key(name, account))

    def unknown(self, name: str, account: str, place: Place) -> Iterator[Problem]:
        """Yield a mistake when no account has the template that is named at a place."""
        owner, template = _key(name, account)
        if (owner, template) not in self._declared:
            known = [own if of == account else f"{of}.{own}" for of, own in sorted(self._declared)]
            message = f"account '{owner}' has no template '{template}'"
            yield place.problem(Code.UNKNOWN_REFERENCE, message, suggestion=nearest(name, known))


def _key(name: str, account: str) -> tuple[str, str]:
    owner, _, template = name.rpartition(".")
    return owner or account, template


def declared_templates(data: Yaml) -> Iterator[tuple[str, str]]:
    """Yield the templates that a document has, by account and name, as far as it has that shape."""
    for account, parts in _mappings(data, "accounts"):
        templates = parts.get("templates")
        yield from ((account, name) for name in (templates if isinstance(templates, dict) else ()))


def named_templates(data: Yaml) -> Iterator[tuple[str, str, list[str | int]]]:
    """Yield what rules of a document call their templates: the account, the name, and where it stands."""
    for account, parts in _mappings(data, "accounts"):
        yield from _named(account, parts, ["accounts", account])
        for mailbox, content in _mappings(parts, "mailboxes"):
            yield from _named(account, content, ["accounts", account, "mailboxes", mailbox])


def _named(account: str, owner: Yaml, location: list[str | int]) -> Iterator[tuple[str, str, list[str | int]]]:
    for name, rule in _mappings(owner, "rules"):
        template = rule.get("template")
        if isinstance(template, str):
            yield account, template, [*location, "rules", name, "template"]


@dataclass(frozen=True, slots=True)
class Unique:
    """What may exist only once: aliases of mailboxes, UUIDs of templates and dictionaries, partnerships."""

    _first: dict[tuple[str, str], tuple[YamlDocument, WrittenClaim]] = field(default_factory=dict)

    def claim(self, claims: Iterable[WrittenClaim], document: YamlDocument) -> Iterator[Problem]:
        """Yield a mistake for each value of a document that is taken already."""
        first = self._first
        for claim in claims:
            taken = first.setdefault((claim.code, claim.value), (document, claim))
            if taken[1] is not claim:
                by = Place(taken[0], tuple(taken[1].location))
                place = Place(document, tuple(claim.location))
                message = f"{claim.what} is taken already, by {_owner(by)}"
                yield place.problem(CODES[claim.code], message, also=by.position())


def _owner(place: Place) -> str:
    """Return the address of the object that has an alias or a UUID."""
    return ".".join(str(part) for part in place.location[:4])


def _mappings(value: Yaml, key: str) -> Iterator[tuple[str, dict[str, Yaml]]]:
    """Yield the mappings by name that stand below a key, as far as the YAML has that shape."""
    inside = value.get(key) if isinstance(value, dict) else None
    for name, item in inside.items() if isinstance(inside, dict) else ():
        if isinstance(item, dict):
            yield name, item
