"""What a session tells of files, and what may be set of them."""

import re
import struct

import pytest

from reconciler.protocols.sftp.responses import Status
from tests.unit.protocols.sftp.session_client import CREATE, MAILBOX, READ, WRITE, Client, text

MOMENT = 1_700_000_000
TIMES = struct.pack(">III", 8, 1, MOMENT)


class TestLines:
    def test_a_folder_is_as_old_as_time(self) -> None:
        client = Client()
        line = client.ask(12, client.ask(11, text("/"))[1])[1]
        assert b"drwxr-xr-x 1 partner partner            0 Jan  1  1970 inbox" in line

    def test_a_recent_file_is_listed_with_its_time_of_day(self) -> None:
        client = Client()
        client.folders.put(MAILBOX, "inbox", "a", b"abc")
        line = client.ask(12, client.ask(11, text("/inbox"))[1])[1]
        assert re.search(rb"-rw-r--r-- 1 partner partner +3 [A-Z][a-z]{2} [ \d]\d \d\d:\d\d a", line)


class TestTimes:
    def modified(self, client: Client, path: str) -> int:
        kind, body = client.ask(17, text(path))
        assert kind == 105
        return int(struct.unpack(">I", body[-4:])[0])

    def test_a_time_that_is_set_before_the_close_is_kept(self) -> None:
        client = Client()
        handle = client.open("/coutbox/a", WRITE | CREATE)
        assert client.status(10, handle, TIMES) is Status.OK
        client.close(handle)
        assert self.modified(client, "/coutbox/a") == MOMENT

    def test_a_time_that_is_set_afterwards_is_kept_and_moves_with_the_file(self) -> None:
        client = Client()
        client.upload("/coutbox/a.part", b"a")
        owners_modes_times = struct.pack(">IIIIII", 2 | 4 | 8, 0, 0, 0o600, 1, MOMENT)
        assert client.status(9, text("/coutbox/a.part"), owners_modes_times) is Status.OK
        assert client.status(18, text("/coutbox/a.part"), text("/coutbox/a")) is Status.OK
        assert self.modified(client, "/coutbox/a") == MOMENT

    def test_what_a_worker_took_after_its_rename_may_still_be_given_its_time(self) -> None:
        client = Client()
        client.upload("/coutbox/a.filepart", b"abc")
        client.status(18, text("/coutbox/a.filepart"), text("/coutbox/a"))
        client.folders.remove(MAILBOX, "coutbox", "a")
        assert client.status(9, text("/coutbox/a"), TIMES) is Status.OK
        assert client.size("/coutbox/a") == 3
        assert client.status(17, text("/coutbox/a")) is Status.NO_SUCH_FILE

    def test_a_time_may_be_set_by_the_handle_of_a_file_that_is_read(self) -> None:
        client = Client()
        client.upload("/coutbox/a", b"a")
        handle = client.open("/coutbox/a", READ)
        assert client.status(10, handle, TIMES) is Status.OK
        assert self.modified(client, "/coutbox/a") == MOMENT
        assert client.ask(8, handle) == client.ask(17, text("/coutbox/a"))

    def test_a_file_that_never_was_has_no_time(self) -> None:
        assert Client().status(9, text("/coutbox/a"), TIMES) is Status.NO_SUCH_FILE


def test_an_owner_is_told_for_clients_that_would_change_it() -> None:
    client = Client()
    client.upload("/coutbox/a", b"a")
    flags, _, owner, group = struct.unpack_from(">IQII", client.ask(17, text("/coutbox/a"))[1])
    assert (flags & 2, owner, group) == (2, 0, 0)


@pytest.mark.parametrize(
    ("kind", "path", "words"),
    [
        (17, "/coutbox/a", b"No such file: "),
        (14, "/coutbox/a", b"Permission denied: "),
        (19, "/a", b"Permission denied"),
    ],
)
def test_a_refusal_begins_with_the_words_that_programs_look_for(kind: int, path: str, words: bytes) -> None:
    assert Client().ask(kind, text(path))[1][8:].startswith(words)


def test_a_handle_is_good_for_what_it_was_opened_for() -> None:
    client = Client()
    client.upload("/coutbox/a", b"abc")
    reading, writing = client.open("/coutbox/a", READ), client.open("/coutbox/a", WRITE)
    both = client.open("/coutbox/a", READ | WRITE)
    asked = struct.pack(">QI", 0, 10)
    assert client.write(reading, 0, b"x") is Status.PERMISSION_DENIED
    assert client.status(5, writing, asked) is Status.PERMISSION_DENIED
    assert client.ask(5, both, asked) == (103, text(b"abc"))


def test_the_extensions_that_are_named_are_those_that_are_there() -> None:
    client = Client()
    client.upload("/coutbox/a", b"abc")
    handle = client.open("/coutbox/a", WRITE)
    asked = {
        b"posix-rename@openssh.com": (text("/coutbox/a"), text("/coutbox/a")),
        b"statvfs@openssh.com": (text("/"),),
        b"fstatvfs@openssh.com": (handle,),
        b"fsync@openssh.com": (handle,),
        b"limits@openssh.com": (),
    }
    fields = client.greeting[9:]
    named = []
    while fields:
        length = int.from_bytes(fields[:4])
        named.append(fields[4 : 4 + length])
        fields = fields[4 + length :]
    assert set(named[::2]) == set(asked)
    for name, parts in asked.items():
        kind, body = client.ask(200, text(name), *parts)
        assert kind == 201 or body[:4] == b"\0\0\0\0", name
    for name in (b"lsetstat@openssh.com", b"check-file", b"copy-data", b"users-groups-by-id@openssh.com"):
        assert client.status(200, text(name), text("/coutbox/a")) is Status.UNSUPPORTED
