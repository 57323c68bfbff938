"""Processes of several machines that share a PostgreSQL store, each with a role: what one learns holds on all."""

import socket
from collections.abc import Callable
from contextlib import closing, suppress

import paramiko
import pytest

from reconciler.store import configuration
from tests.acceptance.faults.sites import ACME, SALES, Site
from tests.acceptance.running_gateway import PartnerSession, accepts, await_that
from tests.postgresql import PostgresqlServer

TAKEOVER = 10.0
"""Seconds until another does what the elected one did."""

PROPAGATION = 2.0
"""Seconds until a revision holds everywhere."""

Start = Callable[[str, str], Site]


@pytest.fixture
def first(new_site: Callable[..., Site], postgresql: PostgresqlServer, bucket: str) -> Site:
    return new_site("first", url=postgresql.database(), payloads=bucket)


@pytest.fixture
def start(first: Site, new_site: Callable[..., Site], postgresql: PostgresqlServer, bucket: str) -> Start:
    """Return what starts a process of a role on a machine of its own."""

    def started(name: str, role: str) -> Site:
        url = first.store.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        site = new_site(name, url=url, payloads=bucket, like=first)
        site.launch("serve", "--node", name, "--role", role)
        await_that(lambda: "Listening:" in site.log.read_text() or site.has_ended(), f"{role} serves")
        assert not site.has_ended(), site.log.read_text()
        return site

    return started


def serves(session: PartnerSession) -> bool:
    try:
        session.listdir("/")
    except (OSError, EOFError, paramiko.SSHException):
        return False
    return True


def keeps_out(site: Site) -> bool:
    """Say whether a node hangs up on whoever connects from here."""
    with socket.create_connection(("127.0.0.1", site.sftp_port), 20) as stranger, suppress(ConnectionError):
        return stranger.recv(1) == b""
    return True


def guess(site: Site) -> None:
    with (
        suppress(OSError, EOFError, paramiko.SSHException),
        closing(paramiko.Transport(("127.0.0.1", site.sftp_port))) as transport,
    ):
        transport.start_client(timeout=20)
        transport.auth_password(site.credential(ACME, "login"), "a guess")


def revision(site: Site) -> int:
    with site.store.read() as connection:
        return configuration.current_revision(connection)


def test_each_role_does_its_part_and_every_node_serves_every_mailbox(start: Start) -> None:
    one, two = start("one", "sftp"), start("two", "sftp")
    http = start("http", "http")
    assert [(accepts(site.sftp_port), accepts(site.http_port)) for site in (one, two, http)] == [
        (True, False),
        (True, False),
        (False, True),
    ]
    assert http.is_ready()
    with one.login(ACME) as client, client.open("/coutbox/ORDERS_5000.edi", "wb") as file:
        file.write(one.order(5000))
    assert two.done() == 0  # nobody here works
    worker = start("worker", "worker")
    await_that(lambda: two.names(SALES, "cinbox") == ["ORDER_5000.xml"], "it is delivered, and seen on the other node")
    assert [site.terminate() for site in (one, two, http, worker)] == [0, 0, 0, 0]


@pytest.mark.alone
def test_a_revision_holds_on_all_nodes_within_two_seconds_and_a_ban_as_well(first: Site, start: Start) -> None:
    one, two = nodes = [start("one", "sftp"), start("two", "sftp")]
    sessions = [site.login(ACME) for site in nodes]
    assert all(serves(session) for session in sessions)
    on = 'aliases: ["GLN:4829900003227"]\n        integration:\n          enabled: true'
    first.edit("accounts/acme.yaml", on, on.replace("true", "false"))
    first.apply()
    await_that(lambda: not any(serves(session) for session in sessions), "nobody serves what is off", PROPAGATION)
    for session in sessions:
        session.close()
    assert not any(keeps_out(site) for site in nodes)
    for _ in range(20):
        guess(one)
    assert keeps_out(one)
    await_that(lambda: keeps_out(two), "whom one node bans, the other keeps out")


@pytest.mark.alone
def test_another_watches_within_ten_seconds(start: Start) -> None:
    one = start("one", "watcher")
    before = revision(one)
    one.edit("accounts/acme.yaml", "name: Acme orders\n", "name: Acme watched\n")
    await_that(lambda: revision(one) == before + 1, "a change is applied")
    two = start("two", "watcher")
    two.edit("accounts/acme.yaml", "name: Acme orders\n", "name: Acme taken over\n")
    one.kill()
    await_that(lambda: revision(two) == before + 2, "the other watches", TAKEOVER)
