"""The SFTP server: the listener, and what it knows of all its connections."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_network
from secrets import choice
from socket import AF_INET, AF_INET6, SHUT_RDWR, create_server, socket
from threading import Event, Lock, Semaphore, Thread
from time import monotonic
from uuid import UUID

from reconciler.desired.sftp_gateway import SftpGateway
from reconciler.protocols.protocol import LiveCredential, Partner
from reconciler.protocols.sftp.connection import Connection, House
from reconciler.protocols.sftp.defence import BanLedger, Defence, subject_of_address
from reconciler.protocols.sftp.folders import Folders
from reconciler.protocols.sftp.host_keys import HostKeys, load_host_keys
from reconciler.protocols.sftp.logins import Address, Login, Logins, peer_address
from reconciler.protocols.sftp.throttle import Throttle
from reconciler.protocols.sftp.transport import knows_post_quantum
from reconciler.protocols.sftp.turns import Turnstile

_log = logging.getLogger(__name__)

_SWEEP = 0.5
"""Seconds between two looks at which connections have ended, or must."""

_REFRESH = 2.0
"""Seconds between two looks at which bans an operator lifted, and which logins expired."""

_LAST_WAIT = 2.0
"""Seconds that a cut connection gets to end its threads."""

_BACKLOG = 512
"""Connections that the system keeps until they are accepted."""


class SftpServer:
    """Serves the five folders of each partner's mailbox.

    `host_keys` returns the private keys that are valid now, asked for at the start and at each configuration: the first
    of each type is used, all are announced. Without `bans`, bans end with the process.
    """

    def __init__(
        self,
        *,
        settings: SftpGateway,
        folders: Folders,
        host_keys: Callable[[], Sequence[LiveCredential]],
        bans: BanLedger | None = None,
    ) -> None:
        self._settings = settings
        self._read_host_keys = host_keys
        self._host_keys: Sequence[str] = ()
        self._defence = Defence(settings.defence, bans)
        self._balancers = [ip_network(network) for network in settings.proxy_protocol_from]
        self._throttles: dict[UUID, tuple[Throttle, Throttle]] = {}
        self._logins = Logins()
        self._house = House(
            settings,
            HostKeys(),
            folders,
            self._defence,
            lambda: self._logins,
            self._throttle,
            Turnstile(
                burst=settings.limits.burst_per_address,
                rate=settings.limits.rate_per_address,
                exempt=[ip_network(network) for network in settings.defence.never_ban],
            ),
            Semaphore(settings.limits.key_exchanges),
        )
        self._lock = Lock()
        self._connections: set[Connection] = set()
        self._stopping = Event()
        self._listener: socket | None = None
        self._acceptor = Thread(target=self._accept, name="sftp listener", daemon=True)
        self._swept = self._refreshed = 0.0

    @property
    def address(self) -> tuple[str, int]:
        """The address and the port that are listened on, once started."""
        if self._listener is None:
            return self._settings.listen.host, self._settings.listen.port
        host, port, *_ = self._listener.getsockname()
        return host, port

    def configure(self, partners: Sequence[Partner]) -> None:
        """Serve these partners and no others, at once. Raises ValueError when a partner's settings are none."""
        self._logins = Logins(partners)
        self._throttles = {
            mailbox: pair for mailbox, pair in self._throttles.items() if self._keeps_pace(mailbox, pair)
        }
        if self._listener is not None:
            self._take_up_host_keys()
        self._cut_uninvited()

    def start(self) -> None:
        """Bind and begin to accept. Raises OSError when it cannot be bound, ValueError without keys or algorithms."""
        if self._settings.post_quantum_only and not knows_post_quantum():
            raise ValueError("gateway.sftp.post_quantum_only: the cryptography package here is too old for ML-KEM")
        self._take_up_host_keys()
        if not self._house.host_keys.used:
            raise ValueError("the SFTP server has no host key")
        self._defence.refresh()
        listen = self._settings.listen
        family = AF_INET6 if ":" in listen.host else AF_INET
        self._listener = create_server(
            (listen.host, listen.port), family=family, backlog=_BACKLOG, reuse_port=self._settings.share_port
        )
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

    def connections(self) -> int:
        """Return how many connections there are now."""
        return len(self._living())

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
        peer = peer_address(host)
        is_proxied = any(peer in network for network in self._balancers)
        if not is_proxied and self._defence.keeps_out(peer):
            accepted.close()
            return
        self._make_room(peer)
        try:
            connection = Connection(accepted, peer, self._house, is_proxied=is_proxied)
            connection.start()
        except (OSError, RuntimeError):
            # The peer is gone already, or there is no thread left to be had.
            _log.exception("a connection from %s could not be served", host)
            with suppress(OSError):
                accepted.close()
            return
        with self._lock:
            self._connections.add(connection)

    def _make_room(self, peer: Address) -> None:
        """Drop a stranger, drawn by lot, when there are too many: of the address that connects, or of the busiest.

        Turning away the newest would let whoever opens the most silent connections keep everybody else out.
        """
        limits = self._settings.limits
        strangers = [connection for connection in self._living() if not connection.authenticated]
        subject = subject_of_address(peer)
        of_peer = [connection for connection in strangers if subject_of_address(connection.peer) == subject]
        if len(of_peer) >= limits.unauthenticated_per_address:
            choice(of_peer).cut()
        elif len(strangers) >= limits.unauthenticated:
            (crowd, _), *_ = Counter(subject_of_address(connection.peer) for connection in strangers).most_common(1)
            choice([one for one in strangers if subject_of_address(one.peer) == crowd]).cut()

    def _sweep(self) -> None:
        """Cut those who did not log in in time, and those whose login ended without a configuration, by its expiry."""
        self._swept = monotonic()
        for connection in self._living():
            if not connection.authenticated and self._swept - connection.began > self._settings.limits.login_grace:
                connection.cut()
        if self._swept - self._refreshed >= _REFRESH:
            self._cut_uninvited()
            self._defence.refresh()
            self._refreshed = monotonic()

    def _cut_uninvited(self) -> None:
        for connection in self._living():
            if connection.authenticated and connection.mailbox() is None:
                _log.info("connection from %s cut: its login is no longer valid", connection.peer)
                connection.cut()

    def _take_up_host_keys(self) -> None:
        credentials = self._read_host_keys()
        fingerprints = [credential.fingerprint for credential in credentials]
        # Reading them again is work: of an RSA key it is proved that it is one.
        if fingerprints != self._host_keys:
            self._house = replace(self._house, host_keys=load_host_keys(credentials))
            self._host_keys = fingerprints

    def _throttle(self, login: Login) -> tuple[Throttle, Throttle]:
        """Return a mailbox's throttles, which its sessions share."""
        bandwidth = login.settings.bandwidth
        with self._lock:
            pair = (Throttle(bandwidth.upload), Throttle(bandwidth.download))
            return self._throttles.setdefault(login.mailbox, pair)

    def _keeps_pace(self, mailbox: UUID, pair: tuple[Throttle, Throttle]) -> bool:
        login = self._logins.find(str(mailbox))
        bandwidth = None if login is None else login.settings.bandwidth
        return bandwidth is not None and (bandwidth.upload, bandwidth.download) == (pair[0].rate, pair[1].rate)
