"""Operators are told of what needs them: once, over a real channel of Apprise, until it is over."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from reconciler.desired.operation import Alerts
from reconciler.errors import ReconcilerError
from reconciler.jobs.directory import Directory
from reconciler.model.credential import Secret
from reconciler.notify.channels import Channels
from reconciler.protocols.as2.peer import new_key
from reconciler.service.alerting import Alerting, Concern, is_due
from reconciler.store import audit, bans, conditions, jobs
from reconciler.store.alerts import Told
from reconciler.store.audit import Call
from reconciler.store.bans import StoredBan
from reconciler.store.conditions import Condition
from reconciler.store.database import Store
from reconciler.web.server_certificate import CertificateFiles, ServerCertificates
from tests.served import served

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


class Receiver(HTTPServer):
    """What Apprise's `json://` posts to."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, str]] = []
        self.status = 200
        super().__init__(("127.0.0.1", 0), _Post)


class _Post(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.status == 200:
            self.server.messages.append((said["title"], said["message"]))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with served(Receiver()) as server:
        yield server


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "state")
    yield opened
    opened.close()


@pytest.fixture
def alerting(store: Store, receiver: Receiver) -> Alerting:
    return watching(store, receiver, disk_free=0.0001)


def watching(
    store: Store, receiver: Receiver, *, disk_free: float, certificates: ServerCertificates | None = None
) -> Alerting:
    settings = Alerts.model_validate({"urls": [{"secret": "env:X"}], "disk_free": disk_free})
    channels = Channels([Secret(f"json://127.0.0.1:{receiver.server_port}")])
    return Alerting(store, Directory(store), settings, channels, certificates)


def bury(store: Store, number: int) -> None:
    with store.write() as tx:
        jobs.add(tx, "post", f"<{number}@x>")
        tx.exec_driver_sql("UPDATE job SET state = 'dead', error = 'the partner does not answer'")


def test_nothing_to_tell(alerting: Alerting, receiver: Receiver) -> None:
    assert alerting.look(NOW) == 0
    assert receiver.messages == []


def test_a_dead_letter_is_told_once_and_again_when_there_are_more(
    store: Store, alerting: Alerting, receiver: Receiver
) -> None:
    bury(store, 1)
    assert [alerting.look(NOW), alerting.look(NOW)] == [1, 0]
    ((title, text),) = receiver.messages
    assert title == "Reconciler: 1 post job was given up"
    assert "the partner does not answer" in text
    assert "reconciler job list" in text
    bury(store, 2)
    assert alerting.look(NOW + timedelta(minutes=1)) == 0  # no storm
    assert alerting.look(NOW + timedelta(minutes=16)) == 1
    assert "2 post jobs were given up" in receiver.messages[-1][1]
    assert alerting.look(NOW + timedelta(hours=1)) == 0
    assert alerting.look(NOW + 2 * DAY) == 1  # it lasts


def test_what_is_over_is_told_when_it_comes_back(store: Store, alerting: Alerting) -> None:
    bury(store, 1)
    assert alerting.look(NOW) == 1
    with store.write() as tx:
        jobs.drop(tx, 1)
    assert alerting.look(NOW) == 0
    with store.write() as tx:
        tx.exec_driver_sql("UPDATE job SET state = 'dead'")
    assert alerting.look(NOW) == 1


def test_a_channel_that_does_not_answer_is_tried_again(store: Store, alerting: Alerting, receiver: Receiver) -> None:
    bury(store, 1)
    receiver.status = 500
    assert alerting.look(NOW) == 0
    receiver.status = 200
    assert alerting.look(NOW) == 1


def test_a_channel_that_does_not_answer_storms_no_other(store: Store, receiver: Receiver) -> None:
    bury(store, 1)
    with served(Receiver()) as other:
        settings = Alerts.model_validate({"urls": [{"secret": "env:X"}], "disk_free": 0.0001})
        urls = [Secret(f"json://127.0.0.1:{each.server_port}") for each in (receiver, other)]
        alerting = Alerting(store, Directory(store), settings, Channels(urls))
        other.status = 500
        assert [alerting.look(NOW), alerting.look(NOW), alerting.look(NOW)] == [1, 0, 0]
        assert (len(receiver.messages), other.messages) == (1, [])
        other.status = 200
        assert [alerting.look(NOW), alerting.look(NOW)] == [0, 0]
        assert other.messages == receiver.messages


def test_the_watcher_sign_ins_bans_and_the_disk_in_one_message(store: Store, receiver: Receiver) -> None:
    with store.write() as tx:
        conditions.record(tx, [Condition("", "Healthy", False, "", "the branch cannot be fetched", NOW)])
        for _ in range(12):
            audit.add(tx, Call(at=NOW, actor="", peer="192.0.2.7", what="sign in", status=401))
        bans.put(tx, StoredBan("address 192.0.2.8", NOW, NOW + DAY, 1))
    assert watching(store, receiver, disk_free=99.9999).look(NOW) == 4
    ((title, text),) = receiver.messages
    assert title == "Reconciler: 4 things need an operator"
    for said in (
        "the branch cannot be fetched",
        "Sign-in attack from 192.0.2.7",
        "banned address 192.0.2.8",
        "is free",
    ):
        assert said in text


def test_the_certificate_of_the_listener(store: Store, receiver: Receiver, tmp_path: Path) -> None:
    key, certificate = new_key("edi.example.com", 5 * DAY)
    (tmp_path / "tls.key").write_bytes(key)
    (tmp_path / "tls.pem").write_bytes(certificate)
    shown = ServerCertificates([CertificateFiles(tmp_path / "tls.pem", tmp_path / "tls.key")])
    alerting = watching(store, receiver, disk_free=0.0001, certificates=shown)
    assert [alerting.look(NOW), alerting.look(NOW + DAY), alerting.look(NOW + 4 * DAY + DAY / 2)] == [1, 0, 1]
    assert f"The TLS certificate of the HTTP listener ends on {shown.ends:%Y-%m-%d}" in receiver.messages[0][1]


def test_a_certificate_is_told_at_each_step_and_no_oftener() -> None:
    def at(step: str) -> Concern:
        return Concern("certificate", step, "", lasts=False)

    assert is_due(at("30"), None, now=NOW, repeat=DAY)
    assert not is_due(at("30"), Told("30", NOW), now=NOW + 10 * DAY, repeat=DAY)
    assert is_due(at("14"), Told("30", NOW), now=NOW, repeat=DAY)


def test_a_url_that_is_no_channel_is_refused_and_not_shown() -> None:
    with pytest.raises(ReconcilerError, match="number 1 is no URL") as refused:
        Channels([Secret("nonsense://hunter2@x")])
    assert "hunter2" not in str(refused.value)
