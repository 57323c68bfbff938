"""The rules of all documents: their order, their templates, and those that no file or envelope can come to."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from reconciler.desired.codes import Code
from reconciler.desired.findings import WrittenRule
from reconciler.desired.references import Place, Templates
from reconciler.desired.yaml_document import YamlDocument
from reconciler.errors import Problem
from reconciler.model.key import Key
from reconciler.model.rule import Direction

_ANYTHING = frozenset({".*", ".+", "(?s).*"})


@dataclass(slots=True)
class Owned:
    """A rule with its owner, the document that it is written in, and its index among its owner's rules.

    `ref` is its template as UUID/version; None when there is none of its name, or when it is wrong.
    """

    owner: Key
    written: WrittenRule
    document: YamlDocument
    index: int
    ref: str | None

    @property
    def key(self) -> Key:
        """The rule's address."""
        return Key.known(f"{self.owner}.rules.{self.written.name}")

    def place(self, *below: str) -> Place:
        """Return where the rule is written, or something of it."""
        return Place(self.document, (*self.key.path, *below))


@dataclass(frozen=True, slots=True)
class RuleBook:
    """Collects rules by owner, in the order in which they are tried."""

    _rules: "defaultdict[Key, list[Owned]]" = field(default_factory=lambda: defaultdict(list))

    def add(self, owner: Key, written: list[WrittenRule], document: YamlDocument) -> None:
        """Take over the rules that an owner has in a document."""
        rules = self._rules[owner]
        rules += (Owned(owner, rule, document, number, rule.ref) for number, rule in enumerate(written, len(rules)))

    def resolved(self, templates: Templates) -> Iterator[Owned]:
        """Yield all rules once the templates are known that they name."""
        for owner, rules in self._rules.items():
            account = owner.path[1]
            for rule in rules:
                if rule.written.template is not None:
                    rule.ref = templates.find(rule.written.template, account)
                yield rule

    def warnings(self, connected: Mapping[Key, AbstractSet[Key]]) -> Iterator[Problem]:
        """Yield a warning for each active rule that is never taken. `connected` are mailboxes with an integration."""
        reached = {owner: _Reached() for owner in self._rules}
        # Whether an account's rule is used depends on the rules of its mailboxes.
        for owner, rules in sorted(self._rules.items(), key=lambda item: ".mailboxes." not in item[0]):
            account, of_mailbox, _ = owner.partition(".mailboxes.")
            mailboxes = connected.get(Key.known(account), frozenset())
            for rule in rules:
                if not rule.written.active:
                    continue
                winner, name = reached[owner].winner_over(rule), rule.written.name
                if winner is not None:
                    message = f"the rule '{name}' is never reached: '{winner.written.name}' above it always wins"
                    also = winner.place().position(of_key=True)
                    yield rule.place().problem(Code.UNREACHABLE_RULE, message, of_key=True, also=also)
                elif of_mailbox and owner not in mailboxes:
                    message = f"no mailbox uses the rule '{name}': its mailbox has no integration"
                    yield rule.place().problem(Code.UNUSED_RULE, message, of_key=True)
                elif not of_mailbox and not any(
                    mailbox not in reached or reached[mailbox].winner(rule) is None for mailbox in mailboxes
                ):
                    reason = "rules of their own always win" if mailboxes else "none has an integration"
                    message = f"no mailbox of the account uses the rule '{name}': {reason}"
                    yield rule.place().problem(Code.UNUSED_RULE, message, of_key=True)


class _Reached:
    """What the active rules of one owner take, as far as it can be told without a file."""

    def __init__(self) -> None:
        self._first: dict[object, Owned] = {}
        self._of_anything: Owned | None = None

    def winner_over(self, rule: Owned) -> Owned | None:
        """Return the rule above that takes everything that this active one would, and note this one."""
        written = rule.written
        anything = self._of_anything if written.direction == Direction.OUT else None
        if written.by in {"name", "content"} and written.pattern in _ANYTHING:
            self._of_anything = self._of_anything or rule
        first = self._first.setdefault(self._taken(rule), rule)
        return anything or (first if first is not rule else None)

    def winner(self, rule: Owned) -> Owned | None:
        """Return the rule that takes everything that this one would."""
        anything = self._of_anything if rule.written.direction == Direction.OUT else None
        return anything or self._first.get(self._taken(rule))

    def _taken(self, rule: Owned) -> object:
        if rule.written.direction == Direction.IN:
            return rule.ref or rule.key
        return (rule.written.by, rule.written.pattern)
