"""What a client may do with a file that it is writing, by its name; sshfs does all of this."""

import struct

import pytest

from reconciler.protocols.sftp.responses import Status
from tests.unit.protocols.sftp.session_client import CREATE, MAILBOX, READ, TRUNCATE, WRITE, Client, text

MOMENT = 1_700_000_000
A, B = text("/coutbox/a"), text("/coutbox/b")
POSIX_RENAME = text("posix-rename@openssh.com")


@pytest.fixture
def client() -> Client:
    return Client()


def begun(client: Client, content: bytes = b"new") -> bytes:
    handle = client.open("/coutbox/a", WRITE | CREATE | TRUNCATE)
    client.write(handle, 0, content)
    return handle


class TestItsName:
    def lstat(self, client: Client) -> int:
        kind, body = client.ask(7, text("/coutbox/a"))
        assert kind == 105, body
        return int(struct.unpack(">Q", body[4:12])[0])

    def test_its_name_is_told_to_whoever_writes_it(self, client: Client) -> None:
        handle = client.open("/coutbox/a", WRITE | CREATE)
        assert self.lstat(client) == 0
        client.write(handle, 0, b"abc")
        assert self.lstat(client) == 3

    def test_nobody_else_is_told_and_there_is_no_file_yet(self, client: Client) -> None:
        client.open("/coutbox/a", WRITE | CREATE)
        assert client.status(17, text("/coutbox/a")) is Status.NO_SUCH_FILE
        assert Client(client.folders).status(7, text("/coutbox/a")) is Status.NO_SUCH_FILE

    def test_one_that_replaces_another_is_told_by_its_own_size(self, client: Client) -> None:
        client.upload("/coutbox/a", b"longer")
        client.write(client.open("/coutbox/a", WRITE | CREATE | TRUNCATE), 0, b"abc")
        assert self.lstat(client) == 3
        assert client.size("/coutbox/a") == 6

    def test_what_is_set_by_its_path_is_kept_by_the_close(self, client: Client) -> None:
        handle = client.open("/coutbox/a", WRITE | CREATE)
        client.write(handle, 0, b"abcdef")
        assert client.status(9, text("/coutbox/a"), struct.pack(">IQII", 1 | 8, 4, 1, MOMENT)) is Status.OK
        client.close(handle)
        assert client.folders.get(MAILBOX, "coutbox", "a") == b"abcd"
        assert client.ask(17, text("/coutbox/a"))[1][-4:] == struct.pack(">I", MOMENT)


class TestReading:
    def test_the_handle_that_writes_it_reads_it_when_it_was_opened_for_both(self, client: Client) -> None:
        handle = client.open("/coutbox/a", READ | WRITE | CREATE)
        client.write(handle, 0, b"abc")
        assert client.ask(5, handle, struct.pack(">QI", 0, 10)) == (103, text(b"abc"))

    def test_another_handle_finds_no_file_and_is_told_why(self, client: Client) -> None:
        """Whoever reads by the name gets a file that was received, or none."""
        begun(client)
        kind, body = client.ask(3, A, struct.pack(">II", READ, 0))
        assert (kind, body[:4]) == (101, struct.pack(">I", Status.NO_SUCH_FILE))
        assert b"there is no file a until it is closed" in body

    def test_another_handle_reads_what_is_about_to_be_replaced(self, client: Client) -> None:
        client.upload("/coutbox/a", b"older")
        writing = begun(client)
        reading = client.open("/coutbox/a", READ)
        assert client.close(writing) is Status.OK
        assert client.ask(5, reading, struct.pack(">QI", 0, 10)) == (103, text(b"older"))


class TestRenaming:
    def test_it_is_received_by_its_new_name(self, client: Client) -> None:
        handle = begun(client)
        assert client.status(18, A, B) is Status.OK
        assert client.close(handle) is Status.OK
        assert client.folders.names(MAILBOX, "coutbox") == ["b"]
        assert client.size("/coutbox/b") == 3

    def test_what_it_replaces_goes_along(self, client: Client) -> None:
        client.upload("/coutbox/a", b"older")
        handle = begun(client)
        assert client.status(18, A, B) is Status.OK
        assert client.folders.get(MAILBOX, "coutbox", "b") == b"older"
        assert client.close(handle) is Status.OK
        assert client.folders.names(MAILBOX, "coutbox") == ["b"]
        assert client.folders.get(MAILBOX, "coutbox", "b") == b"new"

    def test_another_is_replaced_only_when_that_is_asked_for(self, client: Client) -> None:
        client.upload("/coutbox/b", b"other")
        handle = begun(client)
        assert client.status(18, A, B) is Status.FAILURE
        assert client.status(200, POSIX_RENAME, A, B) is Status.OK
        assert client.close(handle) is Status.OK
        assert client.folders.get(MAILBOX, "coutbox", "b") == b"new"

    def test_one_that_appears_meanwhile_is_not_replaced(self, client: Client) -> None:
        handle = begun(client)
        assert client.status(18, A, B) is Status.OK
        client.folders.put(MAILBOX, "coutbox", "b", b"other")
        assert client.close(handle) is Status.FAILURE
        assert client.folders.get(MAILBOX, "coutbox", "b") == b"other"

    def test_its_own_name_is_no_change(self, client: Client) -> None:
        handle = begun(client)
        assert client.status(18, A, A) is Status.OK
        assert client.close(handle) is Status.OK
        assert client.folders.names(MAILBOX, "coutbox") == ["a"]


class TestRemoving:
    def test_nothing_is_received(self, client: Client) -> None:
        handle = begun(client)
        assert client.status(13, A) is Status.OK
        assert client.status(13, A) is Status.NO_SUCH_FILE
        assert client.write(handle, 3, b"more") is Status.OK
        assert client.close(handle) is Status.OK
        assert client.folders.names(MAILBOX, "coutbox") == []
        assert client.status(7, A) is Status.NO_SUCH_FILE
        assert not client.folders.uploads

    def test_what_it_replaces_is_removed_too(self, client: Client) -> None:
        client.upload("/coutbox/a", b"older")
        handle = begun(client)
        assert client.status(13, A) is Status.OK
        assert client.close(handle) is Status.OK
        assert client.folders.names(MAILBOX, "coutbox") == []
