"""One SSH connection of a partner: its login, and a thread for each SFTP session in it."""

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from socket import socket
from threading import Event, Thread
from time import monotonic
from uuid import UUID

from paramiko import Channel, PKey, ServerInterface
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_FAILED_RESOURCE_SHORTAGE,
    OPEN_SUCCEEDED,
)

from reconciler.protocols.sftp.folders import Folders
from reconciler.protocols.sftp.logins import Address, KeyProof, Logins, PasswordProof, Proof
from reconciler.protocols.sftp.requests import MalformedError
from reconciler.protocols.sftp.session import Session
from reconciler.protocols.sftp.transport import TRIES, server_transport

_log = logging.getLogger(__name__)

_CHUNK = 256 * 1024
"""Bytes that are taken from a client, and collected for it, at a time."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a stranger, and then a partner, may take up. Times in seconds, sizes in bytes.

    `unauthenticated` counts connections, `tries` failed logins of a connection, `channels` those of a connection,
    `handles` open files of a session.
    """

    login_grace: float = 30.0
    unauthenticated: int = 128
    tries: int = 6
    channels: int = 8
    handles: int = 128
    file_size: int = 4 * 1024**3


class Connection(ServerInterface):
    """What paramiko asks about one connection, and what the server asks of it. No shell, no command, no forwarding."""

    def __init__(
        self,
        connection: socket,
        peer: Address,
        *,
        host_keys: Iterable[PKey],
        logins: Callable[[], Logins],
        folders: Folders,
        limits: Limits,
    ) -> None:
        self.peer = peer
        self.began = monotonic()
        self._logins = logins
        self._folders = folders
        self._limits = limits
        self._transport = server_transport(connection, host_keys)
        self._admission: tuple[str, Proof] | None = None
        self._tries = 0
        self._cut = Event()
        self._channels: list[Channel] = []
        self._sessions: dict[Channel, tuple[Session, Thread]] = {}

    def start(self) -> None:
        """Begin to speak SSH, in a thread of its own."""
        self._transport.start_server(event=Event(), server=self)

    @property
    def authenticated(self) -> bool:
        """Whether a partner has logged in."""
        return self._transport.is_authenticated()

    @property
    def ended(self) -> bool:
        """Whether nothing of the connection runs any more."""
        return not self._transport.is_alive() and not self._sessions

    @property
    def busy(self) -> bool:
        """Whether a file or a listing is open."""
        return any(session.busy for session, _ in list(self._sessions.values()))

    def mailbox(self) -> UUID | None:
        """Return the mailbox to which the proof once given admits now; None when it no longer does."""
        if self._admission is None:
            return None
        name, proof = self._admission
        return self._logins().admit(name, proof, self.peer, datetime.now(UTC))

    def cut(self) -> None:
        """End the connection now. A request that is being performed is finished, no other is begun."""
        self._cut.set()
        self._transport.close()

    def join(self, timeout: float) -> None:
        """Wait until nothing of the connection runs, for `timeout` seconds at most."""
        deadline = monotonic() + timeout
        for thread in (self._transport, *(thread for _, thread in list(self._sessions.values()))):
            if thread.is_alive():
                thread.join(max(0.0, deadline - monotonic()))

    def get_allowed_auths(self, username: str) -> str:
        """Return the same for every name, so that it tells nothing."""
        del username
        return "publickey,password"

    def check_auth_password(self, username: str, password: str | bytes) -> int:
        """Answer whether a password admits."""
        return self._judge(username, PasswordProof.of(password.encode() if isinstance(password, str) else password))

    def check_auth_publickey(self, username: str, key: PKey) -> int:
        """Answer whether a key would admit; paramiko verifies the signature then."""
        return self._judge(username, KeyProof(key.asbytes()))

    def _judge(self, name: str, proof: Proof) -> int:
        # The last proof that was admitted is the one of the login, since a login ends with one.
        if self._logins().admit(name, proof, self.peer, datetime.now(UTC)) is not None:
            self._admission = (name, proof)
            return AUTH_SUCCESSFUL
        self._tries += 1
        _log.info("login refused from %s", self.peer)
        if self._tries >= self._limits.tries and self._transport.auth_handler is not None:
            # paramiko says good-bye properly when it has counted to its own number.
            self._transport.auth_handler.auth_fail_count = TRIES
        return AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        """Allow sessions, a few at once."""
        del chanid
        # A channel lives as long as someone refers to it; paramiko's queue would do so for ever.
        while (channel := self._transport.accept(0)) is not None:
            self._channels.append(channel)
        self._channels = [channel for channel in self._channels if not channel.closed]
        if kind != "session":
            return OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        return OPEN_SUCCEEDED if len(self._channels) < self._limits.channels else OPEN_FAILED_RESOURCE_SHORTAGE

    def check_channel_subsystem_request(self, channel: Channel, name: str) -> bool:
        """Begin an SFTP session, one on a channel."""
        mailbox = self.mailbox()
        if name != "sftp" or mailbox is None or channel in self._sessions:
            return False
        limits = self._limits
        session = Session(mailbox, self._folders, handles=limits.handles, largest=limits.file_size)
        thread = Thread(target=self._serve, args=(channel, session), name=f"sftp {mailbox}", daemon=True)
        self._sessions[channel] = (session, thread)
        _log.info("mailbox %s: session from %s", mailbox, self.peer)
        thread.start()
        return True

    def _serve(self, channel: Channel, session: Session) -> None:
        try:
            while data := channel.recv(_CHUNK):
                answers = bytearray()
                for answer in session.receive(data):
                    answers += answer
                    if len(answers) >= _CHUNK:
                        channel.sendall(bytes(answers))
                        answers.clear()
                    if self._cut.is_set():
                        return
                channel.sendall(bytes(answers))
            if not channel.closed:
                # scp makes it its own exit status.
                channel.send_exit_status(0)
        except MalformedError as error:
            _log.info("session from %s ended: %s", self.peer, error)
        except (OSError, EOFError) as error:
            # Requests handle what goes wrong in them: this is the client that is gone.
            _log.debug("session from %s ended: %s", self.peer, error)
        except Exception:  # noqa: BLE001 - the last place that can tell an operator; the session is over
            _log.exception("session from %s ended", self.peer)
        finally:
            session.abandon()
            with suppress(OSError, EOFError):
                channel.close()
            del self._sessions[channel]
