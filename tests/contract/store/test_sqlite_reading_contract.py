from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from reconciler.live.store_live import live_side
from reconciler.model.account import Account
from reconciler.model.credential import Credential, CredentialKind, Secret
from reconciler.model.key import Key, sftp_host_key
from reconciler.model.mailbox import Mailbox
from reconciler.store import configuration, credentials, suspensions
from reconciler.store.credentials import Generated, Successor
from reconciler.store.database import Store
from reconciler.store.sqlite_reading import read_live

ACME = Key.of_account("acme")
HOST_KEY = sftp_host_key("ed25519", 1)
NOW = datetime(2026, 3, 1, 12, 30, 0, 123456, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a SQLite store that has something of everything that planning looks at."""
    store = Store(tmp_path)
    with store.write() as tx:
        revision = configuration.add_revision(tx, actor="ada", plan={})
        for key, resource in ((ACME, Account(name="Łódź")), (HOST_KEY, Credential(kind=CredentialKind.SSH_HOST_KEY))):
            configuration.put_resources(tx, {key: resource}, revision, managed_by="configuration")
        by_hand = {ACME.mailbox("orders"): Mailbox(name="orders", aliases=("GLN:4829900003227",))}
        configuration.put_resources(tx, by_hand, revision, managed_by="api")
        made = [Successor(HOST_KEY, Generated(Secret("x"), "SHA256:x", NOW + timedelta(days=age))) for age in (0, 1)]
        for successor in made:
            credentials.replace(tx, store.keyring, [successor])
        suspensions.put(tx, ACME, until=NOW, reason="moving house", actor="bob")
        suspensions.put(tx, ACME.mailbox("orders"), until=None, reason="for good", actor="bob")
    store.close()
    return tmp_path


class TestReadLive:
    def test_reads_what_the_store_reads(self, folder: Path) -> None:
        store = Store(folder)
        expected = live_side(store)
        store.close()
        found = read_live(folder)
        assert found == expected
        assert found is not None
        assert (found.revision, len(found.state), len(found.by_hand), len(found.suspensions)) == (1, 3, 1, 2)
        assert found.generated_at[HOST_KEY].microsecond == NOW.microsecond

    def test_reads_while_another_process_writes(self, folder: Path) -> None:
        store = Store(folder)
        with store.write() as tx:
            configuration.add_revision(tx, actor="ada", plan={})
            found = read_live(folder)
        store.close()
        assert found is not None
        assert found.revision == 1

    def test_leaves_a_schema_of_another_release_to_the_store(self, folder: Path) -> None:
        store = Store(folder)
        with store.write() as tx:
            tx.execute(text("UPDATE alembic_version SET version_num = '0000'"))
        store.close()
        assert read_live(folder) is None

    @pytest.mark.parametrize("content", [b"", b"this is no database" * 100])
    def test_leaves_what_is_no_database_to_the_store(self, content: bytes, tmp_path: Path) -> None:
        (tmp_path / "state.db").write_bytes(content)
        assert read_live(tmp_path) is None

    def test_makes_no_database(self, tmp_path: Path) -> None:
        assert read_live(tmp_path) is None
        assert not list(tmp_path.iterdir())
