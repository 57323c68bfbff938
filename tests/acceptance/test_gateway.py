"""The running gateway: what a partner and an operator can rely on."""

import os
import re
import subprocess
import threading
import time
from functools import partial
from io import BytesIO
from pathlib import Path

import httpx
import paramiko
import pytest

from tests.acceptance.running_gateway import RunningGateway, await_that

ACME = "accounts.acme.mailboxes.orders"
SALES = "accounts.globex.mailboxes.sales"
ARCHIVE = "accounts.globex.mailboxes.archive"


def order(number: int, sample: bytes) -> bytes:
    """Return a sample order under another number."""
    return sample.replace(b"4711", str(number).encode())


@pytest.fixture
def sample(gateway: RunningGateway) -> bytes:
    return (gateway.folder / "samples" / "ORDERS_4711.edi").read_bytes()


class TestOpenSsh:
    def test_uploads_and_downloads(self, gateway: RunningGateway, openssh_sftp: str, tmp_path: Path) -> None:
        upload = f"put {gateway.folder}/samples/ORDERS_4711.edi /coutbox/\nls /coutbox\n"
        sftp(openssh_sftp, gateway, ACME, upload, tmp_path)
        await_that(
            lambda: "ORDER_4711.xml" in sftp(openssh_sftp, gateway, SALES, "ls /cinbox\n", tmp_path),
            "the order is in Globex's cinbox",
        )
        sftp(openssh_sftp, gateway, SALES, f"get /cinbox/ORDER_4711.xml {tmp_path}/order.xml\n", tmp_path)
        assert b"4711" in (tmp_path / "order.xml").read_bytes()


def sftp(program: str, gateway: RunningGateway, mailbox: str, batch: str, folder: Path) -> str:
    """Run OpenSSH's client with a password, checking the host key that `credentials show` prints."""
    known_hosts, answer = folder / "known_hosts", folder / "answer"
    known_hosts.write_text(f"[127.0.0.1]:{gateway.sftp_port} {gateway.credential(mailbox, 'host_key')}\n")
    answer.write_text(f"#!/bin/sh\necho '{gateway.credential(mailbox, 'password')}'\n")
    answer.chmod(0o700)
    options = [
        f"UserKnownHostsFile={known_hosts}",
        "StrictHostKeyChecking=yes",
        "BatchMode=no",
        "PreferredAuthentications=password",
    ]
    done = subprocess.run(
        [
            program,
            *(part for option in options for part in ("-o", option)),
            "-P",
            str(gateway.sftp_port),
            "-b",
            "-",
            f"{gateway.credential(mailbox, 'login')}@127.0.0.1",
        ],
        input=batch,
        env={**os.environ, "SSH_ASKPASS": str(answer), "SSH_ASKPASS_REQUIRE": "force"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class Uploaders:
    """Partners that upload orders at the same time, each until the gateway acknowledged it, whatever happens to it."""

    def __init__(self, gateway: RunningGateway, sample: bytes, numbers: range) -> None:
        self.acknowledged: set[int] = set()
        self._gateway = gateway
        self._sample = sample
        self._numbers = iter(numbers)
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._upload_all) for _ in range(5)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(180)

    def have(self, count: int) -> bool:
        return len(self.acknowledged) >= count

    def _upload_all(self) -> None:
        for number in iter(self._next, None):
            while not self._upload(number):
                time.sleep(0.05)
            self.acknowledged.add(number)

    def _next(self) -> int | None:
        with self._lock:
            return next(self._numbers, None)

    def _upload(self, number: int) -> bool:
        try:
            with self._gateway.login(ACME) as client:
                # With the confirmation that put asks for: paramiko hides an error of close itself.
                client.putfo(BytesIO(order(number, self._sample)), f"/coutbox/ORDERS_{number}.edi")
        except (OSError, EOFError, paramiko.SSHException):
            return False
        return True


class TestNothingIsLost:
    def test_kill_during_50_uploads_loses_no_acknowledged_file(self, gateway: RunningGateway, sample: bytes) -> None:
        """What a client was told is received ends as exactly one file at the other end, however often we die."""
        uploaders = Uploaders(gateway, sample, range(5000, 5050))
        uploaders.start()
        for enough in (10, 25, 40):
            await_that(partial(uploaders.have, enough), f"{enough} uploads")
            gateway.kill()
            gateway.start()
        uploaders.join()
        assert len(uploaders.acknowledged) == 50
        expected = {f"ORDER_{number}.xml" for number in uploaders.acknowledged}
        with gateway.login(SALES) as client:
            await_that(lambda: expected <= set(client.listdir("/cinbox")), "all orders are delivered", 180)
            delivered = client.listdir("/cinbox")
        # An upload whose answer was lost may have been committed, and repeated by the client: that file gets a name
        # of its own. What was acknowledged once is there once.
        repeated = [name for name in delivered if name not in expected]
        assert all(re.fullmatch(r"ORDER_50\d\d.+\.xml", name) for name in repeated), repeated
        with gateway.login(ACME) as client:
            await_that(lambda: client.listdir("/coutbox") == [], "every file was taken")
            assert client.listdir("/error") == []

    def test_a_dropped_connection_commits_nothing(self, gateway: RunningGateway, sample: bytes) -> None:
        client = gateway.login(ACME)
        file = client.open("/coutbox/ORDERS_6000.edi", "w")
        file.write(order(6000, sample)[:100])
        channel = client.get_channel()
        assert channel is not None
        channel.get_transport().sock.close()
        time.sleep(0.5)
        with gateway.login(ACME) as again:
            assert again.listdir("/coutbox") == []
            assert again.listdir("/error") == []
        assert gateway.workspace.log() == []


class TestApplyingWhileItRuns:
    @pytest.mark.alone
    def test_an_integration_that_is_off_is_closed_within_two_seconds(self, gateway: RunningGateway) -> None:
        client = gateway.login(ARCHIVE)
        assert client.listdir("/") == ["inbox", "outbox", "cinbox", "coutbox", "error"]
        on = 'aliases: ["GLN:4000002000035"]\n        integration:\n          enabled: true'
        gateway.edit("accounts/globex.yaml", on, on.replace("true", "false"))
        gateway.apply()

        def is_cut() -> bool:
            try:
                client.listdir("/")
            except (OSError, EOFError, paramiko.SSHException):
                return True
            return False

        await_that(is_cut, "the open session is cut", 2)
        with pytest.raises(paramiko.AuthenticationException):
            gateway.login(ARCHIVE)

    @pytest.mark.alone
    def test_a_rotated_password_replaces_the_old_one(self, gateway: RunningGateway) -> None:
        old = gateway.credential(ARCHIVE, "password")
        gateway.workspace.rotate(ARCHIVE, actor="test")
        assert gateway.credential(ARCHIVE, "password") != old
        await_that(lambda: logs_in(gateway, ARCHIVE), "the new password is accepted", 2)
        with (
            paramiko.Transport(("127.0.0.1", gateway.sftp_port)) as transport,
            pytest.raises(paramiko.AuthenticationException),
        ):
            transport.connect(username=gateway.credential(ARCHIVE, "login"), password=old)

    def test_up_applies_what_changes_and_survives_a_mistake(self, gateway: RunningGateway) -> None:
        assert gateway.terminate() == 0
        gateway.start("up")
        accounts = gateway.folder / "accounts" / "globex.yaml"
        right = accounts.read_text()
        accounts.write_text(right.replace("name: Globex sales\n", "nam: Globex sales\n"))
        await_that(lambda: "unknown key 'nam'" in gateway.log.read_text(), "the mistake is reported")
        accounts.write_text(right.replace("name: Globex sales\n", "name: Globex sells\n"))
        await_that(lambda: "Globex sells" in gateway.command("show", SALES).stdout, "the mended file is applied")


def logs_in(gateway: RunningGateway, mailbox: str) -> bool:
    try:
        gateway.login(mailbox).close()
    except paramiko.AuthenticationException:
        return False
    return True


class TestOperation:
    @pytest.mark.alone
    def test_sigterm_stops_within_ten_seconds(self, gateway: RunningGateway) -> None:
        client = gateway.login(ACME)
        assert client.listdir("/coutbox") == []
        began = time.monotonic()
        assert gateway.terminate() == 0
        assert time.monotonic() - began < 10

    def test_says_that_it_is_alive_and_ready(self, gateway: RunningGateway) -> None:
        def status(name: str) -> int:
            return httpx.get(f"http://127.0.0.1:{gateway.http_port}/{name}", trust_env=False, timeout=60).status_code

        assert status("healthz") == 200
        await_that(lambda: status("readyz") == 200, "the gateway is ready")

    def test_a_second_gateway_on_the_same_store_is_refused(self, gateway: RunningGateway) -> None:
        second = gateway.command("serve")
        assert second.returncode == 1
        assert second.stderr.startswith("Error: Another process holds gateway")

    def test_a_taken_port_is_named(self, gateway: RunningGateway) -> None:
        assert gateway.terminate() == 0
        port = gateway.http_port
        gateway.edit("reconciler.yaml", f"127.0.0.1:{gateway.sftp_port}", f"127.0.0.1:{port}")
        refused = gateway.command("serve")
        assert refused.returncode == 1
        assert "Error: The HTTP listener cannot be started" in refused.stderr
        assert "Traceback" not in refused.stderr
        assert "gateway.http.listen" in refused.stderr

    def test_no_secret_is_in_the_log_or_the_database_in_clear(self, gateway: RunningGateway) -> None:
        password = gateway.credential(ACME, "password")
        gateway.login(ACME).close()
        files = [path for path in gateway.folder.rglob("*") if path.is_file()]
        assert not [path for path in files if password.encode() in path.read_bytes()]
        assert (gateway.folder / ".reconciler" / "key").stat().st_mode & 0o777 == 0o600


class TestDirections:
    def test_moving_a_file_out_of_error_runs_it_again(self, gateway: RunningGateway) -> None:
        """A partner mends nothing; the operator mends the map, the partner moves the file back."""
        name = "ORDERS_4717.edi"
        with gateway.login(ACME) as client:
            client.put(str(gateway.folder / "samples" / name), f"/coutbox/{name}")
            await_that(lambda: f"{name}.error.txt" in client.listdir("/error"), "the file is in error/")
            with client.open(f"/error/{name}.error.txt") as reason:
                assert b"the field is required and not filled" in reason.read()
            gateway.edit("maps/orders-out.xsl", "my:date(., '2')", "my:date(., ('2', '64'))")
            gateway.apply()
            client.rename(f"/error/{name}", f"/coutbox/{name}")
            await_that(lambda: client.listdir("/coutbox") == [], "the file was processed")
            assert client.listdir("/error") == []
        (record,) = gateway.workspace.log(mailbox=ACME)
        assert record.status == "REPROCESSED"
        assert len(gateway.workspace.envelopes(mailbox=ACME)) == 1

    def test_reprocessing_a_success_is_refused(self, gateway: RunningGateway, sample: bytes) -> None:
        with gateway.login(ACME) as client, client.open("/coutbox/ORDERS_1.edi", "w") as file:
            file.write(order(1, sample))
        record = await_that(lambda: next(iter(gateway.workspace.log(mailbox=ACME)), None), "the file is converted")
        refused = gateway.command("log", "reprocess", str(record.uuid))
        assert refused.returncode == 1
        assert "only what FAILED is run again" in refused.stderr

    def test_native_envelopes_are_sent_as_they_are(self, gateway: RunningGateway, sample: bytes) -> None:
        """An envelope's XML in outbox/ needs no rule; one by the command line neither."""
        with gateway.login(ACME) as client, client.open("/coutbox/ORDERS_1.edi", "w") as file:
            file.write(order(1, sample))
        (first,) = await_that(lambda: gateway.workspace.envelopes(mailbox=ACME), "the first envelope is sent")
        xml = gateway.workspace.envelope_xml(first.uuid).replace(b">1<", b">2<")
        with gateway.login(ACME) as client, client.open("/outbox/order.xml", "w") as file:
            file.write(xml)
        await_that(lambda: len(gateway.workspace.envelopes(mailbox=ACME)) == 2, "the second envelope is sent")
        third = gateway.folder / "third.xml"
        third.write_bytes(xml)
        assert gateway.command("envelope", "send", str(third), "--mailbox", ACME).returncode == 0
        await_that(lambda: len(gateway.workspace.envelopes(mailbox=ACME)) == 3, "the third envelope is sent")
        with gateway.login(ACME) as client:
            with client.open("/outbox/broken.xml", "w") as file:
                file.write(b"<envelope>")
            await_that(lambda: "broken.xml" in client.listdir("/error"), "what is no envelope is in error/")

    def test_a_temporary_name_waits_for_its_rename(self, gateway: RunningGateway, sample: bytes) -> None:
        with gateway.login(ACME) as client:
            with client.open("/coutbox/ORDERS_9.edi.part", "w") as file:
                file.write(order(9, sample))
            time.sleep(0.5)
            assert client.listdir("/coutbox") == ["ORDERS_9.edi.part"]
            client.rename("/coutbox/ORDERS_9.edi.part", "/coutbox/ORDERS_9.edi")
            await_that(lambda: client.listdir("/coutbox") == [], "the renamed file is processed")
        (record,) = gateway.workspace.log(mailbox=ACME)
        assert (record.status, record.file_name) == ("PROCESSED", "ORDERS_9.edi")
