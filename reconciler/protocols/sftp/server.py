"""The SFTP server: the listener, and what it knows of all its connections."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from socket import AF_INET, AF_INET6, SHUT_RDWR, create_server, socket
from threading import Event, Lock, Thread
from time import monotonic

from reconciler.protocols.protocol import LiveCredential, Partner
from reconciler.protocols.sftp.connection import Connection, Limits
from reconciler.protocols.sftp.folders import Folders
from reconciler.protocols.sftp.host_keys import HostKeys, load_host_keys
from reconciler.protocols.sftp.logins import Logins, peer_address

_log = logging.getLogger(__name__)

_SWEEP = 0.25
"""Seconds between two looks at which connections have ended, or must."""

_LAST_WAIT = 2.0
"""Seconds that a cut connection gets to end its threads."""

DEFAULT_LIMITS = Limits()


class SftpServer:
    """An Endpoint that serves the five folders of each partner's mailbox.

    `listen` is an address and a port, 0 for any that is free; `host_keys` are the private keys that are valid now,
    newest first, asked for at the start and at each configuration; the newest of each type is used.
    """

    def __init__(
        self,
        *,
        listen: tuple[str, int],
        folders: Folders,
        host_keys: Callable[[], Sequence[LiveCredential]],
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._listen = listen
        self._folders = folders
        self._read_host_keys = host_keys
        self._limits = limits
        self._host_keys: HostKeys = ()
        self._logins = Logins()
        self._lock = Lock()
        self._connections: set[Connection] = set()
        self._stopping = Event()
        self._listener: socket | None = None
        self._acceptor = Thread(target=self._accept, name="sftp listener", daemon=True)
        self._swept = 0.0

    @property
    def address(self) -> tuple[str, int]:
        """The address and the port that are listened on, once started."""
        if self._listener is None:
            return self._listen
        host, port, *_ = self._listener.getsockname()
        return host, port

    def configure(self, partners: Sequence[Partner]) -> None:
        """Serve these partners and no others, at once. Raises ValueError when a partner's settings are none."""
        self._logins = Logins(partners)
        if self._listener is not None:
            self._host_keys = load_host_keys(self._read_host_keys())
        self._cut_uninvited()

    def start(self) -> None:
        """Bind and begin to accept. Raises OSError when it cannot be bound, ValueError without a host key."""
        self._host_keys = load_host_keys(self._read_host_keys())
        if not self._host_keys:
            raise ValueError("the SFTP server has no host key")
        self._listener = create_server(self._listen, family=AF_INET6 if ":" in self._listen[0] else AF_INET)
        self._listener.settimeout(_SWEEP)
        self._acceptor.start()

    def stop(self, grace: float) -> None:
        """Accept nothing more, cut idle connections, let open files be finished for `grace` seconds, then cut all."""
        self._stopping.set()
        if self._listener is None:
            return
        with suppress(OSError):
            # Wakes the acceptor; some systems do that by an error here.
            self._listener.shutdown(SHUT_RDWR)
        self._acceptor.join()
        self._listener.close()
        deadline = monotonic() + grace
        while (busy := [connection for connection in self._living() if connection.busy]) and monotonic() < deadline:
            for connection in self._living().difference(busy):
                connection.cut()
            busy[0].join(min(0.05, max(0.0, deadline - monotonic())))
        remaining = self._living()
        for connection in remaining:
            connection.cut()
        last = monotonic() + _LAST_WAIT
        for connection in remaining:
            connection.join(max(0.0, last - monotonic()))

    def _living(self) -> set[Connection]:
        with self._lock:
            self._connections = {connection for connection in self._connections if not connection.ended}
            return set(self._connections)

    def _accept(self) -> None:
        assert self._listener is not None  # noqa: S101 - started by start() alone
        while not self._stopping.is_set():
            try:
                accepted, (host, *_) = self._listener.accept()
            except TimeoutError:
                pass
            except OSError:
                if self._stopping.is_set():
                    return
                # Out of descriptors, most likely: others end, and then there is one again.
                _log.exception("no connection could be accepted")
                self._stopping.wait(_SWEEP)
            else:
                self._begin(accepted, host)
            if monotonic() - self._swept >= _SWEEP:
                self._sweep()

    def _begin(self, accepted: socket, host: str) -> None:
        self._make_room()
        try:
            connection = Connection(
                accepted,
                peer_address(host),
                host_keys=self._host_keys,
                logins=lambda: self._logins,
                folders=self._folders,
                limits=self._limits,
            )
            connection.start()
        except (OSError, RuntimeError):
            # The peer is gone already, or there is no thread left to be had.
            _log.exception("a connection from %s could not be served", host)
            with suppress(OSError):
                accepted.close()
            return
        with self._lock:
            self._connections.add(connection)

    def _make_room(self) -> None:
        """Cut the oldest stranger when there are too many, of the address that has the most.

        Turning away the newest would let whoever opens the most silent connections keep everybody else out.
        """
        strangers = [connection for connection in self._living() if not connection.authenticated]
        if len(strangers) < self._limits.unauthenticated:
            return
        (crowd, _), *_ = Counter(connection.peer for connection in strangers).most_common(1)
        min((one for one in strangers if one.peer == crowd), key=lambda one: one.began).cut()

    def _sweep(self) -> None:
        """Cut those who did not log in in time, and those whose login ended without a configuration, by its expiry."""
        self._swept = monotonic()
        for connection in self._living():
            if not connection.authenticated and self._swept - connection.began > self._limits.login_grace:
                connection.cut()
        self._cut_uninvited()

    def _cut_uninvited(self) -> None:
        for connection in self._living():
            if connection.authenticated and connection.mailbox() is None:
                _log.info("connection from %s cut: its login is no longer valid", connection.peer)
                connection.cut()
