"""The gateway: SFTP server, HTTP listener and workers around one store, started and stopped in order."""

import logging
import os
import socket
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import Literal, Protocol

from reconciler.conversion.converter import Converter
from reconciler.desired.gateway import GatewaySettings
from reconciler.errors import ReconcilerError
from reconciler.jobs import expiry
from reconciler.jobs.as2_intake import StoreIntake
from reconciler.jobs.bans import StoreBans
from reconciler.jobs.bell import Bell
from reconciler.jobs.digesting import Digesting
from reconciler.jobs.directory import Directory, Snapshot
from reconciler.jobs.elected import Elected
from reconciler.jobs.envelope_expiry import EnvelopeExpiry
from reconciler.jobs.folders import StoreFolders
from reconciler.jobs.keeping import INTERVAL as KEEPING_INTERVAL
from reconciler.jobs.keeping import Keeping, Memory
from reconciler.jobs.lane import Lane
from reconciler.jobs.mailing import Mailing
from reconciler.jobs.mdn_posting import MdnPosting
from reconciler.jobs.posting import Posting
from reconciler.jobs.queues import Limits, ordered_queue
from reconciler.jobs.receiving import Receiving
from reconciler.jobs.sending import Sending
from reconciler.jobs.tracing import Tracer, untold
from reconciler.jobs.worker import Workers
from reconciler.model.integration import Integration
from reconciler.model.key import sftp_host_key
from reconciler.protocols.as2 import settings as as2
from reconciler.protocols.as2.endpoint import As2Endpoint
from reconciler.protocols.as2.sender import Sender
from reconciler.protocols.protocol import LiveCredential
from reconciler.protocols.sftp import settings as sftp
from reconciler.protocols.sftp.server import SftpServer
from reconciler.service.administration import AdminSide
from reconciler.service.alerting import INTERVAL as ALERTING_INTERVAL
from reconciler.service.alerting import Alerting, channels
from reconciler.service.listening import server_certificates
from reconciler.service.mail import mail_sender
from reconciler.service.telemetry import Telemetry
from reconciler.service.workspace import Workspace
from reconciler.store import configuration
from reconciler.store.election import Election, check_node
from reconciler.web.app import application
from reconciler.web.health import accepting
from reconciler.web.listener import HttpListener

REVISION_INTERVAL = 0.25
"""Seconds between two looks for a newer revision; applying takes effect within two seconds at the most."""

EXPIRY_INTERVAL = timedelta(hours=1)
"""How often certificates are looked at that come to their end."""

CONVERSION_WORKERS = max(2, min(len(os.sched_getaffinity(0)), 8))
"""Processes that convert, when there is enough to convert: one for each processor that this process may use."""

CONVERSION_THREADS = 3 * CONVERSION_WORKERS
"""Jobs that convert or commit at a time: more than the processes that convert, which need not wait for commits then."""

DELIVERY_THREADS = 32
"""Posts at a time, most of which only wait for a partner; each partner has few of them (`concurrency`)."""

LOOK = 0.05
"""Seconds between two looks for what is to be posted or mailed, which is rare beside what is to be converted."""

Role = Literal["all", "sftp", "http", "worker", "watcher"]
"""What a process does of what a gateway does. Only on PostgreSQL is there more than one process."""

_log = logging.getLogger(__name__)


class _Part(Protocol):
    """What is started and stopped."""

    def start(self) -> None: ...

    def stop(self, grace: float) -> None: ...


class Gateway:
    """Everything that runs while the gateway runs, or the part that `role` names.

    `node` is the name under which this process holds leases; a process that is restarted has the same one.
    """

    def __init__(self, workspace: Workspace, *, role: Role = "all", node: str | None = None) -> None:
        self._store = workspace.store
        self._role = role
        self._node = check_node(node or socket.gethostname())
        self._stack = ExitStack()
        self._stopping = Event()
        self._started: list[_Part] = []
        self._settings = settings = workspace.project.gateway
        tracer = self._tracer(settings)
        bell = Bell()
        self._directory = directory = Directory(self._store)
        converter = self._stack.enter_context(Converter(directory.content, workers=CONVERSION_WORKERS))
        self.folders = StoreFolders(
            self._store,
            bell.ring,
            lambda mailbox: ordered_queue("receipt", mailbox, directory.known()),
            temporary=settings.sftp.temporary_names,
            tracer=tracer,
        )
        self.sftp = SftpServer(
            settings=settings.sftp,
            folders=self.folders,
            host_keys=self._host_keys,
            bans=StoreBans(self._store),
        )
        self._as2 = As2Endpoint(
            StoreIntake(self._store, directory, directory.content, bell.ring, tracer),
            directory.content,
            spool=str(self._store.blobs.spool_folder),
        )
        self._certificates = server_certificates(settings.http, workspace.project.root)
        self.admin = AdminSide(
            workspace,
            directory,
            converter,
            checks={
                **({"SFTP": accepting(lambda: self.sftp.address)} if self._has("sftp") else {}),
                **({"workers": self._workers_alive} if self._has("worker") else {}),
            },
            connections=self.sftp.connections,
            certificates=self._certificates,
            is_stopping=self._stopping.is_set,
        )
        self._stack.callback(self.admin.close)
        self.http = HttpListener(
            application([*self._as2.app.routes, *self.admin.routes], self.admin.is_ready),
            host=settings.http.listen.host,
            port=settings.http.listen.port,
            certificates=self._certificates,
        )
        sender = Sender(directory.content, async_mdn_url=f"{settings.http.url}/as2")
        self._stack.callback(sender.close)
        mailer = mail_sender(settings, workspace.project.root)
        self._workers = Workers(
            self._store,
            {
                "receipt": Sending(self._store, directory, converter),
                "arrival": Receiving(self._store, directory, converter),
                "post": Posting(
                    self._store,
                    directory,
                    {as2.NAME: sender.post},
                ),
                "mdn": MdnPosting(self._store, directory, sender.post_mdn),
                "mail": Mailing(self._store, mailer),
                "expiry": EnvelopeExpiry(self._store),
                "digest": Digesting(
                    self._store,
                    directory,
                    interval=settings.notifications.interval,
                    first=settings.notifications.first,
                ),
            },
            [
                # What has begun its way is brought to its end before anything new begins.
                Lane(("expiry", "arrival", "receipt"), CONVERSION_THREADS, ahead=CONVERSION_THREADS),
                Lane(("post", "mdn"), DELIVERY_THREADS, pause=LOOK),
                Lane(("mail", "digest"), 1, pause=LOOK),
            ],
            bell=bell,
            limit_of=Limits(directory),
            tracer=tracer,
            node=f"{self._node}.{role}",
        )
        kept = workspace.project.retention
        archive = workspace.project.root / kept.archive if kept.archive else None
        keeping = Keeping(self._store, memory=Memory(kept.log, kept.payloads, kept.audit, archive))
        engine = self._store.engine
        self._elected = [Elected(engine, "house-keeping", keeping.keep_house, interval=KEEPING_INTERVAL)]
        told = workspace.project.alerts
        if told and self._has("worker"):
            to = channels(told, workspace.project.root)
            alerting = Alerting(self._store, directory, told, to, self._certificates)
            self._elected.append(
                Elected(engine, "alerts", lambda: alerting.look(datetime.now(UTC)), interval=ALERTING_INTERVAL)
            )
        self._follower = Thread(target=self._follow_revisions, name="revisions", daemon=True)
        self._configured: Snapshot | None = None

    def _tracer(self, settings: GatewaySettings) -> Tracer:
        if settings.traces is None:
            return untold
        telemetry = Telemetry(settings.traces.endpoint, node=self._node)
        self._stack.callback(telemetry.close)
        return telemetry

    def _workers_alive(self) -> None:
        self._workers.require_alive()

    def _has(self, part: Role) -> bool:
        return self._role in {"all", part}

    def start(self) -> None:
        """Serve. Raises ReconcilerError when another process has this place, or when a port is taken."""
        self._take_place()
        self._configure()
        metrics = self.admin.metrics
        for name, is_wanted, listener in (
            ("SFTP", self._has("sftp"), self.sftp),
            ("HTTP", self._has("http"), self.http),
            ("metrics", metrics is not None, metrics),
        ):
            try:
                if is_wanted and listener is not None:
                    self._start(listener)
            except OSError as error:
                raise ReconcilerError(
                    f"The {name} listener cannot be started: {error.strerror or error}. Another program may have the "
                    f"port; choose one with gateway.{name.lower()}.listen in reconciler.yaml."
                ) from error
        if self._has("worker"):
            self._start(self._workers)
            for elected in self._elected:
                self._start(elected)
        self._follower.start()

    def _start(self, part: _Part) -> None:
        part.start()
        self._started.append(part)

    def _take_place(self) -> None:
        """Make sure that nobody else is what this process is going to be."""
        if self._store.engine.dialect.name == "sqlite":
            if self._role != "all":
                raise ReconcilerError("A SQLite store has one gateway, with all roles; several need PostgreSQL.")
            # Alone with this store, so whatever is still leased was leased by a gateway that is dead.
            self._stack.enter_context(self._store.locked("gateway", wait=False))
            return
        self._stack.enter_context(self._store.locked(f"node-{self._node}-{self._role}", wait=False))
        if not self._store.payloads_are_shared:
            alone = Election(self._store.engine, "payloads in a folder")
            self._stack.callback(alone.resign)
            if not alone.is_won():
                raise ReconcilerError(
                    "Another gateway keeps large payloads in a folder of its own, where this one cannot read them. "
                    "For several gateways, write payloads: s3://… into reconciler.yaml."
                )

    def stop(self, grace: float) -> None:
        """Accept nothing more, let what runs end for `grace` seconds, then cut it. What is cut is done again later."""
        self._stopping.set()
        threads = [Thread(target=part.stop, args=(grace,)) for part in self._started]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(grace + 2)
        self._stack.close()

    def _host_keys(self) -> list[LiveCredential]:
        """Return the host keys in the order in which they are used and announced."""
        snapshot = self._directory.current()
        kinds = self._settings.sftp.host_keys
        named = (("ed25519", kinds.ed25519), ("rsa", kinds.rsa), ("ecdsa", kinds.ecdsa))
        keys = [
            snapshot.credential(sftp_host_key(kind, generation))
            for kind, generations in named
            for generation in generations
        ]
        return [key for key in keys if key is not None]

    def _configure(self) -> None:
        """Give the endpoints the partners of the newest revision, if that is not the one they have."""
        snapshot = self._directory.current()
        if snapshot is self._configured:
            return
        self.sftp.configure(snapshot.partners(sftp.NAME))
        self._as2.configure(snapshot.partners(as2.NAME), as2_switched_off(snapshot))
        self._configured = snapshot
        _log.info("serving revision %d", snapshot.revision)

    def _follow_revisions(self) -> None:
        look = datetime.now(UTC)
        while not self._stopping.wait(REVISION_INTERVAL):
            try:
                self._configure()
                now = datetime.now(UTC)
                if self._certificates is not None:
                    self._certificates.refresh(now)
                if now >= look:
                    look = now + EXPIRY_INTERVAL
                    expiry.warn(self._store, self._directory.current(), self._directory.content, now)
            except Exception:  # noqa: BLE001 - a revision that cannot be read now is read at the next look
                _log.exception("the newest revision could not be taken up")


def as2_switched_off(snapshot: Snapshot) -> set[tuple[str, str]]:
    """Return the AS2 names, theirs and ours, of the integrations that are off."""
    found = set()
    for key, integration in snapshot.state.of(Integration):
        if integration.protocol == as2.NAME and not integration.enabled and key.owner is not None:
            settings = as2.As2Settings.model_validate(integration.settings).completed(key.owner)
            if settings.recipient is not None:
                found.add((settings.recipient.id, settings.self_id or ""))
    return found


def require_applied(workspace: Workspace) -> None:
    """Raise ReconcilerError when nothing was applied yet: there would be nobody to serve, and no host key."""
    with workspace.store.read() as connection:
        if configuration.current_revision(connection) == 0:
            raise ReconcilerError("Nothing was applied yet, so there is nothing to serve. First: reconciler apply")
