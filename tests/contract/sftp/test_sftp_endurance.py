"""What shows only in large files, large folders and many interruptions."""

import filecmp
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from random import Random
from socket import SHUT_RDWR
from uuid import UUID

import pytest
from sqlalchemy import insert

from reconciler.protocols.sftp.transport import ServerTransport
from reconciler.store import tables
from reconciler.store.database import Store
from tests.contract.sftp.clients import OpenSsh
from tests.contract.sftp.conftest import Gateway, eventually

CONTENT = Random(11).randbytes(300_000)


@pytest.fixture
def combination() -> tuple[str, str]:
    return "store", "fast"


def test_keys_are_exchanged_anew_after_512_mib(
    gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchanges = []
    begin = vars(ServerTransport)["_send_kex_init"]

    def counted(self: ServerTransport) -> None:
        exchanges.append(self)
        begin(self)

    monkeypatch.setattr(ServerTransport, "_send_kex_init", counted)
    here, back = tmp_path / "here", tmp_path / "back"
    with here.open("wb") as file:
        file.truncate(600 * 1024 * 1024)
        for offset in range(0, 600 * 1024 * 1024, 50_000_003):
            file.seek(offset)
            file.write(CONTENT)
    OpenSsh(gateway, tmp_path)("put here coutbox/there", "get coutbox/there back")
    assert len(exchanges) >= 3
    assert filecmp.cmp(here, back, shallow=False)


def test_a_folder_of_100000_files_is_listed_in_order(gateway: Gateway, tmp_path: Path) -> None:
    names = [f"{number:06}.xml" for number in range(100_000)]
    fill(vars(gateway.folders.real)["_store"], gateway.mailbox, names)
    printed = OpenSsh(gateway, tmp_path)("cd inbox", "ls -1f")
    assert [line for line in printed.splitlines() if not line.startswith("sftp>")] == names


def fill(store: Store, mailbox: UUID, names: list[str]) -> None:
    """Lay many files down in inbox, in no order."""
    digest, now = sha256(b"x").hexdigest(), datetime.now(UTC)
    same = {"mailbox": mailbox, "folder": "inbox", "sha256": digest, "size": 1, "modified_at": now}
    with store.write() as tx:
        tx.execute(insert(tables.blob), {"sha256": digest, "size": 1, "content": b"x", "created_at": now})
        tx.execute(insert(tables.file), [{**same, "name": name} for name in Random(3).sample(names, len(names))])


def test_transfers_are_resumed_after_a_cut_anywhere(gateway: Gateway) -> None:
    """What was acknowledged is there after the cut, and nothing of what was not."""
    gateway.put("cinbox", "whole", CONTENT)
    client = gateway.connect()
    for number, offset in enumerate(Random(13).sample(range(1, len(CONTENT) - 1), 100)):
        part, name = f"coutbox/{number}.part", f"coutbox/{number}"
        with client.open(part, "wb") as upload:
            upload.set_pipelined(True)
            upload.write(CONTENT[:offset])
        unfinished = client.open(part, "ab")
        unfinished.set_pipelined(True)
        unfinished.write(CONTENT[offset : offset + 40_000])
        with client.open("cinbox/whole") as download:
            received = download.read(offset)
        # Closed alone, it would be there until the client's thread looks up from it, 0.1 s later.
        gateway.transports[-1].sock.shutdown(SHUT_RDWR)
        assert eventually(lambda: not gateway.folders.open_uploads)

        client = gateway.connect()
        assert client.stat(part).st_size == offset
        with client.open(part, "ab") as upload:
            upload.set_pipelined(True)
            upload.write(CONTENT[offset:])
        client.rename(part, name)
        with client.open("cinbox/whole") as download:
            download.seek(offset)
            received += download.read()
        assert received == CONTENT
        assert gateway.get("coutbox", str(number)) == CONTENT
