"""What to do next with a file or an envelope, as values: performing them is the workers' part.

    a partner's file ── on_file ──▶ Convert | SendAsIs | NoRule
    an envelope in a mailbox ── on_arrival ──▶ Convert | AwaitCompletion | CopyToPartner | Notify | Reject | Keep

A rule that matches and then fails ends in `error/`, never in the default rule: that is for what no rule matches.
"""

from dataclasses import dataclass, field
from typing import assert_never

from reconciler.envelope.match import PartnerFile, Rules, choose_in, choose_out
from reconciler.model.integration import DefaultRule
from reconciler.model.key import Key
from reconciler.model.rule import Rule
from reconciler.model.template_ref import TemplateRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """How a mailbox exchanges with its partner; `rules` are the active ones in the order in which they are tried."""

    enabled: bool = False
    protocol: str = ""
    notify_email: str | None = None
    default_rule: DefaultRule = field(default_factory=DefaultRule)
    rules: Rules = ()


@dataclass(frozen=True, slots=True)
class Convert:
    """Convert by this rule."""

    key: Key
    rule: Rule


@dataclass(frozen=True, slots=True)
class SendAsIs:
    """The file is an envelope's XML already: send it."""


@dataclass(frozen=True, slots=True)
class NoRule:
    """No OUT rule takes the file: it has failed."""


@dataclass(frozen=True, slots=True)
class AwaitCompletion:
    """The rule delivers an archive, which there is once the envelope is completed."""


@dataclass(frozen=True, slots=True)
class CopyToPartner:
    """Keep the envelope in the mailbox and put a copy on the remote side."""


@dataclass(frozen=True, slots=True)
class Notify:
    """Keep the envelope in the mailbox and mail this address."""

    email: str


@dataclass(frozen=True, slots=True)
class Reject:
    """Cancel the envelope for this reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class Keep:
    """Keep the envelope in the mailbox; nothing is exchanged."""


def on_file(file: PartnerFile, *, native: bool, rules: Rules) -> Convert | SendAsIs | NoRule:
    """Decide what becomes of a partner's file; `native` says that it came as an envelope's XML."""
    if native:
        return SendAsIs()
    chosen = choose_out(rules, file)
    return NoRule() if chosen is None else Convert(*chosen)


Arrived = Convert | AwaitCompletion | CopyToPartner | Notify | Reject | Keep


def on_arrival(template: TemplateRef, exchange: Exchange) -> Arrived:
    """Decide what becomes of an envelope that arrived in a mailbox."""
    if not exchange.enabled:
        return Keep()
    chosen = choose_in(exchange.rules, template)
    if chosen is not None:
        return Convert(*chosen) if chosen[1].archive is None else AwaitCompletion()
    match exchange.default_rule.action:
        case "inbox":
            return CopyToPartner()
        case "inbox-notify-email":
            return Notify(exchange.notify_email) if exchange.notify_email else Keep()
        case "autoreject":
            return Reject(exchange.default_rule.reason or "")
        case _:
            assert_never(exchange.default_rule.action)


def on_completion(template: TemplateRef, exchange: Exchange) -> Convert | Keep:
    """Decide what becomes of an arrived envelope that has just been completed: an archive, or nothing."""
    chosen = choose_in(exchange.rules, template) if exchange.enabled else None
    return Convert(*chosen) if chosen is not None and chosen[1].archive is not None else Keep()
