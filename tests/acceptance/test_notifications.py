"""A mailbox's notification address is told of failures, and is not drowned in them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller

from reconciler.cli.demo.stage import MailSink
from tests.acceptance.running_gateway import RunningGateway, await_that

ORDERS = "accounts.acme.mailboxes.orders"


@pytest.fixture
def sink(gateway: RunningGateway) -> Iterator[MailSink]:
    kept = MailSink()
    server = Controller(kept, hostname="127.0.0.1", port=gateway.smtp_port)
    server.start()
    yield kept
    server.stop()


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[RunningGateway]:
    """Run one that mails every three seconds, in words of its own for the text."""
    made = RunningGateway(tmp_path / "gateway")
    made.edit("reconciler.yaml", "  smtp:", "  notifications: {interval: 3s, first: 4, templates: words}\n  smtp:")
    (made.folder / "words").mkdir()
    words = "Subject: {{ total }} gescheitert\n\n{% for one in failures %}{{ one.file }}\n{% endfor %}{{ url }}\n"
    (made.folder / "words" / "failures.txt").write_text(words)
    made.apply()
    made.start()
    yield made
    made.close()


def test_many_failures_make_two_mails(gateway: RunningGateway, sink: MailSink) -> None:
    with gateway.login(ORDERS) as session:
        for number in range(30):
            with session.open(f"coutbox/nonsense_{number}.xyz", "wb") as file:
                file.write(b"nobody's")

    def counted() -> list[int]:
        return [int(str(mail["Subject"]).partition(" ")[0]) for mail in sink.mails]

    await_that(lambda: sum(counted()) == 30, "all failures are told")
    assert len(sink.mails) <= 4  # the first at once, the others by the interval
    mail = max(sink.mails, key=lambda one: int(str(one["Subject"]).partition(" ")[0]))
    assert mail["To"] == "edi@acme.example"
    text, html = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    assert text.get_content().count("nonsense_") == 4
    assert f"http://127.0.0.1:{gateway.http_port}" in text.get_content()
    assert f"/log?mailbox={ORDERS}&amp;status=FAILED" in html.get_content()
    assert "more." in html.get_content()
