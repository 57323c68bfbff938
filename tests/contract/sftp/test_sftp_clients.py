"""What each client that partners use must be able to do, and be told when it may not."""

import os
from contextlib import nullcontext
from errno import ENOSPC
from pathlib import Path
from random import Random

import pytest

from reconciler.desired.sftp_gateway import SftpGateway, SftpLimits
from reconciler.errors import Refusal, RefusedError
from reconciler.model.noun import Json
from reconciler.store import blobs
from reconciler.store.shelf import FolderShelf
from tests.contract.sftp.clients import AsyncSsh, Client, ClientError, Curl, Lftp, OpenSsh, Psftp, Rclone, Scp
from tests.contract.sftp.conftest import Gateway

CONTENT = Random(7).randbytes(1_500_000)


@pytest.fixture
def combination() -> tuple[str, str]:
    return "store", "fast"


@pytest.fixture
def settings(limits: SftpLimits) -> SftpGateway:
    # curl of Debian 12 has a libssh2 without encrypt-then-MAC.
    return SftpGateway(limits=limits, legacy_algorithms=("hmac-sha2-256",))


@pytest.fixture(params=[OpenSsh, Scp, Psftp, Lftp, Rclone, Curl, AsyncSsh], ids=lambda kind: str(kind.__name__).lower())
def client(request: pytest.FixtureRequest, gateway: Gateway, tmp_path: Path) -> Client:
    (tmp_path / "here").write_bytes(CONTENT)
    (tmp_path / "empty").write_bytes(b"")
    made: Client = request.param(gateway, tmp_path)
    return made


def test_a_file_goes_up_is_listed_and_comes_back(client: Client, gateway: Gateway, tmp_path: Path) -> None:
    client.put("here", "coutbox/there.edi")
    assert gateway.get("coutbox", "there.edi") == CONTENT
    assert client.names("coutbox") == ["there.edi"]
    client.get("coutbox/there.edi", "back")
    assert (tmp_path / "back").read_bytes() == CONTENT


def test_an_empty_file_is_a_file(client: Client, gateway: Gateway) -> None:
    client.put("empty", "outbox/empty")
    assert gateway.get("outbox", "empty") == b""


def test_an_upload_replaces_what_was_there(client: Client, gateway: Gateway) -> None:
    gateway.put("coutbox", "there", b"x" * 2_000_000)
    client.put("here", "coutbox/there")
    assert gateway.get("coutbox", "there") == CONTENT
    assert gateway.names("coutbox") == ["there"]


def test_files_are_renamed_and_removed(client: Client, gateway: Gateway) -> None:
    client.put("here", "coutbox/there.part")
    client.rename("coutbox/there.part", "coutbox/there")
    assert gateway.names("coutbox") == ["there"]
    client.remove("coutbox/there")
    assert gateway.names("coutbox") == []


def test_an_upload_is_resumed(client: Client, gateway: Gateway) -> None:
    gateway.put("coutbox", "there", CONTENT[:700_001])
    client.resume_put("here", "coutbox/there")
    assert gateway.get("coutbox", "there") == CONTENT


def test_a_download_is_resumed(client: Client, gateway: Gateway, tmp_path: Path) -> None:
    gateway.put("cinbox", "there", CONTENT)
    (tmp_path / "back").write_bytes(CONTENT[:700_001])
    client.resume_get("cinbox/there", "back")
    assert (tmp_path / "back").read_bytes() == CONTENT


def test_nothing_is_uploaded_into_cinbox(client: Client, gateway: Gateway) -> None:
    with pytest.raises(ClientError):
        client.put("here", "cinbox/there")
    assert gateway.names("cinbox") == []


def test_a_file_that_is_not_there_is_an_error(client: Client) -> None:
    with pytest.raises(ClientError):
        client.get("cinbox/nothing", "back")


@pytest.mark.parametrize(
    "failure", [RefusedError(Refusal.QUOTA_EXCEEDED, "the mailbox is full"), OSError(28, "No space left on device")]
)
def test_a_commit_that_fails_is_an_error(client: Client, gateway: Gateway, failure: Exception) -> None:
    gateway.folders.failure = failure
    # curl does not look at what closing a file comes to; it is told of a quota or a full disk when it writes.
    with nullcontext() if isinstance(client, Curl) else pytest.raises(ClientError):
        client.put("here", "coutbox/there")
    assert gateway.names("coutbox") == []


@pytest.mark.parametrize("quota", [{"bytes": 1_000_000}, {"files": 0}, {"file_size": 1_000_000}], ids=str)
def test_a_quota_that_is_exceeded_is_an_error(client: Client, gateway: Gateway, quota: dict[str, Json]) -> None:
    gateway.configure({"quota": quota})
    with pytest.raises(ClientError):
        client.put("here", "coutbox/there")
    assert gateway.names("coutbox") == []


@pytest.mark.parametrize("moment", ["write", "close"])
def test_a_full_disk_is_an_error(
    client: Client, gateway: Gateway, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(ENOSPC, "No space left on device")

    if moment == "write":
        monkeypatch.setattr(blobs, "_unnamed_file", lambda _: os.fdopen(os.open("/dev/full", os.O_RDWR), "w+b", 0))
    else:
        monkeypatch.setattr(FolderShelf, "keep", full)
    with nullcontext() if isinstance(client, Curl) and moment == "close" else pytest.raises(ClientError):
        client.put("here", "coutbox/there")
    assert gateway.names("coutbox") == []


@pytest.mark.parametrize("client", [Scp, Lftp, Rclone, AsyncSsh], indirect=True)
def test_the_time_of_a_file_is_kept(client: Client, gateway: Gateway, tmp_path: Path) -> None:
    os.utime(tmp_path / "here", (1_000_000_000, 1_000_000_000))
    client.put("here", "coutbox/there")
    found = gateway.folders.find(gateway.mailbox, "coutbox", "there")
    assert found is not None
    assert found.modified.timestamp() == 1_000_000_000
