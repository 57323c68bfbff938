"""A client of a session that is fed with bytes: no socket, no SSH."""

import struct
from dataclasses import dataclass, field
from uuid import uuid4

from reconciler.protocols.sftp.responses import Status
from reconciler.protocols.sftp.session import Session
from tests.contract.sftp.memory_folders import MemoryFolders

MAILBOX = uuid4()
READ, WRITE, APPEND, CREATE, TRUNCATE, EXCLUSIVE = 1, 2, 4, 8, 16, 32
INIT = b"\0\0\0\5\1\0\0\0\3"


def text(value: bytes | str) -> bytes:
    encoded = value.encode() if isinstance(value, str) else value
    return struct.pack(">I", len(encoded)) + encoded


def packet(kind: int, *parts: bytes, request: int = 7) -> bytes:
    body = struct.pack(">BI", kind, request) + b"".join(parts)
    return struct.pack(">I", len(body)) + body


@dataclass
class Client:
    """Speaks to a session as a client would."""

    folders: MemoryFolders = field(default_factory=MemoryFolders)
    handles: int = 4
    largest: int = 1000

    def __post_init__(self) -> None:
        self.session = Session(MAILBOX, self.folders, handles=self.handles, largest=self.largest)
        self.greeting = self.send(INIT)

    def send(self, data: bytes) -> bytes:
        self.session.feed(data)
        return b"".join(self.session.answers())

    def ask(self, kind: int, *parts: bytes) -> tuple[int, bytes]:
        answer = self.send(packet(kind, *parts))
        assert int.from_bytes(answer[:4]) == len(answer) - 4
        assert answer[5:9] == struct.pack(">I", 7)
        return answer[4], answer[9:]

    def status(self, kind: int, *parts: bytes) -> Status:
        answered, body = self.ask(kind, *parts)
        assert answered == 101, answered
        return Status(int.from_bytes(body[:4]))

    def open(self, path: str, flags: int) -> bytes:
        kind, body = self.ask(3, text(path), struct.pack(">II", flags, 0))
        assert kind == 102, body
        return body

    def write(self, handle: bytes, offset: int, data: bytes) -> Status:
        return self.status(6, handle, struct.pack(">Q", offset), text(data))

    def close(self, handle: bytes) -> Status:
        return self.status(4, handle)

    def upload(self, path: str, content: bytes, flags: int = WRITE | CREATE | TRUNCATE) -> Status:
        handle = self.open(path, flags)
        assert self.write(handle, 0, content) is Status.OK
        return self.close(handle)

    def size(self, path: str) -> int:
        kind, body = self.ask(17, text(path))
        assert kind == 105
        return int(struct.unpack(">Q", body[4:12])[0])
