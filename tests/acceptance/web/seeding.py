"""Records for the pages: what a gateway has after some days of work. All but the day is the same at each run."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

from reconciler.envelope.xml import Document, Envelope, Field, FieldGroup, Fieldset, Role, Status, Value
from reconciler.envelope.xml_writing import to_xml
from reconciler.model.key import Key
from reconciler.model.rule import Direction
from reconciler.model.template_ref import TemplateRef
from reconciler.service.workspace import Workspace
from reconciler.store import conversions, envelopes
from reconciler.store.blobs import Batch
from reconciler.store.conversions import Conversion, ConversionStatus
from reconciler.store.envelopes import StoredEnvelope

ORDERS = Key.parse("accounts.acme.mailboxes.orders")
SALES = Key.parse("accounts.globex.mailboxes.sales")
RULE = ORDERS.rule("orders-from-edifact")
TEMPLATE = TemplateRef(
    uuid=UUID("8cb0f552-54ab-4b26-b0d6-a4b09bc68c18"), version=UUID("66a2b510-738c-47ce-825b-864908dba8ec")
)
EDIFACT = (
    "UNA:+.? '\nUNB+UNOA:2+4829900003227+4829900003999+240501:1200+{number}'\n"
    "UNH+1+ORDERS:D:96A:UN'\nBGM+220+{number}+9'\nDTM+137:20240501:102'\nLIN+1++5449000096241:EN'\nQTY+21:48'\n"
    "UNT+6+1'\nUNZ+1+{number}'\n"
)
PRODUCTS = ("Sparkling water 0.5 l", "Apple juice 1 l", "Crackers, salted", "Dark chocolate 70 %")


def order(number: int, sender: UUID, recipient: UUID, now: datetime) -> Envelope:
    """Return an order of some lines."""
    lines = tuple(
        Fieldset(
            index,
            (
                Field("line", (Value(str(index + 1)),)),
                Field("product", (Value(str(5449000096241 + index)),)),
                Field("description", (Value(product),)),
                Field("quantity", (Value(str(12 * (index + 1))),)),
                Field("price", (Value(f"{1.2 + index * 0.85:.2f}"),)),
            ),
        )
        for index, product in enumerate(PRODUCTS)
    )
    heads = {"number": str(number), "date": "2024-05-01", "delivery date": "2024-05-03", "buyer": "Acme Retail"}
    heads |= {"supplier": "Globex Foods", "delivery place": "Warehouse 3, Harbour Road 12", "currency": "EUR"}
    fields = tuple(Field(name, (Value(value),)) for name, value in heads.items())
    return Envelope(
        template=TEMPLATE,
        created=now,
        subject=f"Order {number} of Acme Retail",
        documents=(Document("d1", (*fields, FieldGroup("positions", lines))),),
        roles=(Role("buyer", sender), Role("supplier", recipient, active=True)),
    ).with_state(Status.SENT, date=now, role_id="buyer")


def seed(workspace: Workspace, *, count: int = 90) -> list[UUID]:
    """Add conversions of the last days, every ninth of them failed, and the envelopes of the newest; return those."""
    snapshot = {item.key: item.uuid for item in workspace.show(None)}
    sender, recipient = snapshot[ORDERS], snapshot[SALES]
    assert sender is not None
    assert recipient is not None
    made: list[UUID] = []
    for number, at in _moments(count):
        content = order(number, sender, recipient, at)
        batch = Batch(workspace.store.blobs)
        source, result = batch.add(EDIFACT.format(number=number).encode()), batch.add(to_xml(content))
        failed = number % 9 == 4
        row = StoredEnvelope(
            uuid=UUID(int=number << 64),
            template_uuid=TEMPLATE.uuid,
            template_version=TEMPLATE.version,
            sender=sender,
            status="SENT",
            subject=content.subject,
            reason="",
            sha256=result,
            created_at=at,
            changed_at=at,
        )
        record = Conversion(
            uuid=UUID(int=number << 32),
            created_at=at,
            changed_at=at,
            status=ConversionStatus.FAILED if failed else ConversionStatus.PROCESSED,
            direction=Direction.OUT,
            mailbox=sender,
            rule=None if failed and number % 2 else str(RULE),
            envelopes=() if failed else (row.uuid,),
            file_name=f"ORDERS_{number}.edi",
            subject="" if failed else row.subject,
            error_code="dictionary_value_missing" if failed else "",
            error="the dictionary 'partners' has no record with GLN 4829900003999" if failed else "",
            input=source,
            output=None if failed else result,
        )
        with workspace.store.write() as tx:
            batch.put(tx)
            if not failed:
                envelopes.add(tx, row, [recipient])
                envelopes.add_event(tx, row.uuid, "sent", mailbox=sender)
                made.append(row.uuid)
            conversions.put(tx, record)
    return made


def _moments(count: int) -> Iterator[tuple[int, datetime]]:
    """Yield the numbers of orders with their times, newest first, more of them on some days than on others."""
    now = datetime.now(UTC)
    for index in range(count):
        yield 4800 - index, now - timedelta(minutes=7 + index * 190 + (index % 5) * 47)
