"""Connection details go to files that their recipients alone can read."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pyrage
import pytest
from sqlalchemy import update

from reconciler.store import tables
from tests.acceptance.reconciling.project import UserProject

ORDERS = "accounts.acme.mailboxes.orders"


def test_each_recipient_reads_what_a_partner_needs(applied: UserProject, tmp_path: Path) -> None:
    admin, partner = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    (tmp_path / "admins").write_text(f"# the admins\n\n{admin.to_public()}\n")
    into = tmp_path / "out"
    options = ("--into", str(into), "--recipient", str(partner.to_public()), "--recipients", str(tmp_path / "admins"))
    said = applied.run("credentials", "deliver", "accounts.acme", *options)
    password = applied.field(ORDERS, "password")
    assert password not in said.output
    assert {path.name for path in into.iterdir()} == {f"{ORDERS}.json.age", f"{ORDERS}-as2.json.age"}
    sealed = (into / f"{ORDERS}.json.age").read_bytes()
    assert password.encode() not in sealed
    for identity in (admin, partner):
        read = json.loads(pyrage.decrypt(sealed, [identity]))
        assert (read["mailbox"], read["password"]) == (ORDERS, password)
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(sealed, [pyrage.x25519.Identity.generate()])


def test_only_what_is_fresh_is_delivered_when_asked(applied: UserProject, tmp_path: Path) -> None:
    workspace = applied.workspace()
    with workspace.store.write() as tx:
        tx.execute(update(tables.credential).values(created_at=datetime(2020, 1, 1, tzinfo=UTC)))
    workspace.close()
    key = str(pyrage.x25519.Identity.generate().to_public())
    options = ("--into", str(tmp_path / "out"), "--recipient", key, "--since", "1h")
    assert "Nothing was generated" in applied.run("credentials", "deliver", "accounts", *options).stderr
    applied.run("credentials", "rotate", ORDERS)
    said = applied.run("credentials", "deliver", "accounts", *options).stdout
    assert said == f"Wrote {tmp_path}/out/{ORDERS}.json.age\n"


@pytest.mark.parametrize(
    ("options", "says", "code"),
    [
        ((), "Name who can read it", 64),
        (("--recipient", "age1nobody"), "'age1nobody' is no recipient", 1),
        (
            ("--recipient", "AGE-SECRET-KEY-1QQQQQQQ"),
            "'AGE-SECRET-KEY-1QQQQ…' is no recipient",
            1,
        ),
    ],
)
def test_a_wrong_recipient_is_said(
    applied: UserProject, tmp_path: Path, options: tuple[str, ...], says: str, code: int
) -> None:
    said = applied.run("credentials", "deliver", ORDERS, "--into", str(tmp_path), *options, exit_code=code)
    assert says in said.stderr
    assert list(tmp_path.glob("*.age")) == []
