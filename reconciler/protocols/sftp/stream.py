"""An SFTP session on a channel, in the thread of its transport: requests in, answers out, as the windows allow."""

import logging
import struct
from collections import deque
from collections.abc import Callable

from paramiko import Channel, SSHException

from reconciler.protocols.sftp.requests import MalformedError
from reconciler.protocols.sftp.session import Session
from reconciler.protocols.sftp.throttle import Throttles

_log = logging.getLogger(__name__)

_SENT_FROM = 64 * 1024
"""Bytes of answers that wait for more; less is sent when there is nothing else to do."""

_HELD_BACK = 1024 * 1024
"""Bytes of answers that a client has not made room for, above which none of its requests are performed."""

_LARGEST_PACKET = 32 * 1024
_MSG_CHANNEL_DATA = b"\x5e"
_MSG_CHANNEL_WINDOW_ADJUST = b"\x5d"

Sender = Callable[[tuple[bytes | memoryview, ...]], None]
"""Sends a message given in parts, once keys are not being exchanged."""


class Stream:
    """What a channel's session has received and has to send. One thread uses it: the transport's."""

    def __init__(
        self, channel: Channel, session: Session, *, send: Sender, throttles: Throttles, is_cut: Callable[[], bool]
    ) -> None:
        self.session = session
        self._channel = channel
        self._send = send
        self._throttles = throttles
        self._is_cut = is_cut
        self._window = channel.in_window_size
        self._whole_window = channel.in_window_size
        self._credit = 0
        self._room = channel.out_window_size
        self._packet = min(channel.out_max_packet_size, _LARGEST_PACKET)
        self._remote = struct.pack(">I", channel.remote_chanid)
        self._waiting: deque[memoryview] = deque()
        self._waiting_bytes = 0
        self._is_complete = False
        self._is_ended = False

    def receive(self, data: bytes | memoryview) -> None:
        """Take data. Raises SSHException when the client sends more than it was allowed (RFC 4254 section 5.2)."""
        self._window -= len(data)
        if self._window < 0:
            raise SSHException("more data than the window has room for")
        self._credit += len(data)
        if self._is_ended:
            return
        self.session.feed(data)
        self._throttles.received(len(data))
        self.work()

    def make_room(self, length: int) -> None:
        """Take more room for answers."""
        self._room += length
        self.work()

    def complete(self) -> None:
        """Take the end of the client's data: what it asked for is still answered."""
        self._is_complete = True
        self.work()

    def work(self) -> None:
        """Perform requests as long as the client has room for their answers."""
        if self._is_ended:
            return
        try:
            self._perform()
        except (EOFError, OSError, SSHException):
            # Requests handle what goes wrong in them: this is the client that is gone, or the protocol that is broken.
            raise
        except MalformedError as error:
            _log.info("a session ended: %s", error)
            self._end(None)
        except Exception:  # noqa: BLE001 - the last place that can tell an operator; the session is over
            _log.exception("a session ended")
            self._end(None)

    def flush(self) -> None:
        """Send answers as far as the client has room for them."""
        sent = 0
        while self._waiting and self._room:
            parts = self._next_packet(min(self._packet, self._room))
            length = sum(map(len, parts))
            self._room -= length
            sent += length
            self._send((_MSG_CHANNEL_DATA + self._remote + struct.pack(">I", length), *parts))
        self._waiting_bytes -= sent
        self._throttles.sent(sent)

    def abandon(self) -> None:
        """End the session: what was not closed by the client was not received."""
        self._is_ended = True
        self._waiting.clear()
        self.session.abandon()

    def _next_packet(self, length: int) -> list[memoryview]:
        """Take up to `length` of the bytes that wait; they are copied when they are sealed, and not before."""
        parts: list[memoryview] = []
        while self._waiting and length:
            part = self._waiting.popleft()
            if len(part) > length:
                self._waiting.appendleft(part[length:])
                part = part[:length]
            parts.append(part)
            length -= len(part)
        return parts

    def _perform(self) -> None:
        if self._waiting_bytes >= _HELD_BACK:
            self.flush()
        is_done = self._waiting_bytes < _HELD_BACK
        if is_done:
            for answer in self.session.answers():
                self._waiting.append(memoryview(answer))
                self._waiting_bytes += len(answer)
                if self._waiting_bytes >= _SENT_FROM:
                    self.flush()
                if self._is_cut():
                    return
                if self._waiting_bytes >= _HELD_BACK:
                    is_done = False
                    break
        self._give_credit()
        if self._is_complete and is_done:
            self.flush()
            if not self._waiting:
                self._end(0)

    def _give_credit(self) -> None:
        """Let the client send as much again as was performed, in few messages."""
        performed = self._credit - self.session.unread
        if performed * 4 >= self._whole_window:
            self._send((_MSG_CHANNEL_WINDOW_ADJUST + self._remote + struct.pack(">I", performed),))
            self._window += performed
            self._credit -= performed

    def _end(self, status: int | None) -> None:
        self.abandon()
        if status is not None and not self._channel.closed:
            # scp makes it its own exit status.
            self._channel.send_exit_status(status)
        self._channel.close()
