"""What a load balancer says about who connects."""

import struct
from io import BytesIO
from ipaddress import ip_address

import pytest

from reconciler.protocols.sftp.proxy_protocol import SIGNATURE, NoProxyHeaderError, read_source


def header(command: int, family: int, fields: bytes) -> bytes:
    return SIGNATURE + bytes((0x20 | command, family)) + struct.pack(">H", len(fields)) + fields


V4 = ip_address("198.51.100.7").packed + ip_address("192.0.2.1").packed + struct.pack(">HH", 40000, 22)
V6 = ip_address("2001:db8::7").packed + ip_address("2001:db8::1").packed + struct.pack(">HH", 40000, 22)
MAPPED = ip_address("::ffff:198.51.100.7").packed + V6[16:]


@pytest.mark.parametrize(
    ("sent", "source"),
    [
        (header(1, 0x11, V4), "198.51.100.7"),
        (header(1, 0x11, V4 + b"\x03\x00\x04\x01\x02\x03\x04"), "198.51.100.7"),
        (header(1, 0x21, V6), "2001:db8::7"),
        (header(1, 0x21, MAPPED), "198.51.100.7"),
        (header(0, 0x00, b""), None),
        (header(0, 0x11, V4), None),
        (header(1, 0x00, b""), None),
    ],
)
def test_the_source_is_read_and_nothing_behind_it(sent: bytes, source: str | None) -> None:
    stream = BytesIO(sent + b"SSH-2.0-x\r\n")
    found = read_source(stream.read)
    assert found == (None if source is None else ip_address(source))
    assert stream.read() == b"SSH-2.0-x\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        b"SSH-2.0-OpenSSH_9.2p1\r\n" + bytes(20),
        b"PROXY TCP4 198.51.100.7 192.0.2.1 40000 22\r\n",
        header(1, 0x11, V4[:-1]),
        header(1, 0x21, V6[:-1]),
        header(1, 0x12, V4),
        header(1, 0x31, V4),
        header(2, 0x11, V4),
        header(1, 0x11, V4 + bytes(3000)),
        header(1, 0x11, V4).replace(b"\x21\x11", b"\x11\x11"),
    ],
)
def test_anything_else_is_none(sent: bytes) -> None:
    with pytest.raises(NoProxyHeaderError):
        read_source(BytesIO(sent).read)
