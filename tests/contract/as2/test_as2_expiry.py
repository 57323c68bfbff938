"""Whoever is notified of a mailbox is told when a certificate comes to its end."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from reconciler.jobs import expiry
from reconciler.jobs.directory import Directory
from reconciler.protocols.as2.peer import new_key
from reconciler.service.workspace import Workspace
from reconciler.store import notice_tables

QUICKSTART = Path(__file__).parents[3] / "examples/quickstart"


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """Return an applied configuration with a partner whose certificate ends in a year."""
    folder = tmp_path / "quickstart"
    shutil.copytree(QUICKSTART, folder)
    (folder / "certificates/partner.pem").write_bytes(new_key("partner")[1])
    account = folder / "accounts/globex.yaml"
    text = account.read_text()
    account.write_text(text.replace("protocol: as2", "protocol: as2\n          notify_email: as2@globex.example"))
    workspace = Workspace.open(folder)
    desired = workspace.load()
    workspace.apply(workspace.plan(desired), desired, actor="test")
    yield workspace
    workspace.close()


def test_the_end_of_a_certificate_is_told_once_at_each_step(workspace: Workspace) -> None:
    directory, now = Directory(workspace.store), datetime.now(UTC)
    told = [
        expiry.warn(workspace.store, directory.current(), directory.content, now + timedelta(days=days))
        for days in (300, 336, 336, 352, 359, 364.5, 364.6)
    ]
    assert told == [0, 1, 0, 1, 1, 1, 0]
    with workspace.store.read() as connection:
        mails = connection.execute(select(notice_tables.mail.c.recipient, notice_tables.mail.c.data)).all()
    assert {recipient for recipient, _ in mails} == {"as2@globex.example"}
    assert {data["mailbox"] for _, data in mails} == {"accounts.globex.mailboxes.sales-as2"}


def test_a_successor_beside_it_is_enough(workspace: Workspace) -> None:
    folder = workspace.project.root
    (folder / "certificates/next.pem").write_bytes((folder / "certificates/partner.pem").read_bytes())
    account = folder / "accounts/globex.yaml"
    account.write_text(
        account.read_text().replace(
            "[../certificates/partner.pem]", "[../certificates/partner.pem, ../certificates/next.pem]"
        )
    )
    (folder / "certificates/partner.pem").write_bytes(new_key("partner", timedelta(days=10))[1])
    desired = workspace.load()
    workspace.apply(workspace.plan(desired), desired, actor="test")
    directory, now = Directory(workspace.store), datetime.now(UTC)
    assert expiry.warn(workspace.store, directory.current(), directory.content, now) == 0
