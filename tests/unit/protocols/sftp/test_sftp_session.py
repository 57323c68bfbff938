"""A session, fed with bytes: no socket, no SSH."""

import struct
from collections.abc import Generator
from datetime import UTC, datetime
from itertools import count
from uuid import UUID

import pytest

from reconciler.errors import Refusal, RefusedError
from reconciler.protocols.sftp.folders import Entry
from reconciler.protocols.sftp.requests import MAX_PACKET, MalformedError
from reconciler.protocols.sftp.responses import Status
from reconciler.protocols.sftp.session import Session
from tests.contract.sftp.memory_folders import MemoryFolders
from tests.unit.protocols.sftp.session_client import (
    APPEND,
    CREATE,
    EXCLUSIVE,
    MAILBOX,
    READ,
    TRUNCATE,
    WRITE,
    Client,
    packet,
    text,
)


class TestStream:
    def test_the_greeting_names_what_is_there(self) -> None:
        greeting = Client().greeting
        assert greeting[4:9] == b"\2\0\0\0\3"
        assert b"posix-rename@openssh.com" in greeting
        assert b"limits@openssh.com" in greeting
        assert b"check-file" not in greeting

    def test_bytes_may_come_one_by_one(self) -> None:
        client = Client()
        request = packet(16, text("/inbox/.."))
        answers = [client.send(bytes([byte])) for byte in request]
        assert not any(answers[:-1])
        assert answers[-1] == client.send(request)

    def test_requests_may_come_together(self) -> None:
        client = Client()
        request = packet(16, text("/a"))
        assert client.send(request * 3 + request[:5]) == client.send(request[5:]) * 3

    def test_a_request_is_performed_when_its_answer_is_asked_for(self) -> None:
        client = Client()
        client.folders.put(MAILBOX, "inbox", "a", b"")
        client.session.feed(packet(16, text("/")) + packet(13, text("/inbox/a")))
        answers = client.session.answers()
        next(answers)
        assert client.folders.names(MAILBOX, "inbox") == ["a"]

    @pytest.mark.parametrize(
        "data",
        [
            struct.pack(">I", 0),
            struct.pack(">I", MAX_PACKET + 1),
            struct.pack(">I", 2**31),
            struct.pack(">IB", 1, 3),
            struct.pack(">IBH", 3, 200, 7),
        ],
    )
    def test_what_is_no_sftp_ends_the_session(self, data: bytes) -> None:
        client = Client()
        with pytest.raises(MalformedError):
            client.send(data)

    @pytest.mark.parametrize("kind", [*range(3, 19), 200])
    def test_a_request_that_is_cut_off_is_told_and_the_next_one_is_answered(self, kind: int) -> None:
        client = Client()
        assert client.status(kind, b"\0\0") is Status.BAD_MESSAGE
        assert client.ask(16, text("."))[0] == 104

    def test_a_request_that_is_cut_off_ends_the_session_while_a_file_is_written(self) -> None:
        client = Client()
        handle = client.open("/coutbox/a", WRITE | CREATE)
        with pytest.raises(MalformedError):
            client.send(packet(6, handle, struct.pack(">QI", 0, 500)))

    def test_a_session_begins_with_its_version(self) -> None:
        session = Session(MAILBOX, MemoryFolders(), handles=1, largest=1)
        session.feed(packet(16, text("/")))
        with pytest.raises(MalformedError):
            list(session.answers())

    def test_an_unknown_request_is_unsupported(self) -> None:
        assert Client().status(99) is Status.UNSUPPORTED
        assert Client().status(200, text("check-file"), text("1")) is Status.UNSUPPORTED

    def test_limits_are_told(self) -> None:
        kind, body = Client(handles=9).ask(200, text("limits@openssh.com"))
        assert kind == 201
        assert struct.unpack(">QQQQ", body) == (MAX_PACKET, MAX_PACKET - 1024, MAX_PACKET - 1024, 9)


class TestUpload:
    def test_a_file_is_there_when_it_was_closed_and_not_before(self) -> None:
        client = Client()
        handle = client.open("/coutbox/a", WRITE | CREATE)
        client.write(handle, 0, b"abc")
        assert client.folders.names(MAILBOX, "coutbox") == []
        assert client.close(handle) is Status.OK
        assert client.folders.get(MAILBOX, "coutbox", "a") == b"abc"

    def test_a_second_close_commits_nothing(self) -> None:
        client = Client()
        handle = client.open("/coutbox/a", WRITE | CREATE)
        assert client.close(handle) is Status.OK
        assert client.close(handle) is Status.FAILURE
        assert client.folders.commits == [("coutbox", "a")]

    def test_a_session_that_ends_aborts_what_is_open(self) -> None:
        client = Client()
        client.write(client.open("/coutbox/a", WRITE | CREATE), 0, b"abc")
        assert client.session.busy
        client.session.abandon()
        assert not client.folders.uploads
        assert not client.folders.commits
        assert not client.session.busy

    @pytest.mark.parametrize("failure", [RefusedError(Refusal.QUOTA_EXCEEDED, "full"), OSError(28, "disk full")])
    def test_a_commit_that_fails_reaches_the_client(self, failure: Exception) -> None:
        client = Client()

        def fail() -> None:
            raise failure

        client.folders.before_commit = fail
        assert client.upload("/coutbox/a", b"abc") is Status.FAILURE
        assert not client.folders.uploads

    def test_a_host_path_in_an_error_is_not_told(self) -> None:
        client = Client()

        def fail() -> None:
            raise FileNotFoundError(2, "No such file", "/var/lib/secret")

        client.folders.before_commit = fail
        handle = client.open("/coutbox/a", WRITE | CREATE)
        assert b"secret" not in client.send(packet(4, handle))

    def test_a_write_that_failed_spoils_the_file(self) -> None:
        client = Client(largest=10)
        handle = client.open("/coutbox/a", WRITE | CREATE)
        assert client.write(handle, 0, b"12345") is Status.OK
        assert client.write(handle, 8, b"12345") is Status.FAILURE
        assert client.write(handle, 5, b"678") is Status.OK
        assert client.close(handle) is Status.FAILURE
        assert client.folders.names(MAILBOX, "coutbox") == []
        assert not client.folders.uploads

    def test_a_gap_as_wide_as_the_protocol_allows_is_refused(self) -> None:
        client = Client()
        assert client.write(client.open("/coutbox/a", WRITE | CREATE), 2**64 - 1, b"x") is Status.FAILURE

    def test_the_size_that_was_sent_is_confirmed_once_when_a_worker_was_faster(self) -> None:
        client = Client()
        client.upload("/coutbox/a", b"abc")
        client.folders.remove(MAILBOX, "coutbox", "a")
        assert client.status(9, text("/coutbox/a"), struct.pack(">III", 8, 1, 1)) is Status.OK
        assert client.size("/coutbox/a") == 3
        assert client.status(17, text("/coutbox/a")) is Status.NO_SUCH_FILE

    @pytest.mark.parametrize(
        ("flags", "content"),
        [
            (WRITE, b"XYcdef"),
            (WRITE | CREATE, b"XYcdef"),
            (WRITE | CREATE | TRUNCATE, b"XY"),
            (WRITE | CREATE | APPEND, b"abcdefXY"),
            (READ | WRITE, b"XYcdef"),
        ],
    )
    def test_flags_say_what_becomes_of_the_content(self, flags: int, content: bytes) -> None:
        client = Client()
        client.folders.put(MAILBOX, "coutbox", "a", b"abcdef")
        assert client.upload("/coutbox/a", b"XY", flags) is Status.OK
        assert client.folders.get(MAILBOX, "coutbox", "a") == content

    def test_a_file_that_shall_be_new_may_not_be_there(self) -> None:
        client = Client()
        client.folders.put(MAILBOX, "coutbox", "a", b"old")
        flags = struct.pack(">II", WRITE | CREATE | EXCLUSIVE, 0)
        assert client.status(3, text("/coutbox/a"), flags) is Status.FAILURE

    def test_without_create_the_file_must_be_there(self) -> None:
        assert Client().status(3, text("/coutbox/a"), struct.pack(">II", WRITE, 0)) is Status.NO_SUCH_FILE

    def test_what_was_written_can_be_read_back(self) -> None:
        client = Client()
        handle = client.open("/coutbox/a", READ | WRITE | CREATE)
        client.write(handle, 0, b"abcdef")
        assert client.ask(5, handle, struct.pack(">QI", 2, 3)) == (103, text("cde"))
        assert client.status(5, handle, struct.pack(">QI", 2**63, 3)) is Status.EOF

    def test_a_size_cuts_a_file_and_keeps_the_rest(self) -> None:
        client = Client()
        client.upload("/coutbox/a", b"abcdef")
        assert client.status(9, text("/coutbox/a"), struct.pack(">IQ", 1, 4)) is Status.OK
        assert client.folders.get(MAILBOX, "coutbox", "a") == b"abcd"

    def test_a_size_cuts_an_open_file(self) -> None:
        client = Client()
        handle = client.open("/coutbox/a", WRITE | CREATE)
        client.write(handle, 0, b"abcdef")
        assert client.status(10, handle, struct.pack(">IQ", 1, 2)) is Status.OK
        client.close(handle)
        assert client.folders.get(MAILBOX, "coutbox", "a") == b"ab"

    def test_a_size_too_large_leaves_the_file_as_it_was(self) -> None:
        client = Client(largest=10)
        client.upload("/coutbox/a", b"abc")
        assert client.status(9, text("/coutbox/a"), struct.pack(">IQ", 1, 2**60)) is Status.FAILURE
        assert client.folders.get(MAILBOX, "coutbox", "a") == b"abc"
        assert not client.folders.uploads


class TestRefusals:
    @pytest.mark.parametrize(
        ("kind", "parts"),
        [
            (3, (text("/inbox/a"), struct.pack(">II", WRITE | CREATE, 0))),
            (3, (text("/coutbox"), struct.pack(">II", WRITE | CREATE, 0))),
            (9, (text("/inbox/a"), struct.pack(">IQ", 1, 0))),
            (9, (text("/inbox"), struct.pack(">IQ", 1, 0))),
            (13, (text("/inbox"),)),
            (14, (text("/new"), struct.pack(">I", 0))),
            (15, (text("/inbox"),)),
            (18, (text("/inbox/a"), text("/coutbox/a"))),
            (19, (text("/inbox/a"),)),
            (20, (text("/inbox/a"), text("/inbox/b"))),
            (200, (text("hardlink@openssh.com"), text("/inbox/a"), text("/inbox/b"))),
            (11, (text("/inbox/a"),)),
        ],
    )
    def test_what_may_not_be_done_is_denied(self, kind: int, parts: tuple[bytes, ...]) -> None:
        client = Client()
        client.folders.put(MAILBOX, "inbox", "a", b"a")
        assert client.status(kind, *parts) is Status.PERMISSION_DENIED
        assert client.folders.get(MAILBOX, "inbox", "a") == b"a"

    @pytest.mark.parametrize("path", ["/", "coutbox/", "/inbox/a"])
    def test_who_makes_sure_of_a_folder_goes_on(self, path: str) -> None:
        """Clients take FAILURE for what is there already, as OpenSSH's server says it."""
        client = Client()
        client.folders.put(MAILBOX, "inbox", "a", b"a")
        assert client.status(14, text(path), struct.pack(">I", 0)) is Status.FAILURE

    @pytest.mark.parametrize(("kind", "before"), [(13, b""), (15, b""), (17, b""), (200, text("statvfs@openssh.com"))])
    @pytest.mark.parametrize("path", ["/inbox/none", "/none", "/inbox/a/b"])
    def test_what_is_not_there_is_said_not_to_be(self, kind: int, before: bytes, path: str) -> None:
        assert Client().status(kind, before, text(path)) is Status.NO_SUCH_FILE

    def test_nothing_is_read_where_nothing_is_asked_for(self) -> None:
        client = Client()
        client.folders.put(MAILBOX, "inbox", "a", b"a")
        handle = client.open("/inbox/a", READ)
        assert client.ask(5, handle, struct.pack(">QI", 0, 0)) == (103, text(b""))
        assert client.status(5, handle, struct.pack(">QI", 1, 1)) is Status.EOF

    def test_handles_are_bounded_and_come_back(self) -> None:
        client = Client(handles=2)
        opened = [client.open("/coutbox/a", WRITE | CREATE), client.open("/coutbox/b", WRITE | CREATE)]
        assert client.status(11, text("/")) is Status.FAILURE
        assert client.status(3, text("/coutbox/c"), struct.pack(">II", WRITE | CREATE, 0)) is Status.FAILURE
        client.close(opened[0])
        assert client.ask(11, text("/"))[0] == 102

    @pytest.mark.parametrize(
        ("kind", "tail"),
        [
            (4, b""),
            (5, struct.pack(">QI", 0, 1)),
            (6, struct.pack(">Q", 0) + text("x")),
            (8, b""),
            (10, struct.pack(">IQ", 1, 1)),
            (12, b""),
        ],
    )
    def test_a_handle_that_is_not_open_fails(self, kind: int, tail: bytes) -> None:
        assert Client().status(kind, text("999"), tail) is Status.FAILURE

    def test_a_handle_does_what_it_was_opened_for(self) -> None:
        client = Client()
        client.folders.put(MAILBOX, "inbox", "a", b"a")
        file, folder = client.open("/inbox/a", READ), client.ask(11, text("/"))[1]
        assert client.write(file, 0, b"x") is Status.PERMISSION_DENIED
        assert client.status(12, file) is Status.PERMISSION_DENIED
        assert client.status(5, folder, struct.pack(">QI", 0, 1)) is Status.PERMISSION_DENIED


class TestRename:
    def test_a_target_is_replaced_only_when_asked(self) -> None:
        client = Client()
        for name in ("a", "b"):
            client.folders.put(MAILBOX, "coutbox", name, name.encode())
        assert client.status(18, text("/coutbox/a"), text("/coutbox/b")) is Status.FAILURE
        renamed = client.status(200, text("posix-rename@openssh.com"), text("/coutbox/a"), text("/coutbox/b"))
        assert renamed is Status.OK
        assert client.folders.get(MAILBOX, "coutbox", "b") == b"a"

    def test_a_file_moved_to_itself_stays(self) -> None:
        client = Client()
        client.folders.put(MAILBOX, "coutbox", "a", b"a")
        assert client.status(200, text("posix-rename@openssh.com"), text("/coutbox/a"), text("coutbox/a")) is Status.OK
        assert client.folders.names(MAILBOX, "coutbox") == ["a"]
        assert client.status(18, text("/coutbox/b"), text("/coutbox/b")) is Status.NO_SUCH_FILE


class EndlessFolders(MemoryFolders):
    """A folder without an end; `told` counts what was asked of it."""

    told = 0
    closed = False

    def entries(self, mailbox: UUID, folder: str) -> Generator[Entry]:
        try:
            for self.told in count(1):
                yield Entry(folder, f"{self.told:09}", 1, datetime(2026, 1, 1, tzinfo=UTC))
        finally:
            self.closed = True


class TestListing:
    def test_the_root_has_the_five_folders(self) -> None:
        client = Client()
        handle = client.ask(11, text("/"))[1]
        kind, body = client.ask(12, handle)
        assert kind == 104
        assert int.from_bytes(body[:4]) == 5
        assert client.status(12, handle) is Status.EOF

    def test_a_folder_is_read_as_far_as_it_is_asked_for(self) -> None:
        folders = EndlessFolders()
        client = Client(folders)
        handle = client.ask(11, text("/inbox"))[1]
        for _ in range(3):
            assert client.ask(12, handle)[0] == 104
        assert folders.told < 1000
        client.close(handle)
        assert folders.closed

    def test_folders_and_root_have_attributes(self) -> None:
        client = Client()
        for path in ("", "/", ".", "/cinbox"):
            assert client.size(path) == 0
        assert client.status(17, text("/nowhere")) is Status.NO_SUCH_FILE
        assert client.status(9, text("/cinbox"), struct.pack(">II", 4, 0o700)) is Status.OK
