"""The rules of all documents: their order, their templates, and those that no file or envelope can come to."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from reconciler.desired.codes import Code
from reconciler.desired.documents import RuleDocument
from reconciler.desired.references import Place, Templates
from reconciler.desired.rules import UNRESOLVED, match_of, rule_text
from reconciler.errors import Problem
from reconciler.model.key import Key
from reconciler.model.packed import packed_ref
from reconciler.model.rule import Direction, MatchBy, RuleTest
from reconciler.model.source_file import SourceFile
from reconciler.model.template_ref import TemplateRef

_UNRESOLVED = packed_ref(UNRESOLVED)
_ANYTHING = frozenset({".*", ".+", "(?s).*"})


@dataclass(frozen=True, slots=True)
class _Written:
    """What of a rule is asked for when all rules are known."""

    key: Key
    place: Place
    template: TemplateRef | str
    active: bool
    direction: Direction
    match: tuple[MatchBy, str] | None
    name_pattern: str | None


@dataclass(frozen=True, slots=True)
class RuleBook:
    """Collects rules by owner, in the order in which they are tried."""

    _rules: "defaultdict[Key, list[_Written]]"
    _texts: "defaultdict[Key, list[str]]"
    """The same rules as JSON; a template that another document declares is filled in when all are known."""
    _directories: tuple[SourceFile, ...]

    @classmethod
    def empty(cls, directories: tuple[SourceFile, ...]) -> "RuleBook":
        """Return one without rules. `directories` are the EDIFACT tables that rules have."""
        return cls(defaultdict(list), defaultdict(list), directories)

    def add(self, owner: Key, name: str, document: RuleDocument, place: Place, tests: Mapping[str, RuleTest]) -> None:
        """Take over a rule that is right in itself."""
        rules = self._rules[owner]
        named = document.template
        template = named if isinstance(named, str) else named.ref
        ref = UNRESOLVED if isinstance(template, str) else template
        match = match_of(document)
        written = _Written(
            owner.rule(name),
            place,
            template,
            document.active,
            document.direction,
            (match.by, match.pattern) if match else None,
            document.name_pattern,
        )
        self._texts[owner].append(rule_text(document, ref, match, len(rules), self._directories, tests))
        rules.append(written)

    def resolved(self, templates: Templates) -> Iterator[tuple[Key, str, Place]]:
        """Yield the rules as JSON with their templates, once; those whose template is wrong are left out."""
        for owner, rules in self._rules.items():
            for rule, text in zip(rules, self._texts.pop(owner), strict=True):
                ref = _template(rule, templates)
                if ref is not None:
                    yield rule.key, text.replace(_UNRESOLVED, packed_ref(ref), 1), rule.place

    def name_patterns(self, templates: Templates) -> Iterator[tuple[str, TemplateRef, Place]]:
        """Yield each name pattern with the template whose fields it names."""
        for rules in self._rules.values():
            for rule in rules:
                ref = _template(rule, templates)
                if ref is not None and rule.name_pattern is not None:
                    yield rule.name_pattern, ref, rule.place.below("name_pattern")

    def warnings(self, templates: Templates, connected: Mapping[Key, AbstractSet[Key]]) -> Iterator[Problem]:
        """Yield a warning for each active rule that is never taken. `connected` are mailboxes with an integration."""
        reached = {owner: _Reached(templates) for owner in self._rules}
        # Whether an account's rule is used depends on the rules of its mailboxes.
        for owner, rules in sorted(self._rules.items(), key=lambda item: item[0].mailbox_key is None):
            mailboxes = connected.get(owner.owner or owner, frozenset())
            for rule in rules:
                if not rule.active:
                    continue
                winner = reached[owner].winner_over(rule)
                if winner is not None:
                    message = f"the rule '{rule.key.name}' is never reached: '{winner.key.name}' above it always wins"
                    also = winner.place.position(of_key=True)
                    yield rule.place.problem(Code.UNREACHABLE_RULE, message, of_key=True, also=also)
                elif owner.mailbox_key is not None and owner not in mailboxes:
                    message = f"no mailbox uses the rule '{rule.key.name}': its mailbox has no integration"
                    yield rule.place.problem(Code.UNUSED_RULE, message, of_key=True)
                elif owner.mailbox_key is None and not any(
                    mailbox not in reached or reached[mailbox].winner(rule) is None for mailbox in mailboxes
                ):
                    reason = "rules of their own always win" if mailboxes else "none has an integration"
                    message = f"no mailbox of the account uses the rule '{rule.key.name}': {reason}"
                    yield rule.place.problem(Code.UNUSED_RULE, message, of_key=True)


class _Reached:
    """What the active rules of one owner take, as far as it can be told without a file."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates
        self._first: dict[object, _Written] = {}
        self._of_anything: _Written | None = None

    def winner_over(self, rule: _Written) -> _Written | None:
        """Return the rule above that takes everything that this active one would, and note this one."""
        anything = self._of_anything if rule.direction is Direction.OUT else None
        if rule.match is not None and rule.match[0] != "attribute" and rule.match[1] in _ANYTHING:
            self._of_anything = self._of_anything or rule
        first = self._first.setdefault(self._taken(rule), rule)
        return anything or (first if first is not rule else None)

    def winner(self, rule: _Written) -> _Written | None:
        """Return the rule that takes everything that this one would."""
        anything = self._of_anything if rule.direction is Direction.OUT else None
        return anything or self._first.get(self._taken(rule))

    def _taken(self, rule: _Written) -> object:
        if rule.direction is Direction.IN:
            return _template(rule, self._templates) or rule.key
        return rule.match or rule.key


def _template(rule: _Written, templates: Templates) -> TemplateRef | None:
    return templates.find(rule.template, str(rule.key.account)) if isinstance(rule.template, str) else rule.template
