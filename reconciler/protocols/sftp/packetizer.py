"""paramiko's packets, bounded; and the same with large reads, one-pass AES-GCM and writes in batches.

`BufferedPacketizer` belongs to the transport's thread alone: whatever is sent waits until that thread would block.
The names with two underscores are paramiko's own; a test pins them.
"""

import struct
from collections import deque
from dataclasses import dataclass
from select import POLLIN, POLLOUT, poll
from socket import MSG_DONTWAIT, SHUT_RDWR, socket
from threading import get_ident
from typing import TYPE_CHECKING, Any

from paramiko import Message, SSHException
from paramiko.packet import NeedRekeyException, Packetizer

from reconciler.protocols.sftp.sealing import Sealing, sealing_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Buffer

LONGEST_PACKET = 256 * 1024
"""Bytes that an SSH packet may have, as in OpenSSH; RFC 4253 section 6.1 asks for 35,000 at least."""

LONGEST_LINE = 1024
"""Bytes of a line before the version exchange is over; RFC 4253 section 4.2 allows 255."""

_LONGEST_GREETING = 16 * LONGEST_LINE
"""Bytes of all lines before the packets."""

_CHUNK = 256 * 1024
_MUCH = 32 * 1024
_FLUSHED_FROM = 256 * 1024
"""Bytes that wait at most while more packets are at hand."""
_BLOCKED_FROM = 1024 * 1024
"""Bytes above which nothing more is answered until the client reads."""
_AHEAD = 4 * 1024 * 1024
"""Bytes that are read from a client which does not read itself."""
_PATIENCE = 300_000
"""Milliseconds for which a client may read nothing while answers wait for it."""
_VECTORS = 512
_BLOCK = 16
_CHANNEL_DATA = 94
_DATA_HEAD = 10
_SEQUENCE = 0xFFFFFFFF
_PADDING = [bytes(length) for length in range(2 * _BLOCK)]
_PADDING_LENGTH = [bytes((length,)) for length in range(2 * _BLOCK)]


class BoundedPacketizer(Packetizer):
    """Refuses a packet by its length; paramiko itself would wait for up to 4 GB, and keep them, before any login."""

    _before_packets = 0

    def _read_timeout(self, timeout: float) -> bytes:
        """Read a part of a first line. Raises SSHException when there is no end of it."""
        part: bytes = super()._read_timeout(timeout)  # type: ignore[misc] # not in the type stubs
        self._before_packets += len(part)
        if self._before_packets > _LONGEST_GREETING:
            raise SSHException("first lines that do not end")
        return part

    def read_all(self, n: int, check_rekey: bool = False) -> bytes:  # noqa: FBT001, FBT002 - as paramiko calls it
        """Return `n` bytes. Raises SSHException when no packet has so many."""
        require_length(n)
        return super().read_all(n, check_rekey)


def require_length(length: int) -> None:
    """Raise SSHException unless a packet can have a part of this length."""
    if not 0 <= length <= LONGEST_PACKET:
        raise SSHException(f"a packet of {length} bytes; at most {LONGEST_PACKET} are taken")


@dataclass(slots=True)
class _Count:
    """What went one way since the keys are these."""

    bytes: int = 0
    packets: int = 0


class BufferedPacketizer(Packetizer):
    """Reads ahead, seals AES-GCM in one pass, and sends when it would block. `before_blocking` may send more."""

    _Packetizer__sequence_number_in: int
    _Packetizer__sequence_number_out: int

    def __init__(self, connection: socket) -> None:
        super().__init__(connection)
        connection.settimeout(None)
        self.before_blocking: Callable[[], None] = lambda: None
        self.on_data: Callable[[int, memoryview], bool] = lambda _channel, _data: False
        self._connection = connection
        self._owner = 0
        self._buffer = b""
        self._position = 0
        self._received = 0
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._sealed_in: Sealing | None = None
        self._sealed_out: Sealing | None = None
        self._count_in = _Count()
        self._count_out = _Count()

    # --- what paramiko's transport asks --------------------------------------------------------------------------

    def set_inbound_cipher(  # noqa: D102 - paramiko's
        self,
        block_engine: Any,  # noqa: ANN401 - a cipher, or AES-GCM
        block_size: int,
        mac_engine: Any,  # noqa: ANN401 - one of hashlib
        mac_size: int,
        mac_key: bytes | bytearray,
        etm: bool = False,  # noqa: FBT001, FBT002 - as paramiko calls it
        aead: bool = False,  # noqa: FBT001, FBT002 - the same
        iv_in: bytes | None = None,
    ) -> None:
        super().set_inbound_cipher(block_engine, block_size, mac_engine, mac_size, mac_key, etm, aead, iv_in)
        self._sealed_in = sealing_of(block_engine, mac_engine, mac_size, mac_key, iv_in, etm=etm)
        self._count_in = _Count()

    def set_outbound_cipher(  # noqa: D102 - paramiko's
        self,
        block_engine: Any,  # noqa: ANN401 - a cipher, or AES-GCM
        block_size: int,
        mac_engine: Any,  # noqa: ANN401 - one of hashlib
        mac_size: int,
        mac_key: bytes | bytearray,
        sdctr: bool = False,  # noqa: FBT001, FBT002 - as paramiko calls it
        etm: bool = False,  # noqa: FBT001, FBT002 - the same
        aead: bool = False,  # noqa: FBT001, FBT002 - the same
        iv_out: bytes | None = None,
    ) -> None:
        super().set_outbound_cipher(block_engine, block_size, mac_engine, mac_size, mac_key, sdctr, etm, aead, iv_out)
        self._sealed_out = sealing_of(block_engine, mac_engine, mac_size, mac_key, iv_out, etm=etm)
        self._count_out = _Count()

    def start_handshake(self, timeout: float) -> None:
        """Do nothing: the time that a login may take is watched by the server, for all connections at once."""

    def close(self) -> None:
        """End the connection; its descriptor is closed by its own thread, which this wakes."""
        try:
            if self._owner == get_ident():
                self._send_some()
            self._connection.shutdown(SHUT_RDWR)
        except OSError:
            # Ended by the other side: nothing is left to be sent or woken.
            pass
        finally:
            self._Packetizer__closed = True

    def readline(self, timeout: float) -> str:
        """Return a line of the version exchange. Raises SSHException when it is too long."""
        del timeout
        while (end := self._buffer.find(b"\n", self._position)) < 0:
            if len(self._buffer) - self._position > LONGEST_LINE:
                raise SSHException("a first line that does not end")
            self._read_more()
        line = self._buffer[self._position : end]
        self._position = end + 1
        return line.rstrip(b"\r").decode(errors="replace")

    def read_all(self, n: int, check_rekey: bool = False) -> bytes:  # noqa: FBT001, FBT002 - as paramiko calls it
        """Return `n` bytes. Raises SSHException when no packet has so many, and EOFError at the end."""
        del check_rekey
        require_length(n)
        while len(self._buffer) - self._position < n:
            self._read_more()
        start = self._position
        self._position = start + n
        return self._buffer[start : self._position]

    def write_all(self, out: "Buffer") -> None:
        """Put bytes into the queue of what is sent next."""
        self._put(bytes(out))

    def _put(self, *parts: bytes) -> None:
        self._waiting += parts
        self._waiting_bytes += sum(map(len, parts))
        if self._waiting_bytes >= _FLUSHED_FROM:
            self._send_some()
            if self._waiting_bytes >= _BLOCKED_FROM:
                self._send_until_read()

    def send_message(self, data: Message) -> None:
        """Seal a message and put it into the queue."""
        if self._sealed_out is None:
            super().send_message(data)
        else:
            self.send_parts((data.asbytes(),))

    def send_parts(self, parts: tuple[bytes | memoryview, ...]) -> None:
        """Seal a message that is given in parts, so that large ones are copied once."""
        sealing = self._sealed_out
        if sealing is None:
            super().send_message(Message(b"".join(parts)))
            return
        length = sum(map(len, parts)) + 1
        padding = _BLOCK - length % _BLOCK
        if padding < 4:  # noqa: PLR2004 - RFC 4253 section 6
            padding += _BLOCK
        head = struct.pack(">I", length + padding)
        body = b"".join((_PADDING_LENGTH[padding], *parts, _PADDING[padding]))
        number = self._Packetizer__sequence_number_out
        sealed = sealing.seal(number, head, body)
        self._Packetizer__sequence_number_out = (number + 1) & _SEQUENCE
        self._watch_keys(self._count_out, len(body))
        self._put(*sealed)

    def await_packet(self, milliseconds: int) -> bytes:
        """Return the content of the first packet, which is still to be read, or nothing when none came in time."""
        self._send_some()
        while True:
            waiting = self._buffer[self._position : self._position + LONGEST_PACKET]
            length = int.from_bytes(waiting[:4])
            if len(waiting) > 4 and 4 + length <= len(waiting):  # noqa: PLR2004 - the length field
                return waiting[5 : 4 + length - waiting[4]]
            if len(waiting) >= LONGEST_PACKET or not self._wait(POLLIN, milliseconds) or not self._receive():
                return b""

    def read_message(self) -> tuple[int, Message]:
        """Return the next message's number and content, but for the data that `on_data` takes.

        Raises SSHException, InvalidTag for what was forged, NeedRekeyException when keys are to be exchanged first.
        """
        while (sealing := self._sealed_in) is not None:
            number, content = self._open(sealing)
            if content[1] == _CHANNEL_DATA:
                channel, length = struct.unpack_from(">II", content, 2)
                if self.on_data(channel, memoryview(content)[_DATA_HEAD : _DATA_HEAD + length]):
                    if self.need_rekey():
                        raise NeedRekeyException
                    continue
            message = Message(content[2 : len(content) - content[0]])
            message.seqno = number
            return content[1], message
        kind, message = super().read_message()
        return kind, message

    def _open(self, sealing: Sealing) -> tuple[int, bytes]:
        """Return the next packet's number, and its content with the length of its padding before and that behind."""
        while len(self._buffer) - self._position < 4:  # noqa: PLR2004 - the length field
            self._read_more()
        head = self._buffer[self._position : self._position + 4]
        length = int.from_bytes(head)
        require_length(length)
        if length < _BLOCK or length % _BLOCK:
            raise SSHException("a packet that is no whole number of blocks")
        while len(self._buffer) - self._position < 4 + length + sealing.tag:
            self._read_more()
        start = self._position + 4
        self._position = start + length + sealing.tag
        number = self._Packetizer__sequence_number_in
        content = sealing.open(number, head, memoryview(self._buffer)[start : self._position])
        self._Packetizer__sequence_number_in = (number + 1) & _SEQUENCE
        self._watch_keys(self._count_in, length)
        return number, content

    # --- bytes ---------------------------------------------------------------------------------------------------

    def _watch_keys(self, count: _Count, length: int) -> None:
        """Ask for new keys in time, and end a connection that does not give any (RFC 4253 section 9)."""
        count.bytes += length
        count.packets += 1
        if count.bytes < self.REKEY_BYTES and count.packets < self.REKEY_PACKETS:
            return
        if not self.need_rekey():
            # paramiko's transport looks for this before each message that it reads.
            self._Packetizer__need_rekey = True
        elif count.bytes >= self.REKEY_BYTES + self.REKEY_BYTES_OVERFLOW_MAX:
            raise SSHException("the client does not exchange keys anew")

    def _read_more(self) -> None:
        """Add what the client sent to the buffer; before waiting for it, send everything."""
        self._owner = get_ident()
        # Who sends much has probably sent more; who asks for little waits for the answer.
        if self._received >= _MUCH and self._receive():
            return
        self.before_blocking()
        self._send_some()
        while self._waiting:
            if self._wait(POLLIN | POLLOUT, None) & POLLIN and self._receive():
                return
            self._send_some()
        if self.closed:
            raise EOFError
        # Not asking before whether anything is there saves two calls of the system for each small request.
        self._take(self._connection.recv(_CHUNK))

    def _receive(self) -> bool:
        """Add what is there to the buffer; say whether anything was. Raises EOFError at the end."""
        try:
            chunk = self._connection.recv(_CHUNK, MSG_DONTWAIT)
        except BlockingIOError:
            return False
        self._take(chunk)
        return True

    def _take(self, chunk: bytes) -> None:
        if not chunk:
            raise EOFError
        self._received = len(chunk)
        self._buffer = self._buffer[self._position :] + chunk if self._position < len(self._buffer) else chunk
        self._position = 0

    def _wait(self, events: int, milliseconds: int | None) -> int:
        if self.closed:
            raise EOFError
        waiting = poll()
        waiting.register(self._connection, events)
        found = waiting.poll(milliseconds)
        return found[0][1] if found else 0

    def _send_some(self) -> None:
        """Send what the system takes now. Raises EOFError when the client is gone."""
        while self._waiting:
            parts = [self._waiting[index] for index in range(min(len(self._waiting), _VECTORS))]
            try:
                sent = self._connection.sendmsg(parts, (), MSG_DONTWAIT)
            except BlockingIOError:
                return
            except OSError as error:
                raise EOFError from error
            self._waiting_bytes -= sent
            for part in parts:
                if sent < len(part):
                    self._waiting[0] = part[sent:]
                    break
                sent -= len(part)
                self._waiting.popleft()

    def _send_until_read(self) -> None:
        """Wait until the client has read; what it sends meanwhile is kept, for it may read only afterwards."""
        while self._waiting_bytes >= _FLUSHED_FROM:
            ahead = len(self._buffer) - self._position
            ready = self._wait(POLLOUT | (POLLIN if ahead < _AHEAD else 0), _PATIENCE)
            if not ready:
                raise EOFError
            if ready & POLLIN and ahead < _AHEAD:
                self._receive()
            self._send_some()
