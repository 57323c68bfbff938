"""Which rule takes a file or an envelope."""

from collections.abc import Callable, Mapping
from uuid import UUID

import pytest

from reconciler.envelope.match import PartnerFile, choose_in, choose_out, ordered
from reconciler.model.key import Key
from reconciler.model.rule import Direction, Match, MatchBy, Rule
from reconciler.model.source_file import SourceFile
from reconciler.model.template_ref import TemplateRef

ORDER = TemplateRef(uuid=UUID(int=1), version=UUID(int=2))
ORDER_2 = TemplateRef(uuid=UUID(int=1), version=UUID(int=3))
MAP = SourceFile(name="map.xsl", sha256="0" * 64)
ACCOUNT = Key.of_account("acme")
MAILBOX = ACCOUNT.mailbox("orders")


def out(pattern: str, *, by: MatchBy = "name", active: bool = True, position: int = 0) -> Rule:
    match = Match(by=by, pattern=pattern)
    return Rule(active=active, direction=Direction.OUT, position=position, template=ORDER, match=match, convert=MAP)


def into(template: TemplateRef, *, active: bool = True, position: int = 0) -> Rule:
    return Rule(active=active, direction=Direction.IN, position=position, template=template, convert=MAP)


def file(
    name: str = "ORDERS_1.edi",
    content: Callable[[], bytes] = lambda: b"UNB+UNOC:3'UNH+1+ORDERS:D:96A'",
    attributes: Mapping[str, str] | None = None,
) -> PartnerFile:
    return PartnerFile(name, content, attributes or {})


def matches(rule: Rule, partner_file: PartnerFile) -> bool:
    return choose_out([(MAILBOX.rule("one"), rule)], partner_file) is not None


class TestOrder:
    def test_mailbox_rules_come_before_account_rules_each_by_position(self) -> None:
        mailbox_rules = [(MAILBOX.rule("b"), out("b", position=1)), (MAILBOX.rule("a"), out("a", position=0))]
        account_rules = [(ACCOUNT.rule("c"), out("c", position=0))]
        keys = [key.name for key, _ in ordered(mailbox_rules, account_rules)]
        assert keys == ["a", "b", "c"]

    def test_inactive_rules_are_left_out(self) -> None:
        assert ordered([(MAILBOX.rule("a"), out("a", active=False))], []) == ()

    def test_the_first_match_wins(self) -> None:
        rules = ordered([(MAILBOX.rule("mine"), out(r"ORDERS.*\.edi"))], [(ACCOUNT.rule("all"), out(".*"))])
        assert [choice[0].name for name in ("ORDERS_1.edi", "x.csv") if (choice := choose_out(rules, file(name)))] == [
            "mine",
            "all",
        ]


class TestOut:
    @pytest.mark.parametrize(
        ("pattern", "name", "expected"),
        [
            (r"ORDERS.*\.edi", "ORDERS_4711.edi", True),
            (r"ORDERS.*\.edi", "OLD_ORDERS_4711.edi", False),
            (r"ORDERS.*\.edi", "ORDERS_4711.edi.bak", False),
            (r"orders.*", "ORDERS_4711.edi", False),
            (r"(?i)orders.*", "ORDERS_4711.edi", True),
        ],
    )
    def test_a_name_matches_as_a_whole(self, pattern: str, name: str, expected: bool) -> None:
        assert matches(out(pattern), file(name)) is expected

    @pytest.mark.parametrize(("pattern", "expected"), [("ORDERS:D:96A", True), ("^ORDERS", False), ("INVOIC", False)])
    def test_content_matches_anywhere(self, pattern: str, expected: bool) -> None:
        assert matches(out(pattern, by="content"), file()) is expected

    @pytest.mark.parametrize(
        ("pattern", "expected"),
        [
            ("AS2-From==GLOBEX", True),
            ("AS2-From==GLO", False),
            ("AS2-From==GLO.*", True),
            ("Subject==.*==.*", True),
            ("AS2-To==.*", False),
        ],
    )
    def test_an_attribute_matches_as_a_whole_where_it_is_there(self, pattern: str, expected: bool) -> None:
        attributes = {"AS2-From": "GLOBEX", "Subject": "a==b"}
        assert matches(out(pattern, by="attribute"), file(attributes=attributes)) is expected

    def test_the_content_is_read_once_and_only_when_a_rule_looks_at_it(self) -> None:
        reads: list[str] = []

        def content() -> bytes:
            reads.append("read")
            return b"INVOIC"

        by_content = [(MAILBOX.rule(name), out(name, by="content")) for name in ("ORDERS", "INVOIC")]
        choose_out([(MAILBOX.rule("name"), out(".*"))], file(content=content))
        assert reads == []
        choice = choose_out(by_content, file(content=content))
        assert choice is not None
        assert choice[0].name == "INVOIC"
        assert reads == ["read"]

    def test_neither_an_inactive_rule_nor_one_of_the_other_direction_takes_a_file(self) -> None:
        rules = [(MAILBOX.rule("off"), out(".*", active=False)), (MAILBOX.rule("in"), into(ORDER))]
        assert choose_out(rules, file()) is None


class TestIn:
    def test_template_and_version_must_be_equal(self) -> None:
        rules = [(MAILBOX.rule("two"), into(ORDER_2)), (MAILBOX.rule("one"), into(ORDER))]
        choice = choose_in(rules, ORDER)
        assert choice is not None
        assert choice[0].name == "one"
        assert choose_in(rules[:1], ORDER) is None

    def test_neither_an_inactive_rule_nor_one_of_the_other_direction_takes_an_envelope(self) -> None:
        rules = [(MAILBOX.rule("off"), into(ORDER, active=False)), (MAILBOX.rule("out"), out(".*"))]
        assert choose_in(rules, ORDER) is None
