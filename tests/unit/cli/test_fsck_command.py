"""`reconciler fsck` as an operator meets it: what it prints, and its exit code."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import update

from reconciler.cli.main import main
from reconciler.store import files, jobs, mails, tables
from reconciler.store.database import Store
from reconciler.store.mails import StoredMail
from reconciler.store.row_uuid import new_row_uuid


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    (tmp_path / "reconciler.yaml").write_text("version: 1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    return Store(tmp_path / ".reconciler")


def waiting_mail(store: Store, message_id: str) -> None:
    with store.write() as tx:
        mails.add(tx, StoredMail(message_id=message_id, recipient="edi@acme.example", template="failures", data={}))


def test_a_store_that_is_whole(store: Store) -> None:
    with store.write() as tx:
        store.blobs.put(tx, store.blobs.seal(b"an order"))
    store.close()
    result = run("fsck")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "The store is whole.\n")


def test_what_can_be_mended(store: Store) -> None:
    waiting_mail(store, "<1@acme>")
    store.close()
    found, mended, again = run("fsck"), run("fsck", "--repair"), run("fsck")
    what = "accepted, and no work stands for it: mail <1@acme>\n"
    assert (found.exit_code, found.stdout) == (1, f"{what}  to mend: `fsck --repair` has it worked on.\n")
    assert found.stderr == "1 found, 0 of them mended.\n"
    assert (mended.exit_code, mended.stdout) == (0, f"{what}  mended: A job was added for it.\n")
    assert mended.stderr == "1 found, 1 of them mended.\n"
    assert again.exit_code == 0


def test_what_cannot(store: Store) -> None:
    waiting_mail(store, "<1@acme>")
    with store.write() as tx:
        jobs.add(tx, "mail", "<1@acme>")
        name = store.blobs.put(tx, store.blobs.seal(b"an order"))
        files.put(tx, new_row_uuid(), "cinbox", "a\x1b[2J.edi", sha256=name, size=8)
        tx.execute(update(tables.blob).values(content=b"a border"))
    store.close()
    result = run("fsck", "--repair")
    assert result.exit_code == 1
    quarantine = (store.folder / "quarantine" / name).resolve()
    assert f"damaged payload: {name}\n  needed by: 1 file.sha256 (a\\x1b[2J.edi)\n" in result.stdout
    assert f"  to mend: Its bytes are in {quarantine}. It is whole again once" in result.stdout
    (finding,) = json.loads(run("fsck", "-o", "json").stdout)
    assert (finding["fault"], finding["subject"], finding["mended"]) == ("missing payload", name, False)
