"""Requests drawn by lot: each well-formed one is answered, once, and nothing that is open is lost at the end."""

import struct
from random import Random

import pytest

from tests.unit.protocols.sftp.session_client import Client, packet, text

_PATHS = [
    *("", "/", ".", "..", "/coutbox", "coutbox/", "coutbox/a", "coutbox/a.part", "outbox/b", "error/c", "/inbox/../x"),
    *("coutbox/../inbox/d", "coutbox/ü", "coutbox/-rf", "coutbox/ ", "coutbox/'\"$(id)", "coutbox/a/b", "x" * 5000),
    *(f"coutbox/{'x' * length}" for length in (255, 256)),
]
_BYTES = [text(path) for path in _PATHS] + [text(b"coutbox/\xff"), text(b"coutbox/a\0b")]
_NUMBERS = [0, 1, 100, 1000, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1]
_FLAGS = [1, 2, 3, 0, 14, 26, 42, 63]
_EXTENSIONS = ["posix-rename", "limits", "fsync", "statvfs", "fstatvfs", "hardlink", "lsetstat"]


class Chance:
    """Draws requests."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self.handles: list[bytes] = []

    def request(self) -> bytes:  # noqa: PLR0911 - one case a kind of request
        kind = self._random.choice([3, 3, 4, 5, 6, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 99, 200])
        match kind:
            case 3:
                flags = struct.pack(">I", self._random.choice(_FLAGS))
                return packet(kind, self._path(), flags, self._attributes())
            case 4 | 8 | 12:
                return packet(kind, self._handle())
            case 5:
                return packet(kind, self._handle(), self._uint64(), self._uint32())
            case 6:
                return packet(kind, self._handle(), self._uint64(), text(bytes(self._random.choice([0, 1, 600]))))
            case 9 | 14:
                return packet(kind, self._path(), self._attributes())
            case 10:
                return packet(kind, self._handle(), self._attributes())
            case 18 | 20:
                return packet(kind, self._path(), self._path())
            case 200:
                name = text(f"{self._random.choice(_EXTENSIONS)}@openssh.com")
                fields = self._random.choice([self._handle(), self._path() + self._path()])
                return packet(kind, name, fields + text(""))
            case _:
                return packet(kind, self._path())

    def _path(self) -> bytes:
        return self._random.choice(_BYTES)

    def _handle(self) -> bytes:
        return self._random.choice([text("99"), *self.handles[-4:]])

    def _uint32(self) -> bytes:
        return struct.pack(">I", self._random.choice(_NUMBERS) & 0xFFFFFFFF)

    def _uint64(self) -> bytes:
        return struct.pack(">Q", self._random.choice(_NUMBERS))

    def _attributes(self) -> bytes:
        size, owners, permissions, times = (self._random.random() < 0.5 for _ in range(4))
        flags = size | owners << 1 | permissions << 2 | times << 3
        return struct.pack(">I", flags) + (
            self._uint64() * size + self._uint32() * (2 * owners + permissions) + self._uint32() * (2 * times)
        )


@pytest.mark.parametrize("seed", range(4))
def test_every_request_has_one_answer(seed: int) -> None:
    client, chance = Client(), Chance(seed)
    kinds: set[int] = set()
    for _ in range(1000):
        answer = client.send(chance.request())
        assert int.from_bytes(answer[:4]) == len(answer) - 4
        assert answer[5:9] == struct.pack(">I", 7)
        kinds.add(answer[4])
        if answer[4] == 102:
            chance.handles.append(answer[9:])
    assert kinds >= {101, 102, 104, 105, 201}
    client.session.abandon()
    assert not client.folders.uploads
