"""Partners that answer anything but what they should."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from reconciler.protocols.as2.ports import DeliveryError, MdnOutcome, Post
from reconciler.protocols.as2.sender import Sender
from tests.contract.as2.as2_world import World
from tests.served import served

POST = Post(message_id="7@acme", payload=b"UNB", file_name="a.edi")


@dataclass
class BadPartner:
    """A server that gives one and the same answer, and keeps the headers of what was posted."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    posted: list[dict[str, str]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def bad() -> Iterator[BadPartner]:
    partner = BadPartner()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            partner.posted.append(dict(self.headers.items()))
            if partner.status == 0:
                return  # closes the connection
            self.send_response(partner.status)
            for name, value in partner.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(partner.body)))
            self.end_headers()
            self.wfile.write(partner.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
            pass

    with served(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        partner.url = f"http://127.0.0.1:{server.server_address[1]}/as2"
        yield partner


@pytest.mark.parametrize(
    ("status", "headers", "retryable", "retry_after"),
    [
        (503, {"Retry-After": "7"}, True, 7.0),
        (500, {"Retry-After": "soon"}, True, None),
        (429, {}, True, None),
        (404, {}, False, None),
        (403, {}, True, None),
        (302, {"Location": "http://127.0.0.1:9/"}, False, None),
        (0, {}, True, None),
    ],
)
def test_what_was_not_taken_is_an_error(
    sender: Sender,
    world: World,
    bad: BadPartner,
    status: int,
    headers: dict[str, str],
    retryable: bool,
    retry_after: float | None,
) -> None:
    bad.status, bad.headers = status, headers
    with pytest.raises(DeliveryError) as failed:
        sender.post(world.partner(bad.url), POST)
    assert (failed.value.retryable, failed.value.retry_after) == (retryable, retry_after)
    assert len(bad.posted) == 1


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b""),
        ({"Content-Type": "text/html"}, b"<html>OK</html>"),
        ({"Content-Type": "multipart/signed; boundary=b"}, b"--b\r\n\r\nprocessed\r\n--b--\r\n"),
    ],
)
def test_200_without_an_mdn_proves_nothing(
    sender: Sender, world: World, bad: BadPartner, headers: dict[str, str], body: bytes
) -> None:
    bad.headers, bad.body = headers, body
    sent = sender.post(world.partner(bad.url), POST)
    assert sent.mdn is not None
    assert sent.mdn.outcome is MdnOutcome.DOUBTFUL
    assert sent.wire.answer == body


def test_an_endless_answer_is_cut_off(sender: Sender, world: World, bad: BadPartner) -> None:
    bad.body = bytes(1024 * 1024 + 1)
    with pytest.raises(DeliveryError, match="too long"):
        sender.post(world.partner(bad.url), POST)


def test_every_try_has_the_same_message_id_and_asks_for_what_is_configured(
    sender: Sender, world: World, bad: BadPartner
) -> None:
    for _ in range(2):
        sender.post(world.partner(bad.url), POST)
    sender.post(world.partner(bad.url, mdn="none"), POST)
    assert {posted["Message-ID"] for posted in bad.posted} == {"<7@acme>"}
    assert [posted.get("Disposition-Notification-To") for posted in bad.posted] == ["ACME", "ACME", None]
    assert "micalg=required, sha256" in bad.posted[0]["Disposition-Notification-Options"]


def test_what_cannot_be_built_is_not_tried_again(sender: Sender, world: World, bad: BadPartner) -> None:
    bent = Post(message_id="7@acme", payload=b"UNB", file_name="a.edi", content_type="text/x\r\nBcc: y")
    with pytest.raises(DeliveryError) as failed:
        sender.post(world.partner(bad.url), bent)
    assert not failed.value.retryable
    assert bad.posted == []
