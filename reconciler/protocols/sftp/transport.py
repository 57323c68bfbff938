"""paramiko's transport, as this server lets it be: modern algorithms, bounded packets, no delays."""

import logging
from collections.abc import Callable, Mapping, Sequence
from socket import IPPROTO_TCP, SO_KEEPALIVE, SOL_SOCKET, TCP_KEEPCNT, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_NODELAY, socket
from threading import Event, Semaphore
from typing import TYPE_CHECKING, Protocol

from paramiko import Channel, Message, PKey, RSAKey, ServerInterface, SSHException, Transport
from paramiko.auth_handler import AuthHandler
from paramiko.common import (
    AUTH_SUCCESSFUL,
    MSG_CHANNEL_CLOSE,
    MSG_CHANNEL_DATA,
    MSG_CHANNEL_EOF,
    MSG_CHANNEL_WINDOW_ADJUST,
    cMSG_GLOBAL_REQUEST,
    cMSG_KEXINIT,
)
from paramiko.kex_curve25519 import KexCurve25519

from reconciler.desired.sftp_gateway import SftpGateway
from reconciler.protocols.sftp.host_keys import HostKeys
from reconciler.protocols.sftp.key_exchange import InTurn, ShortGroup16
from reconciler.protocols.sftp.packetizer import BoundedPacketizer, BufferedPacketizer

if TYPE_CHECKING:
    from reconciler.protocols.sftp.stream import Stream

POST_QUANTUM = ("mlkem768x25519-sha256",)
_CURVE25519 = "curve25519-sha256"
"""What RFC 8731 calls the exchange that paramiko knows by its first name alone."""
KEX = (*POST_QUANTUM, _CURVE25519, "curve25519-sha256@libssh.org", "diffie-hellman-group16-sha512")
HOST_KEYS = (
    "ssh-ed25519",
    "rsa-sha2-512",
    "rsa-sha2-256",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
)
AEAD = ("aes256-gcm@openssh.com", "aes128-gcm@openssh.com")
CIPHERS = (*AEAD, "aes256-ctr", "aes192-ctr", "aes128-ctr")
MACS = ("hmac-sha2-512-etm@openssh.com", "hmac-sha2-256-etm@openssh.com")

TRIES = 10
"""Failed tries after which paramiko ends a connection."""

_WINDOW = 2 * 1024 * 1024
_LARGEST_PACKET = 128 * 1024
_KEX_PATIENCE = 100
"""Milliseconds in which most clients say which algorithms they have, even before this server does."""
_GUESSED = ("kex_algo_list", "server_key_algo_list")
_LOG_CHANNEL = f"{__name__}.paramiko"
_PARAMIKO_HANDLERS: Mapping[int, Callable[[Channel, Message], None]] = vars(Transport)["_channel_handler_table"]
_PROVE = "hostkeys-prove-00@openssh.com"

# paramiko reports what strangers send as errors with tracebacks: anyone who finds the port could fill the log.
logging.getLogger(_LOG_CHANNEL).setLevel(logging.CRITICAL)


class Judge(Protocol):
    """Who is told how each try to log in ended."""

    def settle(self, name: str, method: str, result: int) -> bool:
        """Take note of the outcome, signatures verified; say whether the connection is to be ended."""
        ...


class _Authentication(AuthHandler):
    """Tells the judge of every outcome; paramiko itself asks only before it verifies a signature."""

    transport: "ServerTransport"

    def _send_auth_result(self, username: str, method: str, result: int) -> None:
        if self.transport.judge.settle(username, method, result):
            # paramiko says good-bye properly when it has counted to its own number.
            self.auth_fail_count = TRIES
        super()._send_auth_result(username, method, result)  # type: ignore[misc] # not in the type stubs
        if result == AUTH_SUCCESSFUL:
            self.transport.announce_host_keys()


class ServerTransport(Transport):
    """The server side of SSH on a connection. `opening` is done first, in the connection's thread.

    With `plain_transport`, packets and channels are paramiko's own business; else each SFTP session runs in the
    transport's thread, as a Stream. `key_exchanges` bounds how many are worked out at once.
    """

    _expected_packet: tuple[int, ...]
    _kex_info = {  # noqa: RUF012 - paramiko's
        **vars(Transport)["_kex_info"],
        _CURVE25519: KexCurve25519,
        ShortGroup16.name: ShortGroup16,
    }

    def __init__(
        self,
        connection: socket,
        *,
        host_keys: HostKeys,
        settings: SftpGateway,
        judge: Judge,
        opening: Callable[[], None],
        key_exchanges: Semaphore,
    ) -> None:
        _prepare(connection)
        self.judge = judge
        self.streams: dict[int, Stream] = {}
        self._opening = opening
        self._announced = host_keys.announced
        self._held: list[Message] = []
        self._key_exchanges = key_exchanges
        packetizer = BoundedPacketizer if settings.plain_transport else BufferedPacketizer
        super().__init__(
            connection,
            default_window_size=_WINDOW,
            default_max_packet_size=_LARGEST_PACKET,
            packetizer_class=packetizer,
        )
        self.name = "sftp connection"
        self.set_log_channel(_LOG_CHANNEL)
        self.local_version = "SSH-2.0-Reconciler"
        options = self.get_security_options()
        # mlkem needs a cryptography that has it.
        legacy = settings.legacy_algorithms
        possible = (*options.kex, _CURVE25519)
        options.kex = (
            _chosen(POST_QUANTUM, (), possible) if settings.post_quantum_only else _chosen(KEX, legacy, possible)
        )
        options.ciphers = _chosen(CIPHERS, legacy, options.ciphers)
        options.digests = _chosen(MACS, legacy, options.digests)
        options.key_types = HOST_KEYS
        for key in host_keys.used:
            self.add_server_key(key)
        if isinstance(self.packetizer, BufferedPacketizer):
            self.packetizer.before_blocking = self._flush
            self.packetizer.on_data = self._stream_data
            self._channel_handler_table = {
                **_PARAMIKO_HANDLERS,
                MSG_CHANNEL_DATA: self._data,
                MSG_CHANNEL_WINDOW_ADJUST: self._room,
                MSG_CHANNEL_EOF: self._end_of_data,
                MSG_CHANNEL_CLOSE: self._closed,
            }

    def serve(self, server: ServerInterface) -> None:
        """Begin to speak SSH, in a thread of its own."""
        self.start_server(event=Event(), server=server)

    def run(self) -> None:
        """Speak SSH until the connection ends; then whatever was not closed was not received."""
        try:
            self._opening()
            super().run()
        except (OSError, EOFError, SSHException):
            # The opening failed: the one who connected is not to be talked to.
            self.active = False
            self.sock.close()
        finally:
            for stream in list(self.streams.values()):
                stream.abandon()
            self.streams.clear()

    def send_parts(self, parts: tuple[bytes | memoryview, ...]) -> None:
        """Send a message of a channel, or hold it back while keys are exchanged (RFC 4253 section 7.1)."""
        if self.clear_to_send.is_set() and isinstance(self.packetizer, BufferedPacketizer):
            self.packetizer.send_parts(parts)
        else:
            self._held.append(Message(b"".join(parts)))

    def announce_host_keys(self) -> None:
        """Tell the client all keys that this server has, so that it learns new ones in time (OpenSSH, PROTOCOL 2.5)."""
        message = Message()
        message.add_byte(cMSG_GLOBAL_REQUEST)
        message.add_string("hostkeys-00@openssh.com")
        message.add_boolean(False)
        for key in self._announced:
            message.add_string(key.asbytes())
        self.packetizer.send_message(message)

    def prove_host_keys(self, request: Message) -> tuple[bytes, ...] | bool:
        """Return a signature by each key that the client asks about, or False when one is not this server's."""
        known = {key.asbytes(): key for key in self._announced}
        signatures: list[bytes] = []
        while request.get_remainder():
            key = known.get(request.get_binary())
            if key is None or len(signatures) >= len(known):
                return False
            signed = Message()
            signed.add_string(_PROVE)
            signed.add_string(self.session_id or b"")
            signed.add_string(key.asbytes())
            signatures.append(self._signature(key, signed.asbytes()))
        return tuple(signatures)

    def _signature(self, key: PKey, data: bytes) -> bytes:
        if not isinstance(key, RSAKey):
            return bytes(key.sign_ssh_data(data).asbytes())
        # The client expects the algorithm of the key exchange when that was one of RSA's.
        agreed = self.host_key_type if self.host_key_type in {"rsa-sha2-256", "rsa-sha2-512"} else "rsa-sha2-512"
        return bytes(key.sign_ssh_data(data, agreed).asbytes())

    # --- seams of paramiko, pinned by a test ---------------------------------------------------------------------

    def _send_kex_init(self) -> None:
        if isinstance(self.packetizer, BufferedPacketizer) and self.session_id is None:
            # The client's order decides, and most put CTR with a MAC, which is twice the work, before AES-GCM.
            message = Message(self.packetizer.await_packet(_KEX_PATIENCE))
            if message.get_byte() == cMSG_KEXINIT:
                offered = self._really_parse_kex_init(message)  # type: ignore[attr-defined] # not in the type stubs
                common = set(offered["client_encrypt_algo_list"]) & set(offered["server_encrypt_algo_list"])
                options = self.get_security_options()
                options.ciphers = [name for name in AEAD if name in common] or options.ciphers
        super()._send_kex_init()  # type: ignore[misc] # not in the type stubs

    def _parse_kex_init(self, m: Message) -> None:
        offered = self._really_parse_kex_init(m)  # type: ignore[attr-defined] # not in the type stubs
        m.rewind()
        super()._parse_kex_init(m)  # type: ignore[misc] # not in the type stubs
        own = self._get_latest_kex_init()  # type: ignore[attr-defined] # not in the type stubs
        if offered["kex_follows"] and any(offered[kind][:1] != own[kind][:1] for kind in _GUESSED):
            # Dropbear's client begins with what it guesses, and begins again (RFC 4253 section 7.1).
            self.packetizer.read_message()
        self.kex_engine = InTurn(self.kex_engine, self._key_exchanges)

    def _parse_newkeys(self, m: Message) -> None:
        if self.auth_handler is None:
            self.auth_handler = _Authentication(self)
        super()._parse_newkeys(m)  # type: ignore[misc] # not in the type stubs
        held, self._held = self._held, []
        for message in held:
            self.packetizer.send_message(message)

    def _send_user_message(self, data: Message) -> None:
        if not isinstance(self.packetizer, BufferedPacketizer):
            super()._send_user_message(data)  # type: ignore[misc] # not in the type stubs
        elif self.clear_to_send.is_set():
            self.packetizer.send_message(data)
        else:
            # The thread that would wait here is the one that exchanges the keys.
            self._held.append(data)

    def _flush(self) -> None:
        for stream in list(self.streams.values()):
            stream.flush()

    def _stream_data(self, channel: int, data: memoryview) -> bool:
        """Take a channel's data; False leaves to paramiko what it may have to refuse, such as amid a key exchange."""
        stream = self.streams.get(channel)
        if stream is None or self._expected_packet:
            return False
        stream.receive(data)
        return True

    def _data(self, channel: Channel, message: Message) -> None:
        """Take data under a legacy algorithm, whose packets paramiko itself opens."""
        stream = self.streams.get(channel.chanid)
        if stream is not None:
            stream.receive(message.get_binary())

    def _room(self, channel: Channel, message: Message) -> None:
        stream = self.streams.get(channel.chanid)
        if stream is None:
            _PARAMIKO_HANDLERS[MSG_CHANNEL_WINDOW_ADJUST](channel, message)
        else:
            stream.make_room(message.get_int())

    def _end_of_data(self, channel: Channel, message: Message) -> None:
        _PARAMIKO_HANDLERS[MSG_CHANNEL_EOF](channel, message)
        stream = self.streams.get(channel.chanid)
        if stream is not None:
            stream.complete()

    def _closed(self, channel: Channel, message: Message) -> None:
        stream = self.streams.pop(channel.chanid, None)
        if stream is not None:
            stream.abandon()
        _PARAMIKO_HANDLERS[MSG_CHANNEL_CLOSE](channel, message)


def knows_post_quantum() -> bool:
    """Say whether the libraries here have a key exchange that a quantum computer does not break."""
    return not vars(Transport)["_kex_info"].keys().isdisjoint(POST_QUANTUM)


def _prepare(connection: socket) -> None:
    # A status has 28 bytes: waiting for more to send with it costs a client the round trip many times over.
    connection.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
    # A peer that vanished without a word is noticed after two minutes.
    connection.setsockopt(SOL_SOCKET, SO_KEEPALIVE, 1)
    for option, value in ((TCP_KEEPIDLE, 60), (TCP_KEEPINTVL, 15), (TCP_KEEPCNT, 4)):
        connection.setsockopt(IPPROTO_TCP, option, value)


def _chosen(modern: Sequence[str], legacy: Sequence[str], possible: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in (*modern, *legacy) if name in possible)
