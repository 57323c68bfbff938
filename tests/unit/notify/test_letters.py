"""What mails say, in plain text and in HTML, and how a project says it in its own words."""

from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import ReconcilerError
from reconciler.notify.letters import Letters

URL = "https://edi.example.com"
FAILURE = {
    "file": "ORDERS_1.edi",
    "direction": "out",
    "rule": "",
    "error": "no rule <matches>",
    "code": "no_rule_matches",
    "record": "r1",
    "at": "2030-01-01 10:00:00 UTC",
}


def data(total: int, **changes: str) -> dict[str, Any]:
    return {"mailbox": "accounts.acme.mailboxes.orders", "total": total, "failures": [{**FAILURE, **changes}]}


def test_one_failure_has_its_file_in_the_subject() -> None:
    letter = Letters(None, URL).write("failures", data(1))
    assert letter.subject == "1 conversion failed: accounts.acme.mailboxes.orders: ORDERS_1.edi"
    assert "Error:     no rule <matches> (no_rule_matches)" in letter.text
    assert f"{URL}/log?mailbox=accounts.acme.mailboxes.orders&status=FAILED" in letter.text
    assert "no rule &lt;matches&gt;" in letter.html
    assert "more" not in letter.text


def test_many_failures_are_counted() -> None:
    letter = Letters(None, URL).write("failures", data(250))
    assert letter.subject == "250 conversions failed: accounts.acme.mailboxes.orders"
    assert "And 249 more." in letter.text
    assert "And 249 more." in letter.html


def test_a_file_name_adds_no_header() -> None:
    letters = Letters(None, URL)
    assert letters.write("failures", data(1, file="a\nBcc: all@example.com")).subject.endswith("orders: a")
    assert len(letters.write("failures", data(1, file="x" * 300)).subject) == 200


def test_a_projects_own_words_go_first(tmp_path: Path) -> None:
    (tmp_path / "arrival.txt").write_text("Subject: Neu: {{ subject }}\n\nLesen: {{ url }}/envelopes/{{ envelope }}\n")
    letter = Letters(tmp_path, URL).write(
        "arrival", {"subject": "Bestellung", "envelope": "e1", "sender": "s", "mailbox": "m"}
    )
    assert letter.subject == "Neu: Bestellung"
    assert letter.text == "Lesen: https://edi.example.com/envelopes/e1"
    assert "Envelope received: Bestellung" in letter.html


def test_an_mdn_that_proves_nothing_is_told_with_its_reason() -> None:
    letter = Letters(None, URL).write("doubt", {"mailbox": "m", "message": "7@acme", "reason": "nobody <signed>"})
    assert letter.subject == "An MDN that proves nothing: m"
    assert "Reason:  nobody <signed>" in letter.text
    assert "7@acme: nobody &lt;signed&gt;" in letter.html


@pytest.mark.parametrize(
    ("content", "said"),
    [("Subject: {{ subject", "arrival.txt:1 is wrong"), ("Subject: {{ sbject }}", "'sbject' is undefined")],
)
def test_what_is_wrong_with_a_template_is_said(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "arrival.txt").write_text(content)
    with pytest.raises(ReconcilerError, match=said):
        Letters(tmp_path, URL).write("arrival", {"subject": "s", "envelope": "e1", "sender": "s", "mailbox": "m"})


def test_a_template_reaches_nothing_but_its_data(tmp_path: Path) -> None:
    (tmp_path / "arrival.txt").write_text("Subject: {{ ''.__class__.__mro__ }}")
    with pytest.raises(ReconcilerError, match="unsafe"):
        Letters(tmp_path, URL).write("arrival", {"subject": "s", "envelope": "e1", "sender": "s", "mailbox": "m"})
