"""AS2 partners of a site: simulated ones that count what they get, and do something when they get it."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import uuid4

from reconciler.protocols.as2.peer import new_key
from reconciler.protocols.as2.ports import Answer, Received
from reconciler.protocols.as2.simulator import Behaviour, Simulator
from tests.acceptance.faults.sites import Site
from tests.ports import free_port

SALES_AS2 = "accounts.globex.mailboxes.sales-as2"
SALES_AS2_GLN = b"4000002000028"
STEADY = "accounts.globex.mailboxes.steady-as2"
STEADY_GLN = b"4000002000066"

_STEADY = """
      steady-as2:
        aliases: ["GLN:4000002000066"]
        integration:
          enabled: true
          protocol: as2
          as2:
            self_id: GLOBEX-STEADY
            recipient:
              id: STEADY-ERP
              url: http://127.0.0.1:{port}/as2
              allow_private: true
              certificates: [../certificates/partner.pem]
        rules:
          orders-to-csv:
            active: true
            direction: in
            template: acme.order
            convert: ../maps/order-in-csv.xsl
            name_pattern: 'ORDER_{{"d1":"number"}}.csv'
"""


class CountingPartner(Simulator):
    """A partner that keeps a list of what it got; `on_receipt` runs before it answers."""

    files: dict[str, list[str]]
    on_receipt: Callable[[str], None]

    def receive(self, received: Received) -> Answer:
        self.files[received.file_name].append(received.message_id)
        self.on_receipt(received.file_name)
        return super().receive(received)


class Partners:
    """The AS2 partners of a site; make them before it is applied."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._key, certificate = new_key("PARTNER")
        self._certificate = certificate
        (site.folder / "certificates" / "partner.pem").write_bytes(certificate)
        self.port, self.steady_port = free_port(), free_port()
        accounts = site.folder / "accounts" / "globex.yaml"
        text = accounts.read_text().replace("http://127.0.0.1:8090/as2", f"http://127.0.0.1:{self.port}/as2")
        accounts.write_text(text.rstrip() + "\n" + _STEADY.format(port=self.steady_port))
        dictionary = site.folder / "dictionaries" / "partners.csv"
        row = next(line for line in dictionary.read_text().splitlines() if SALES_AS2_GLN.decode() in line)
        new = row.replace(SALES_AS2_GLN.decode(), STEADY_GLN.decode()).replace(row[:36], str(uuid4()))
        dictionary.write_text(dictionary.read_text().rstrip() + f"\n{new}\n")
        site.apply()
        self._running: list[Simulator] = []

    def start(
        self,
        *,
        steady: bool = False,
        behaviours: Sequence[Behaviour] = (Behaviour.CONFIRM,),
        on_receipt: Callable[[str], None] = lambda _: None,
    ) -> CountingPartner:
        mailbox, name, gateway, port = (
            (STEADY, "STEADY-ERP", "GLOBEX-STEADY", self.steady_port)
            if steady
            else (SALES_AS2, "GLOBEX-ERP", "GLOBEX-SALES", self.port)
        )
        partner = CountingPartner(
            name=name,
            gateway=gateway,
            gateway_certificate=self._site.credential(mailbox, "self_certificate").encode(),
            key=self._key,
            certificate=self._certificate,
            behaviours=behaviours,
            listen=("127.0.0.1", port),
        )
        partner.files = defaultdict(list)
        partner.on_receipt = on_receipt
        partner.start()
        self._running.append(partner)
        return partner

    def stop(self) -> None:
        for partner in self._running:
            partner.stop()


def order_of(folder: Path, number: int, gln: bytes) -> bytes:
    """Return an order that goes to the mailbox with an alias."""
    sample = (folder / "samples" / "ORDERS_4712.edi").read_bytes()
    return sample.replace(b"4712", str(number).encode()).replace(SALES_AS2_GLN, gln)
