"""Resources as an author would write them: what is default is left out, templates are named, files are files."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from reconciler.model.account import Account
from reconciler.model.credential import Credential
from reconciler.model.dictionary import Dictionary
from reconciler.model.integration import CONCURRENCY, Integration
from reconciler.model.key import Key
from reconciler.model.mailbox import Mailbox
from reconciler.model.noun import Json
from reconciler.model.protocol import ProtocolRegistry
from reconciler.model.rule import Rule, RuleTest
from reconciler.model.source_file import SourceFile
from reconciler.model.state import Resource, State
from reconciler.model.template import Template
from reconciler.model.template_ref import TemplateRef

Tree = dict[str, "Leaf"]
Leaf = Tree | Sequence["Leaf"] | SourceFile | str | int | float | bool | None
"""A YAML value in which a file is the file itself; where its path leads is decided when it is written."""


_PARTS = ("templates", "dictionaries", "rules", "mailboxes")


@dataclass(frozen=True, slots=True)
class Trees:
    """The accounts of a state as trees."""

    state: State
    protocols: ProtocolRegistry
    _keys: Mapping[str, list[Key]] = field(init=False)
    _templates: Mapping[TemplateRef, Key] = field(init=False)

    def __post_init__(self) -> None:
        keys: dict[str, list[Key]] = defaultdict(list)
        for key in self.state.resources:
            if key.account is not None:
                keys[key.account].append(key)
        object.__setattr__(self, "_keys", keys)
        object.__setattr__(self, "_templates", {template.ref: key for key, template in self.state.of(Template)})

    def account(self, name: str) -> Tree | None:
        """Return what is written of an account; None when the state has none of this name."""
        resources = [(key, self.state.resources[key]) for key in self._keys.get(name, ())]
        if not resources:
            return None
        resources.sort(key=_place)
        tree: Tree = {}
        for key, resource in resources:
            match resource:
                case Credential():
                    continue
                case Account() | Mailbox():
                    written = _named(key, resource)
                case Template() | Dictionary():
                    written = {name: _leaf(value) for name, value in _dumped(resource).items()}
                case Integration():
                    written = self._integration(key, resource)
                case Rule():
                    written = self._rule(key, resource)
                case _:
                    assert_never(resource)
            _put(tree, key.path[2:], written)
        return tree

    def _integration(self, key: Key, integration: Integration) -> Tree:
        mailbox = Key(key.path[:-1])
        default_rule: Leaf = None
        match integration.default_rule.action:
            case "autoreject":
                default_rule = {"autoreject": integration.default_rule.reason}
            case "inbox":
                pass
            case action:
                default_rule = action
        return _said(
            {
                "enabled": integration.enabled,
                "protocol": integration.protocol,
                "notify_email": integration.notify_email,
                "default_rule": default_rule,
                "ordered": integration.ordered,
                "concurrency": integration.concurrency if integration.concurrency != CONCURRENCY else None,
                "per_minute": integration.per_minute,
                integration.protocol: self._section(integration, mailbox),
            }
        )

    def _section(self, integration: Integration, mailbox: Key) -> Tree:
        settings_class = self.protocols[integration.protocol]
        settings = settings_class.model_validate(integration.settings)
        untouched = settings_class().completed(mailbox).model_dump(mode="json", by_alias=True)
        written = settings.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return {name: _leaf(value) for name, value in written.items() if value != untouched.get(name)}

    def _rule(self, key: Key, rule: Rule) -> Tree:
        archive: Leaf = None
        if rule.archive is not None:
            archive = {"exclude": list(rule.archive.exclude)} if rule.archive.exclude else True
        return _said(
            {
                "active": rule.active,
                "direction": rule.direction.value,
                "match": {rule.match.by: rule.match.pattern} if rule.match else None,
                "source": rule.source,
                "template": self._template(key, rule.template),
                "convert": rule.convert,
                "archive": archive,
                "name_pattern": rule.name_pattern,
                "validate": list(rule.validation),
                "multiple_envelopes": rule.multiple_envelopes,
                "attributes": dict(rule.attributes),
                "protected": rule.protected,
                "tests": [_test(name, test) for name, test in rule.tests.items()],
            }
        )

    def _template(self, key: Key, ref: TemplateRef) -> Leaf:
        named = self._templates.get(ref)
        if named is None:
            return {"uuid": str(ref.uuid), "version": str(ref.version)}
        return named.name if named.account == key.account else f"{named.account}.{named.name}"


def _test(name: str, test: RuleTest) -> Tree:
    return _said(
        {
            "name": name if name != test.input.name else None,
            "input": test.input,
            "mailbox": test.mailbox,
            "expect": test.expect,
            "expect_error": test.expect_error,
        }
    )


def _place(item: tuple[Key, Resource]) -> tuple[int, int, int]:
    """Return what is written first: owners before what they own, rules in their order."""
    key, resource = item
    part = _PARTS.index(key.path[2]) if len(key.path) > 2 else 0  # noqa: PLR2004 - accounts.NAME.part
    return len(key.path), part, resource.position if isinstance(resource, Rule) else 0


def _named(key: Key, resource: Account | Mailbox) -> Tree:
    return _said(
        {
            "name": resource.name if resource.name != key.name else None,
            "protected": resource.protected,
            "aliases": list(resource.aliases) if isinstance(resource, Mailbox) else None,
        }
    )


def _said(tree: Tree) -> Tree:
    """Return a tree without what says nothing: false, empty, or not there."""
    return {name: value for name, value in tree.items() if value not in (None, False, [], {})}


def _dumped(resource: Template | Dictionary) -> dict[str, Json]:
    dumped: dict[str, Json] = resource.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return dumped


def _leaf(value: Json) -> Leaf:
    """Return JSON with the files in it as files."""
    match value:
        case {"name": str(), "sha256": str()}:
            return SourceFile.model_validate(value)
        case dict():
            return {name: _leaf(item) for name, item in value.items()}
        case list():
            return [_leaf(item) for item in value]
        case _:
            return value


def _put(tree: Tree, path: Sequence[str], written: Tree) -> None:
    for part in path[:-1]:
        inside = tree.setdefault(part, {})
        if not isinstance(inside, dict):
            raise TypeError(f"{part} is no mapping")
        tree = inside
    if path:
        tree[path[-1]] = written
    else:
        tree.update(written)


@dataclass(frozen=True, slots=True)
class Put:
    """A value that is to be written at a path."""

    path: tuple[str, ...]
    value: Leaf


@dataclass(frozen=True, slots=True)
class Take:
    """What is to be taken out."""

    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """The order in which the entries of a mapping are to stand."""

    path: tuple[str, ...]
    keys: tuple[str, ...]


Edit = Put | Take | Order

_DECIDING = ("direction", "protocol")
"""What else may stand beside these depends on them, defaults that are written included."""


def edits(old: Tree | None, new: Tree | None, path: tuple[str, ...]) -> Iterator[Edit]:
    """Yield what turns one tree at a path into another."""
    if new is None:
        yield from () if old is None else (Take(path),)
        return
    if old is None or any(old.get(name) != new.get(name) for name in _DECIDING):
        yield Put(path, new)
        return
    yield from (Take((*path, name)) for name in old if name not in new)
    for name, now in new.items():
        before = old.get(name)
        if isinstance(before, dict) and isinstance(now, dict) and before and now:
            yield from edits(before, now, (*path, name))
        elif before != now:
            yield Put((*path, name), now)
    # Rules are tried in the order in which they stand; of everything else the order means nothing.
    kept, added = [name for name in old if name in new], [name for name in new if name not in old]
    if path[-1] == "rules" and kept + added != list(new):
        yield Order(path, tuple(new))
