"""AS2 through the running gateway: what a partner sends and is sent, whatever the partner or the machine does."""

import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from reconciler.protocols.as2.building import build_message, expectation
from reconciler.protocols.as2.mdn import check_mdn
from reconciler.protocols.as2.peer import new_key
from reconciler.protocols.as2.ports import MdnOutcome, Post
from reconciler.protocols.as2.relation import Relation
from reconciler.protocols.as2.simulator import Behaviour, Simulator, simulated_partner
from reconciler.store import jobs, notice_tables
from reconciler.store.conversions import ConversionStatus
from reconciler.store.job_states import JobState
from tests.acceptance.running_gateway import RunningGateway, await_that
from tests.ports import free_port
from tests.served import served

BUYER = "accounts.acme.mailboxes.orders-as2"
SELLER = "accounts.globex.mailboxes.sales-as2"


class Site:
    """A gateway with AS2 partners on both sides: one that posts orders, and one that is posted what becomes of them."""

    def __init__(self, folder: Path) -> None:
        self.gateway = RunningGateway(folder)
        self.key, self.certificate = new_key("partner")
        (folder / "certificates/partner.pem").write_bytes(self.certificate)
        self.partner_port = free_port()
        for account in ("acme", "globex"):
            self.gateway.edit(f"accounts/{account}.yaml", "127.0.0.1:8090", f"127.0.0.1:{self.partner_port}")
        told = "protocol: as2\n          notify_email: as2@globex.example"
        self.gateway.edit("accounts/globex.yaml", "protocol: as2", told)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.gateway.http_port}/as2"

    def certificate_of(self, mailbox: str) -> bytes:
        return self.gateway.credential(mailbox, "self_certificate").encode()

    def buyer(self, **settings: Any) -> Relation:  # noqa: ANN401 - any setting
        """Return the partner that posts orders."""
        ours = self.certificate_of(BUYER)
        partner = simulated_partner("ACME-PARTNER", self.key, self.certificate, "ACME-ORDERS", ours)
        return Relation(replace(partner, settings={**partner.settings, **settings}), lambda _: ours)

    def order(self, number: int = 4712) -> Post:
        content = (self.gateway.folder / "samples/ORDERS_4712.edi").read_bytes()
        return Post(
            message_id=f"{number}@partner",
            payload=content.replace(b"4712", str(number).encode()),
            file_name="orders.edi",
        )

    def post(self, relation: Relation, post: Post, url: str | None = None) -> httpx.Response:
        message = build_message(relation, post, now=datetime.now(UTC), async_mdn_url=url)
        return httpx.post(
            self.url, content=bytes(message.body), headers=dict(message.headers.items()), timeout=60, trust_env=False
        )

    def seller(self, *behaviours: Behaviour, folder: Path | None = None) -> Simulator:
        """Return the partner that is posted what becomes of orders."""
        return Simulator(
            name="GLOBEX-ERP",
            gateway="GLOBEX-SALES",
            gateway_certificate=self.certificate_of(SELLER),
            key=self.key,
            certificate=self.certificate,
            behaviours=behaviours,
            folder=folder,
            listen=("127.0.0.1", self.partner_port),
        )

    def hasten(self) -> None:
        """Have whatever waits for another try be tried now."""
        store = self.gateway.workspace.store
        with store.read() as connection:
            waiting = jobs.listed(connection, [JobState.RETRYING], limit=10)
        with store.write() as tx:
            for row in waiting:
                jobs.hasten(tx, row.kind, row.subject)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path / "quickstart")
    try:
        site.gateway.apply()
        site.gateway.start()
        yield site
    finally:
        site.gateway.close()


@pytest.fixture
def started() -> Iterator[Callable[[Simulator], Simulator]]:
    with ExitStack() as stack:

        def start(simulator: Simulator) -> Simulator:
            simulator.start()
            stack.callback(simulator.stop)
            return simulator

        yield start


class MdnListener:
    """What takes asynchronous MDNs, at an address that was free before."""

    def __init__(self, port: int) -> None:
        self.taken: list[tuple[dict[str, str], bytes]] = []
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                listener.taken.append((dict(self.headers.items()), body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
                pass

        self._serving = ExitStack()
        self._serving.enter_context(served(ThreadingHTTPServer(("127.0.0.1", port), Handler)))

    def stop(self) -> None:
        self._serving.close()


def test_fifty_copies_at_once_make_one_envelope_and_get_one_mdn(site: Site) -> None:
    relation = site.buyer()
    message = build_message(relation, site.order(), now=datetime.now(UTC))
    body, headers = bytes(message.body), dict(message.headers.items())
    with httpx.Client(trust_env=False, timeout=60) as client, ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: client.post(site.url, content=body, headers=headers), range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    verdict = check_mdn(
        expectation(relation, site.order()),
        answers[0].headers,
        answers[0].content,
        relation.certificates,
        now=datetime.now(UTC),
    )
    assert verdict.outcome is MdnOutcome.CONFIRMED
    records = await_that(lambda: site.gateway.workspace.log(mailbox=BUYER), "the order is converted")
    assert len(records) == 1
    assert len(records[0].envelopes) == 1
    shown = site.gateway.workspace.log_record(records[0].uuid)
    assert [each.outcome for each in shown.exchanges].count("copy") == 49


def test_an_mdn_that_is_owed_survives_the_death_of_the_gateway(site: Site) -> None:
    relation = site.buyer(mdn="async")
    url = f"http://127.0.0.1:{site.partner_port}/mdn"
    assert site.post(relation, site.order(), url).content == b""
    site.gateway.kill()
    listener = MdnListener(site.partner_port)
    try:
        site.gateway.start()

        def taken() -> list[tuple[dict[str, str], bytes]]:
            site.hasten()
            return listener.taken

        ((headers, body),) = await_that(taken, "the MDN is posted")
    finally:
        listener.stop()
    verdict = check_mdn(
        expectation(relation, site.order()), headers, body, relation.certificates, now=datetime.now(UTC)
    )
    assert verdict.outcome is MdnOutcome.CONFIRMED


def test_nothing_but_a_genuine_mdn_completes_a_delivery(
    site: Site, started: Callable[[Simulator], Simulator], tmp_path: Path
) -> None:
    bad = [Behaviour.UNAVAILABLE, Behaviour.NO_MDN, Behaviour.FORGED, Behaviour.ZERO_SIGNER]
    simulator = started(site.seller(*bad, Behaviour.CONFIRM, folder=tmp_path))
    assert site.post(site.buyer(), site.order()).status_code == 200
    workspace = site.gateway.workspace

    def delivered() -> object:
        site.hasten()
        records = [workspace.log_record(each.uuid) for each in workspace.log(mailbox=SELLER)]
        return next((each for each in records if "delivered" in [one.outcome for one in each.exchanges]), None)

    record: Any = await_that(delivered, "the order is delivered", 60)
    assert simulator.behaviours == [*bad, Behaviour.CONFIRM]
    assert [each.outcome for each in record.exchanges] == [
        "not delivered",
        "MDN doubtful",
        "MDN doubtful",
        "MDN doubtful",
        "delivered",
    ]
    assert len({each.headers["Message-ID"] for each in record.exchanges}) == 1
    assert "nobody signed" in site.gateway.command("log", "show", str(record.uuid)).stdout
    assert (tmp_path / "ORDER_4712.csv").is_file()
    with workspace.store.read() as connection:
        mail = notice_tables.mail.c
        told = connection.execute(select(mail.recipient, mail.template)).all()
    assert [tuple(each) for each in told] == [("as2@globex.example", "doubt")]


def test_what_a_partner_refuses_is_given_up_and_sent_again_by_one_command(
    site: Site, started: Callable[[Simulator], Simulator]
) -> None:
    started(site.seller(Behaviour.REFUSE, Behaviour.CONFIRM))
    site.post(site.buyer(), site.order())
    workspace = site.gateway.workspace
    failed = await_that(lambda: workspace.log(mailbox=SELLER, status="FAILED"), "the delivery is given up")
    assert "unexpected-processing-error" in failed[0].error
    listed = site.gateway.command("job", "list").stdout
    number = listed.splitlines()[1].split()[0]
    assert SELLER in listed
    done = site.gateway.command("job", "retry", number)
    assert done.returncode == 0, done.stderr
    await_that(
        lambda: workspace.log_record(failed[0].uuid).status == ConversionStatus.REPROCESSED, "the order is delivered"
    )


def test_an_asynchronous_mdn_that_does_not_come_has_the_message_sent_again(
    site: Site, started: Callable[[Simulator], Simulator]
) -> None:
    site.gateway.edit("accounts/globex.yaml", "self_id: GLOBEX-SALES", "self_id: GLOBEX-SALES\n            mdn: async")
    site.gateway.apply()
    simulator = started(site.seller(Behaviour.NO_MDN, Behaviour.DOUBLE))
    workspace = site.gateway.workspace

    def outcomes() -> list[str]:
        return [
            one.outcome for each in workspace.log(mailbox=SELLER) for one in workspace.log_record(each.uuid).exchanges
        ]

    site.post(site.buyer(), site.order())
    awaiting = "sent, awaits its MDN"
    await_that(lambda: outcomes() == [awaiting], "the message is sent")

    def both_came() -> bool:
        if len(simulator.behaviours) == 1:
            site.hasten()
        return "stray MDN" in outcomes()

    await_that(both_came, "the message is sent again, and its MDN comes twice")
    assert outcomes() == [awaiting, awaiting, "MDN confirmed", "stray MDN"]
    assert simulator.behaviours == [Behaviour.NO_MDN, Behaviour.DOUBLE]


def test_the_gateway_speaks_tls_with_what_its_files_hold_now(tmp_path: Path) -> None:
    site = Site(tmp_path / "quickstart")
    folder = site.gateway.folder
    tls = "http: {tls: [{certificate: server.pem, key: server.key}], listen:"
    site.gateway.edit("reconciler.yaml", "http: {listen:", tls)

    def replace_certificate() -> list[str]:
        key, certificate = new_key("localhost")
        (folder / "server.key").write_bytes(key)
        (folder / "server.pem").write_bytes(certificate)
        return certificate.decode().split()

    def shown() -> list[str]:
        return ssl.get_server_certificate(("127.0.0.1", site.gateway.http_port), timeout=60).split()

    try:
        first = replace_certificate()
        site.gateway.apply()
        site.gateway.start()
        assert shown() == first
        told = site.gateway.command("credentials", "show", SELLER, "--field", "self_url").stdout
        assert told == f"https://127.0.0.1:{site.gateway.http_port}/as2"
        second = replace_certificate()
        await_that(lambda: shown() == second, "the new certificate is shown")
    finally:
        site.gateway.close()
