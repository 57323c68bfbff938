"""Which rule takes a file or an envelope: the first active one that matches, mailbox rules before account rules."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from reconciler.model.key import Key
from reconciler.model.pattern import found_in, full_match
from reconciler.model.rule import Direction, Match, Rule
from reconciler.model.template_ref import TemplateRef

Rules = Sequence[tuple[Key, Rule]]
"""Rules with their addresses, in the order in which they are tried."""


@dataclass(frozen=True, slots=True)
class PartnerFile:
    """A file from a partner. `content` is called only when a rule looks at it; `attributes` come from the transport."""

    name: str
    content: Callable[[], bytes]
    attributes: Mapping[str, str] = field(default_factory=dict)


def ordered(mailbox_rules: Iterable[tuple[Key, Rule]], account_rules: Iterable[tuple[Key, Rule]]) -> Rules:
    """Return the rules that a mailbox tries, in order: its own by position, then its account's; active ones only."""
    return tuple(
        (key, rule)
        for rules in (mailbox_rules, account_rules)
        for key, rule in sorted(rules, key=lambda pair: pair[1].position)
        if rule.active
    )


def choose_out(rules: Rules, file: PartnerFile) -> tuple[Key, Rule] | None:
    """Return the rule that makes an envelope of a partner's file, or None. The content is read once at most."""
    read: list[bytes] = []

    def content() -> bytes:
        if not read:
            read.append(file.content())
        return read[0]

    for key, rule in rules:
        if rule.active and rule.direction is Direction.OUT and rule.match and _matches(rule.match, file, content):
            return key, rule
    return None


def choose_in(rules: Rules, template: TemplateRef) -> tuple[Key, Rule] | None:
    """Return the rule that makes a partner's file of an envelope of this template, or None: then the default rule."""
    for key, rule in rules:
        if rule.active and rule.direction is Direction.IN and rule.template == template:
            return key, rule
    return None


def _matches(match: Match, file: PartnerFile, content: Callable[[], bytes]) -> bool:
    match match.by:
        case "name":
            return full_match(match.pattern, file.name)
        case "content":
            return found_in(match.pattern, content())
        case "attribute":
            key, _, pattern = match.pattern.partition("==")
            return key in file.attributes and full_match(pattern, file.attributes[key])
        case _:
            assert_never(match.by)
