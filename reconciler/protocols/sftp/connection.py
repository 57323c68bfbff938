"""One SSH connection of a partner: its login, and its SFTP sessions."""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from socket import socket
from threading import Event, Semaphore, Thread
from time import monotonic
from typing import Any, assert_never
from uuid import UUID

from paramiko import Channel, Message, PKey, ServerInterface
from paramiko.common import (
    AUTH_FAILED,
    AUTH_PARTIALLY_SUCCESSFUL,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_FAILED_RESOURCE_SHORTAGE,
    OPEN_SUCCEEDED,
)

from reconciler.desired.sftp_gateway import SftpGateway
from reconciler.protocols.sftp.defence import Defence
from reconciler.protocols.sftp.folders import Folders, Room
from reconciler.protocols.sftp.host_keys import HostKeys
from reconciler.protocols.sftp.logins import Address, KeyProof, Login, Logins, PasswordProof, Proof, Verdict
from reconciler.protocols.sftp.measures import LOGINS, SESSIONS
from reconciler.protocols.sftp.plain_session import serve_channel
from reconciler.protocols.sftp.proxy_protocol import NoProxyHeaderError, read_source
from reconciler.protocols.sftp.session import Session
from reconciler.protocols.sftp.stream import Stream
from reconciler.protocols.sftp.throttle import Throttle, Throttles
from reconciler.protocols.sftp.transport import ServerTransport
from reconciler.protocols.sftp.turns import Turnstile

_log = logging.getLogger(__name__)

_HEADER_TIME = 5.0
"""Seconds that a load balancer has to say who connects."""


@dataclass(frozen=True, slots=True)
class House:
    """What all connections share. `logins` are those of now; `throttle` returns a mailbox's for up- and download."""

    settings: SftpGateway
    host_keys: HostKeys
    folders: Folders
    defence: Defence
    logins: Callable[[], Logins]
    throttle: Callable[[Login], tuple[Throttle, Throttle]]
    turnstile: Turnstile
    key_exchanges: Semaphore


class Connection(ServerInterface):
    """What paramiko asks about one connection, and what the server asks of it. No shell, no command, no forwarding."""

    def __init__(self, connection: socket, peer: Address, house: House, *, is_proxied: bool) -> None:
        self.peer = peer
        self.began = monotonic()
        self._house = house
        self._transport = ServerTransport(
            connection,
            host_keys=house.host_keys,
            settings=house.settings,
            judge=self,
            opening=lambda: self._open(connection, is_proxied=is_proxied),
            key_exchanges=house.key_exchanges,
        )
        self._half: Proof | None = None
        self._given: tuple[str, tuple[Proof, ...]] | None = None
        self._admission: tuple[str, tuple[Proof, ...]] | None = None
        self._tries = 0
        self._cut = Event()
        self._channels: list[Channel] = []
        self._threads: dict[Channel, tuple[Session, Thread]] = {}

    def start(self) -> None:
        """Begin to speak SSH, in a thread of its own."""
        self._transport.serve(self)

    @property
    def authenticated(self) -> bool:
        """Whether a partner has logged in."""
        return self._transport.is_authenticated()

    @property
    def ended(self) -> bool:
        """Whether nothing of the connection runs any more."""
        return not self._transport.is_alive() and not self._threads

    @property
    def busy(self) -> bool:
        """Whether a file or a listing is open."""
        streams = [stream.session for stream in list(self._transport.streams.values())]
        return any(session.busy for session in (*streams, *(session for session, _ in list(self._threads.values()))))

    def login(self) -> Login | None:
        """Return the login to which the proofs once given admit now; None when they no longer do."""
        if self._admission is None:
            return None
        name, proofs = self._admission
        logins = self._house.logins()
        is_admitted = logins.judge(name, proofs, self.peer, datetime.now(UTC)) is Verdict.ADMITTED
        return logins.find(name) if is_admitted else None

    def mailbox(self) -> UUID | None:
        """Return the mailbox of the login, as long as it holds."""
        login = self.login()
        return None if login is None else login.mailbox

    def cut(self) -> None:
        """End the connection now. A request that is being performed is finished, no other is begun."""
        self._cut.set()
        self._transport.active = False
        self._transport.packetizer.close()

    def join(self, timeout: float) -> None:
        """Wait until nothing of the connection runs, for `timeout` seconds at most."""
        deadline = monotonic() + timeout
        for thread in (self._transport, *(thread for _, thread in list(self._threads.values()))):
            if thread.is_alive():
                thread.join(max(0.0, deadline - monotonic()))

    # --- logging in ----------------------------------------------------------------------------------------------

    def get_allowed_auths(self, username: str) -> str:
        """Return the same for every name, so that it tells nothing; after a key that is not enough, what is missing."""
        del username
        return "publickey,password" if self._half is None else "password"

    def check_auth_password(self, username: str, password: str | bytes) -> int:
        """Answer whether a password admits, with the key before it where both are required."""
        proof = PasswordProof.of(password.encode() if isinstance(password, str) else password)
        return self._judge(username, (proof,) if self._half is None else (self._half, proof), is_half_enough=False)

    def check_auth_publickey(self, username: str, key: PKey) -> int:
        """Answer whether a key would admit; paramiko verifies the signature then, and settles."""
        return self._judge(username, (KeyProof(key.asbytes()),), is_half_enough=self._half is None)

    def _judge(self, name: str, proofs: tuple[Proof, ...], *, is_half_enough: bool) -> int:
        logins = self._house.logins()
        verdict = logins.judge(name, proofs, self.peer, datetime.now(UTC))
        login = logins.find(name)
        if login is not None and self._house.defence.keeps_out_of(login.mailbox, self.peer):
            verdict = Verdict.REFUSED
        self._given = (name, proofs)
        match verdict:
            case Verdict.ADMITTED:
                return AUTH_SUCCESSFUL
            case Verdict.HALF if is_half_enough:
                return AUTH_PARTIALLY_SUCCESSFUL
            case Verdict.HALF | Verdict.REFUSED:
                return AUTH_FAILED
            case _:
                assert_never(verdict)

    def settle(self, name: str, method: str, result: int) -> bool:
        """Take note of how a try ended, signatures verified; say whether the connection is to be ended."""
        defence = self._house.defence
        login = self._house.logins().find(name)
        if result == AUTH_SUCCESSFUL and login is not None:
            self._admission = self._given
            defence.succeeded(login.mailbox, self.peer)
            self._house.turnstile.give_back(self.peer)
            LOGINS.labels("accepted").inc()
            return False
        if result == AUTH_PARTIALLY_SUCCESSFUL and self._given is not None:
            self._half = self._given[1][0]
            return False
        if method == "none":
            # How clients ask what there is; it guesses nothing.
            return False
        self._tries += 1
        LOGINS.labels("refused").inc()
        _log.info("login refused from %s", self.peer)
        is_banned = defence.failed(login.mailbox if login else None, self.peer)
        return is_banned or self._tries >= self._house.settings.limits.tries

    # --- what the login opens ------------------------------------------------------------------------------------

    def check_global_request(self, kind: str, msg: Message) -> bool | tuple[Any, ...]:
        """Prove host keys to a client that learns them; nothing else is there."""
        return self._transport.prove_host_keys(msg) if kind == "hostkeys-prove-00@openssh.com" else False

    def check_channel_request(self, kind: str, chanid: int) -> int:
        """Allow sessions, a few at once."""
        del chanid
        # A channel lives as long as someone refers to it; paramiko's queue would do so for ever.
        while (channel := self._transport.accept(0)) is not None:
            self._channels.append(channel)
        self._channels = [channel for channel in self._channels if not channel.closed]
        if kind != "session":
            return OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        is_room = len(self._channels) < self._house.settings.limits.channels
        return OPEN_SUCCEEDED if is_room else OPEN_FAILED_RESOURCE_SHORTAGE

    def check_channel_subsystem_request(self, channel: Channel, name: str) -> bool:
        """Begin an SFTP session, one on a channel."""
        login = self.login()
        if name != "sftp" or login is None or channel in self._threads or channel.chanid in self._transport.streams:
            return False
        session = self._session(login)
        throttles = Throttles(*self._house.throttle(login), self._cut)
        SESSIONS.inc()
        _log.info("mailbox %s: session from %s", login.mailbox, self.peer)
        if self._house.settings.plain_transport:
            self._begin_thread(channel, session, throttles, login.mailbox)
        else:
            self._transport.streams[channel.chanid] = Stream(
                channel, session, send=self._transport.send_parts, throttles=throttles, is_cut=self._cut.is_set
            )
        return True

    def _session(self, login: Login) -> Session:
        limits, quota = self._house.settings.limits, login.settings.quota
        return Session(
            login.mailbox,
            self._house.folders,
            handles=limits.handles,
            largest=min(size for size in (limits.file_size, quota.file_size, quota.bytes) if size is not None),
            room=Room(quota.bytes, quota.files),
        )

    def _begin_thread(self, channel: Channel, session: Session, throttles: Throttles, mailbox: UUID) -> None:
        def serve() -> None:
            try:
                serve_channel(channel, session, throttles, self._cut.is_set)
            finally:
                del self._threads[channel]

        thread = Thread(target=serve, name=f"sftp {mailbox}", daemon=True)
        self._threads[channel] = (session, thread)
        thread.start()

    def _open(self, connection: socket, *, is_proxied: bool) -> None:
        """Wait until it is the turn of whoever connects. Raises EOFError when it never is."""
        if is_proxied:
            self._read_source(connection)
        if not self._house.turnstile.enter(self.peer, self._cut):
            raise EOFError

    def _read_source(self, connection: socket) -> None:
        """Learn from a load balancer who connects. Raises EOFError when nobody does, or nobody who may."""
        before = connection.gettimeout()
        connection.settimeout(_HEADER_TIME)
        try:
            source = read_source(lambda length: _exactly(connection, length))
        except NoProxyHeaderError as error:
            _log.warning("connection from %s: %s", self.peer, error)
            raise EOFError from error
        finally:
            with suppress(OSError):
                connection.settimeout(before)
        if source is not None:
            self.peer = source
        if self._house.defence.keeps_out(self.peer):
            raise EOFError


def _exactly(connection: socket, length: int) -> bytes:
    content = b""
    while len(content) < length:
        part = connection.recv(length - len(content))
        if not part:
            raise EOFError
        content += part
    return content
