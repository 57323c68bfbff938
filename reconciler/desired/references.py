"""What refers to something else in a configuration, and what may exist only once in all of it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from reconciler.desired.codes import Code
from reconciler.desired.documents import ReferenceDocument
from reconciler.desired.nearest import nearest
from reconciler.desired.yaml_document import Yaml, YamlDocument
from reconciler.errors import Position, Problem
from reconciler.model.template_ref import TemplateRef


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
    """The templates of all accounts by account and name, and the rules that name them.

    `refs` are those that are right; `_declared` and `_named` are taken from the YAML as it is, so that a name is
    checked whatever else is wrong with the rule or the template.
    """

    refs: dict[tuple[str, str], TemplateRef] = field(default_factory=dict)
    _declared: set[tuple[str, str]] = field(default_factory=set)
    _named: list[tuple[str, str, Place]] = field(default_factory=list)

    def declare(self, document: YamlDocument) -> None:
        """Note which templates a document has, and which its rules name."""
        for account, parts in _mappings(document.data, "accounts"):
            templates = parts.get("templates")
            self._declared.update((account, name) for name in (templates if isinstance(templates, dict) else ()))
            self._note(account, parts, Place(document, ("accounts", account)))
            for mailbox, content in _mappings(parts, "mailboxes"):
                self._note(account, content, Place(document, ("accounts", account, "mailboxes", mailbox)))

    def _note(self, account: str, owner: Yaml, place: Place) -> None:
        for name, rule in _mappings(owner, "rules"):
            template = rule.get("template")
            if isinstance(template, str):
                self._named.append((account, template, place.below("rules", name, "template")))

    def find(self, named: str | ReferenceDocument, account: str) -> TemplateRef | None:
        """Return the template that a rule of an account names; None when there is none, or when it is wrong."""
        return self.refs.get(_key(named, account)) if isinstance(named, str) else named.ref

    def problems(self) -> Iterator[Problem]:
        """Yield a mistake for each name of a template that no account has."""
        for account, name, place in self._named:
            owner, template = _key(name, account)
            if (owner, template) not in self._declared:
                known = [own if of == account else f"{of}.{own}" for of, own in sorted(self._declared)]
                message = f"account '{owner}' has no template '{template}'"
                yield place.problem(Code.UNKNOWN_REFERENCE, message, suggestion=nearest(name, known))


def _key(name: str, account: str) -> tuple[str, str]:
    owner, _, template = name.rpartition(".")
    return owner or account, template


Claimed = str | tuple[str, ...] | TemplateRef | UUID


@dataclass(frozen=True, slots=True)
class Unique:
    """What may exist only once: aliases of mailboxes, UUIDs of templates and dictionaries, partnerships."""

    _first: dict[tuple[Code, Claimed], Place] = field(default_factory=dict)

    def claim(self, code: Code, value: Claimed, what: str, place: Place) -> Iterator[Problem]:
        """Yield a mistake when the value is taken already."""
        first = self._first.setdefault((code, value), place)
        if first is not place:
            also = first.position()
            yield place.problem(code, f"{what} is taken already, by {_owner(first)}", also=also)


def _owner(place: Place) -> str:
    """Return the address of the object that has an alias or a UUID."""
    return ".".join(str(part) for part in place.location[:4])


def _mappings(value: Yaml, key: str) -> Iterator[tuple[str, dict[str, Yaml]]]:
    """Yield the mappings by name that stand below a key, as far as the YAML has that shape."""
    inside = value.get(key) if isinstance(value, dict) else None
    for name, item in inside.items() if isinstance(inside, dict) else ():
        if isinstance(item, dict):
            yield name, item
