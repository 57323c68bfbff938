"""What a partner does with files, through paramiko's client."""

import stat
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from io import BytesIO
from random import Random

import pytest
from paramiko import SFTPClient, SFTPFile
from paramiko.packet import Packetizer
from paramiko.sftp import CMD_CLOSE

from reconciler.errors import Refusal, RefusedError
from reconciler.protocols.sftp.folders import FOLDERS
from tests.contract.sftp.conftest import Gateway, eventually


def close(client: SFTPClient, file: SFTPFile) -> None:
    """Close a file and raise what the server says; the close of paramiko's own file keeps that to itself."""
    client._request(CMD_CLOSE, file.handle)  # type: ignore[attr-defined] # not in the type stubs


class TestTransfers:
    def test_a_login_sees_the_five_folders(self, gateway: Gateway) -> None:
        client = gateway.connect()
        attributes = client.listdir_attr("/")
        assert [one.filename for one in attributes] == list(FOLDERS)
        assert all(stat.S_ISDIR(one.st_mode or 0) for one in attributes)
        assert client.normalize(".") == "/"
        assert client.normalize("coutbox/../../inbox/x") == "/inbox/x"

    @pytest.mark.parametrize("folder", ["coutbox", "outbox"])
    def test_an_upload_is_there_in_its_folder(self, gateway: Gateway, folder: str) -> None:
        sent = gateway.connect().putfo(BytesIO(b"ORDERS"), f"{folder}/order.edi")
        assert sent.st_size == 6
        assert gateway.get(folder, "order.edi") == b"ORDERS"

    @pytest.mark.parametrize("folder", FOLDERS)
    def test_every_folder_is_listed_downloaded_from_and_removed_from(self, gateway: Gateway, folder: str) -> None:
        for name in ("b", "a", "c"):
            gateway.put(folder, name, name.encode() * 10)
        client = gateway.connect()
        assert client.listdir(folder) == ["a", "b", "c"]
        assert client.stat(f"/{folder}/a").st_size == 10
        with client.open(f"{folder}/b") as file:
            assert file.read() == b"b" * 10
        client.remove(f"{folder}/b")
        assert gateway.names(folder) == ["a", "c"]
        with pytest.raises(FileNotFoundError):
            client.stat(f"{folder}/b")

    def test_a_large_file_comes_back_as_it_was(self, gateway: Gateway) -> None:
        content = Random(1).randbytes(20_000_000)
        client = gateway.connect()
        client.putfo(BytesIO(content), "coutbox/large.bin")
        back = BytesIO()
        client.getfo("coutbox/large.bin", back)
        assert sha256(back.getvalue()).digest() == sha256(content).digest()

    def test_keys_are_exchanged_anew_amid_a_transfer(self, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Packetizer, "REKEY_BYTES", 500_000)
        content = Random(4).randbytes(3_000_000)
        client = gateway.connect()
        client.putfo(BytesIO(content), "coutbox/a")
        back = BytesIO()
        client.getfo("coutbox/a", back)
        assert back.getvalue() == content

    def test_an_empty_file_is_a_file(self, gateway: Gateway) -> None:
        gateway.connect().putfo(BytesIO(), "coutbox/empty")
        assert gateway.get("coutbox", "empty") == b""

    def test_an_upload_replaces_what_was_there_when_it_is_closed(self, gateway: Gateway) -> None:
        gateway.put("coutbox", "a", b"the old and longer content")
        client = gateway.connect()
        with client.open("coutbox/a", "w") as file:
            file.write(b"new")
            file.flush()
            assert gateway.get("coutbox", "a") == b"the old and longer content"
        assert gateway.get("coutbox", "a") == b"new"

    def test_a_file_is_renamed_or_removed_by_who_still_writes_it(self, gateway: Gateway) -> None:
        client = gateway.connect()
        with client.open("coutbox/a.part", "w") as renamed, client.open("coutbox/b.part", "w") as removed:
            renamed.write(b"kept")
            removed.write(b"gone")
            assert client.lstat("coutbox/a.part").st_size == 4
            client.rename("coutbox/a.part", "coutbox/a")
            client.remove("coutbox/b.part")
            assert gateway.names("coutbox") == []
        assert gateway.names("coutbox") == ["a"]
        assert gateway.get("coutbox", "a") == b"kept"

    def test_an_upload_is_resumed(self, gateway: Gateway) -> None:
        gateway.put("coutbox", "a", b"first ")
        with gateway.connect().open("coutbox/a", "a") as file:
            file.write(b"second")
        assert gateway.get("coutbox", "a") == b"first second"

    def test_writes_in_any_order_make_one_file(self, gateway: Gateway) -> None:
        with gateway.connect().open("coutbox/a", "w") as file:
            for offset in (5, 0, 3):
                file.seek(offset)
                file.write(b"xyz"[: 2 if offset == 3 else 3])
                file.flush()
        assert gateway.get("coutbox", "a") == b"xyzxyxyz"

    def test_a_new_file_must_be_new(self, gateway: Gateway) -> None:
        gateway.put("coutbox", "a", b"old")
        with pytest.raises(OSError, match="exists already"):
            gateway.connect().open("coutbox/a", "wx")
        assert gateway.get("coutbox", "a") == b"old"

    def test_truncating_keeps_the_beginning(self, gateway: Gateway) -> None:
        client = gateway.connect()
        client.putfo(BytesIO(b"abcdef"), "coutbox/a")
        client.truncate("coutbox/a", 3)
        assert gateway.get("coutbox", "a") == b"abc"

    def test_times_and_modes_are_accepted(self, gateway: Gateway) -> None:
        client = gateway.connect()
        client.putfo(BytesIO(b"abc"), "coutbox/a")
        client.utime("coutbox/a", (1, 1))
        client.chmod("coutbox/a", 0o600)
        assert gateway.get("coutbox", "a") == b"abc"

    def test_sessions_side_by_side_do_not_mix(self, gateway: Gateway) -> None:
        def send(number: int) -> bytes:
            content = Random(number).randbytes(300_000)
            gateway.connect().putfo(BytesIO(content), f"coutbox/{number}")
            return content

        with ThreadPoolExecutor(8) as pool:
            sent = list(pool.map(send, range(16)))
        assert [gateway.get("coutbox", str(number)) for number in range(16)] == sent

    def test_each_login_has_its_own_folders(self, gateway: Gateway) -> None:
        gateway.put("inbox", "mine", b"")
        other = gateway.connect(str(gateway.partners[1].mailbox), "second")
        assert other.listdir("inbox") == []
        with pytest.raises(FileNotFoundError):
            other.open("inbox/mine")


class TestMoves:
    @pytest.mark.parametrize("target", ["coutbox/a", "cinbox/b"])
    def test_a_failed_file_is_moved_back_to_run_again(self, gateway: Gateway, target: str) -> None:
        gateway.put("error", "a", b"again")
        gateway.connect().rename("error/a", target)
        assert gateway.names("error") == []
        assert gateway.get(*target.split("/")) == b"again"

    def test_a_file_gets_its_name_when_it_is_complete(self, gateway: Gateway) -> None:
        client = gateway.connect()
        client.putfo(BytesIO(b"abc"), "coutbox/a.part")
        client.rename("coutbox/a.part", "coutbox/a")
        assert gateway.names("coutbox") == ["a"]

    def test_a_rename_replaces_only_when_asked(self, gateway: Gateway) -> None:
        gateway.put("outbox", "a", b"a")
        gateway.put("outbox", "b", b"b")
        client = gateway.connect()
        with pytest.raises(OSError, match="exists already"):
            client.rename("outbox/a", "outbox/b")
        client.posix_rename("outbox/a", "outbox/b")
        assert gateway.names("outbox") == ["b"]
        assert gateway.get("outbox", "b") == b"a"

    @pytest.mark.parametrize("source", ["inbox/a", "cinbox/a", "coutbox/a", "error/a"])
    @pytest.mark.parametrize("target", ["inbox/b", "outbox/b", "error/b"])
    def test_other_moves_are_denied(self, gateway: Gateway, source: str, target: str) -> None:
        gateway.put(source.partition("/")[0], "a", b"a")
        with pytest.raises(PermissionError, match="no file is moved"):
            gateway.connect().rename(source, target)
        assert gateway.get(*source.split("/")) == b"a"


class TestRefusals:
    @pytest.mark.parametrize("folder", ["inbox", "cinbox", "error"])
    def test_nothing_is_uploaded_elsewhere(self, gateway: Gateway, folder: str) -> None:
        with pytest.raises(PermissionError, match="upload into outbox or coutbox"):
            gateway.connect().putfo(BytesIO(b"x"), f"{folder}/x")
        assert gateway.names(folder) == []

    @pytest.mark.parametrize(
        "path",
        [
            "../../etc/passwd",
            "/etc/passwd",
            "coutbox/../../etc/x",
            "coutbox/sub/x",
            "x",
            "coutbox/a\0b",
            "coutbox/..\\x",
        ],
    )
    def test_no_path_leads_out(self, gateway: Gateway, path: str) -> None:
        client = gateway.connect()
        with pytest.raises(OSError):  # noqa: PT011 - which status it is depends on the path
            client.putfo(BytesIO(b"x"), path)
        with pytest.raises(OSError):  # noqa: PT011
            client.open(path)
        assert all(gateway.names(folder) == [] for folder in FOLDERS)

    def test_folders_and_links_are_not_made(self, gateway: Gateway) -> None:
        client = gateway.connect()
        with pytest.raises(PermissionError):
            client.mkdir("new")
        with pytest.raises(PermissionError):
            client.rmdir("inbox")
        with pytest.raises(PermissionError):
            client.symlink("/etc/passwd", "coutbox/link")
        with pytest.raises(PermissionError):
            client.readlink("coutbox/link")


class TestCommit:
    @pytest.mark.parametrize(
        ("failure", "told"),
        [
            (RefusedError(Refusal.QUOTA_EXCEEDED, "the mailbox is full"), "the mailbox is full"),
            (OSError(28, "No space left on device"), "could not read or store"),
        ],
    )
    def test_a_commit_that_fails_reaches_the_client(self, gateway: Gateway, failure: Exception, told: str) -> None:
        client = gateway.connect()
        file = client.open("coutbox/a", "w")
        file.write(b"abc")
        gateway.folders.failure = failure
        with pytest.raises(OSError, match=told):
            close(client, file)
        with pytest.raises(OSError, match="this handle is not open"):
            close(client, file)
        assert gateway.names("coutbox") == []
        assert not gateway.folders.open_uploads

    def test_a_file_that_is_closed_twice_is_received_once(self, gateway: Gateway) -> None:
        client = gateway.connect()
        file = client.open("coutbox/a", "w")
        close(client, file)
        gateway.folders.remove(gateway.mailbox, "coutbox", "a")
        with pytest.raises(OSError, match="this handle is not open"):
            close(client, file)
        assert gateway.names("coutbox") == []

    def test_the_next_upload_of_the_session_succeeds(self, gateway: Gateway) -> None:
        client = gateway.connect()
        gateway.folders.failure = OSError(28, "No space left on device")
        with pytest.raises(FileNotFoundError):
            client.putfo(BytesIO(b"abc"), "coutbox/a")
        gateway.folders.failure = None
        client.putfo(BytesIO(b"abc"), "coutbox/a")
        assert gateway.get("coutbox", "a") == b"abc"

    @pytest.mark.parametrize("how", ["channel", "connection", "socket"])
    def test_what_drops_before_its_close_leaves_nothing(self, gateway: Gateway, how: str) -> None:
        client = gateway.connect()
        file = client.open("coutbox/a", "w")
        file.write(b"x" * 100_000)
        file.flush()
        channel = client.get_channel()
        assert channel is not None
        match how:
            case "channel":
                channel.close()
            case "connection":
                gateway.transports[-1].close()
            case _:
                gateway.transports[-1].sock.close()
        assert eventually(lambda: not gateway.folders.open_uploads)
        assert gateway.names("coutbox") == []
