"""The quickstart's samples go where its README says, by its own rules and maps."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid5

import pytest
from lxml import etree

from reconciler.conversion import naming
from reconciler.conversion.compiler import ContentCompiler
from reconciler.conversion.converter import Converter, InConversion, OutConversion
from reconciler.conversion.dictionary import Table
from reconciler.desired.load import Desired, load
from reconciler.envelope import xml
from reconciler.envelope.check import check_envelope
from reconciler.envelope.match import PartnerFile, choose_in, choose_out, ordered
from reconciler.envelope.template import TemplateDefinition, parse_template
from reconciler.envelope.xml import Envelope
from reconciler.envelope.xml_writing import to_xml
from reconciler.model.dictionary import Dictionary
from reconciler.model.integration import Integration
from reconciler.model.key import Key
from reconciler.model.mailbox import Mailbox
from reconciler.model.rule import Rule
from reconciler.model.template import Template
from reconciler.protocols.as2.settings import As2Settings
from reconciler.protocols.sftp.settings import SftpSettings

EXAMPLE = Path(__file__).parents[3] / "examples" / "quickstart"
ACME, GLOBEX = Key.of_account("acme"), Key.of_account("globex")
ORDERS = ACME.mailbox("orders")


def uuid_of(mailbox: Key) -> UUID:
    return uuid5(UUID(int=0), str(mailbox))


@dataclass
class Quickstart:
    """The configuration as it stands, with mailboxes whose UUIDs follow from their addresses."""

    desired: Desired
    converter: Converter

    def dictionary_value(self, dictionary: str, column_of_value: str, value: str, column_to_find: str) -> str | None:
        return self._table(dictionary).value(column_of_value, value, column_to_find)

    def dictionary_record(self, dictionary: str, column: str, value: str) -> str | None:
        return self._table(dictionary).record(column, value)

    def mailbox_by_alias(self, alias: str) -> str | None:
        found = [str(uuid_of(key)) for key, mailbox in self.desired.state.of(Mailbox) if alias in mailbox.aliases]
        return found[0] if found else None

    def envelope_by_field(self, template: str, field: str, value: str) -> str | None:
        raise AssertionError((template, field, value))

    def _table(self, name: str) -> Table:
        dictionary = self.desired.state.get(ACME.dictionary(name))
        assert isinstance(dictionary, Dictionary)
        return Table.parse(self.desired.files[dictionary.file.sha256])

    @property
    def definition(self) -> TemplateDefinition:
        template = self.desired.state.get(ACME.template("order"))
        assert isinstance(template, Template)
        return parse_template(self.desired.files[template.file.sha256])

    def rules(self, owner: Key) -> list[tuple[Key, Rule]]:
        return [(key, rule) for key, rule in self.desired.state.of(Rule) if key.owner == owner]

    def send(self, sample: str, *, own_rules: bool = True) -> tuple[str, Envelope]:
        """Return the name of the rule that takes a sample in `acme.orders`, and the envelope that its map makes."""
        payload = (EXAMPLE / "samples" / sample).read_bytes()
        rules = ordered(self.rules(ORDERS) if own_rules else [], self.rules(ACME))
        chosen = choose_out(rules, PartnerFile(sample, lambda: payload))
        assert chosen is not None
        key, rule = chosen
        request = OutConversion.by(rule, payload, file_name=sample, sender_mailbox=uuid_of(ORDERS))
        (result,) = self.converter.convert_out(request, self).results
        return key.name, xml.parse(result)

    def faults(self, envelope: Envelope) -> list[str]:
        found = check_envelope(
            envelope,
            template=self.definition.ref,
            definition=self.definition,
            mailbox_exists={uuid_of(key) for key, _ in self.desired.state.of(Mailbox)}.__contains__,
            sender=uuid_of(ORDERS),
        )
        return [str(fault) for fault in found]

    def deliver(self, envelope: Envelope, mailbox: Key) -> tuple[str, bytes]:
        """Return the name and content of the file that the IN rule of a mailbox makes of an envelope."""
        chosen = choose_in(self.rules(mailbox), envelope.template)
        assert chosen is not None
        _, rule = chosen
        assert rule.name_pattern is not None
        pattern = naming.parse(rule.name_pattern)
        content = to_xml(envelope)
        request = InConversion.by(rule, content, sender_mailbox=uuid_of(ORDERS), fields=pattern.fields)
        converted = self.converter.convert_in(request, self)
        name = naming.render(
            pattern,
            texts=converted.fields,
            mailbox_uuid=uuid_of(mailbox),
            envelope_uuid=UUID(int=1),
            template_uuid=envelope.template.uuid,
            now=datetime(2026, 11, 20, tzinfo=UTC),
            random_number=1,
            types=self.definition.field_type,
        )
        return name, converted.results[0]


def configuration(root: Path) -> Desired:
    with ContentCompiler() as compiler:
        return load(root, {"sftp": SftpSettings, "as2": As2Settings}, compiler)


@pytest.fixture(scope="module")
def quickstart() -> Iterator[Quickstart]:
    desired = configuration(EXAMPLE)
    with Converter(desired.files.__getitem__) as converter:
        yield Quickstart(desired, converter)


@pytest.mark.parametrize(
    ("sample", "mailbox"),
    [
        ("ORDERS_4711.edi", "sales"),
        ("ORDERS_4712.edi", "sales-as2"),
        ("ORDERS_4713.edi", "archive"),
        ("ORDERS_4714.edi", "backoffice"),
        ("ORDERS_4715.edi", "closed"),
        ("ORDERS_4716.edi", "sales"),
    ],
)
def test_a_sample_becomes_an_envelope_for_the_mailbox_it_names(
    quickstart: Quickstart, sample: str, mailbox: str
) -> None:
    rule, envelope = quickstart.send(sample)
    assert rule == "orders-from-edifact"
    assert quickstart.faults(envelope) == []
    assert envelope.recipients == (uuid_of(GLOBEX.mailbox(mailbox)),)
    assert envelope.subject == f"Order {sample[7:11]}"


def test_what_the_directories_write_differently_reads_the_same(quickstart: Quickstart) -> None:
    envelopes = [quickstart.send(f"ORDERS_{number}.edi")[1] for number in ("4711", "4716")]
    assert [envelope.field_values("d1", "total") for envelope in envelopes] == [("245.75",), ("143.75",)]
    assert envelopes[0].field_values("d1", "note") == ("Gate 3: ring at the café's bell",)


def test_an_order_becomes_the_file_of_the_erp(quickstart: Quickstart) -> None:
    name, content = quickstart.deliver(quickstart.send("ORDERS_4711.edi")[1], GLOBEX.mailbox("sales"))
    order = etree.fromstring(content)
    assert name == "ORDER_4711.xml"
    assert (order.get("number"), order.get("deliver"), order.get("subject")) == ("4711", "2026-11-27", "Order 4711")
    assert [item.get("quantity") for item in order.iter("item")] == ["120", "25", "40"]


def test_an_order_becomes_csv(quickstart: Quickstart) -> None:
    name, content = quickstart.deliver(quickstart.send("ORDERS_4712.edi")[1], GLOBEX.mailbox("sales-as2"))
    assert name == "ORDER_4712.csv"
    assert content == (b"order,line,gtin,quantity,price\n4712,1,4006381333931,120,0.85\n4712,2,4006381333948,25,3.99\n")


@pytest.mark.parametrize(
    ("mailbox", "action"), [("archive", "inbox"), ("backoffice", "inbox-notify-email"), ("closed", "autoreject")]
)
def test_each_default_rule_has_a_mailbox(quickstart: Quickstart, mailbox: str, action: str) -> None:
    key = GLOBEX.mailbox(mailbox)
    integration = quickstart.desired.state.get(key.integration)
    assert isinstance(integration, Integration)
    assert integration.default_rule.action == action
    assert choose_in(ordered(quickstart.rules(key), quickstart.rules(GLOBEX)), quickstart.definition.ref) is None


def test_without_the_mailboxs_rule_the_accounts_takes_the_order_and_marks_it(quickstart: Quickstart) -> None:
    rule, envelope = quickstart.send("ORDERS_4716.edi", own_rules=False)
    assert (rule, envelope.subject) == ("any-order", "To be checked: Order 4716")
    _, content = quickstart.deliver(envelope, GLOBEX.mailbox("sales"))
    assert etree.fromstring(content).get("subject") == "To be checked: Order 4716"


def test_the_order_that_fails_passes_once_the_map_is_mended(quickstart: Quickstart, tmp_path: Path) -> None:
    _, envelope = quickstart.send("ORDERS_4717.edi")
    assert quickstart.faults(envelope) == ["d1/delivery date: the field is required and not filled"]

    readme = (EXAMPLE / "README.md").read_text().splitlines()
    before, after = (next(line[1:] for line in readme if line.startswith(f"{sign}   ")) for sign in "-+")
    mended = tmp_path / "quickstart"
    for path in (path for path in EXAMPLE.rglob("*") if path.is_file() and ".reconciler" not in path.parts):
        copy = mended / path.relative_to(EXAMPLE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    stylesheet = mended / "maps" / "orders-out.xsl"
    assert stylesheet.read_text().count(before) == 1
    stylesheet.write_text(stylesheet.read_text().replace(before, after))

    desired = configuration(mended)
    with Converter(desired.files.__getitem__) as converter:
        _, envelope = Quickstart(desired, converter).send("ORDERS_4717.edi")
    assert quickstart.faults(envelope) == []
    assert envelope.field_values("d1", "delivery date") == ("2026-11-30",)
