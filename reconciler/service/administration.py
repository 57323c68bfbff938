"""The admin side of one gateway: the API, the pages, health and metrics."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime

from starlette.routing import BaseRoute, Mount

from reconciler.conversion.converter import Converter
from reconciler.desired.secret_reading import read_secret
from reconciler.jobs.directory import Directory
from reconciler.jobs.expiry import lasting
from reconciler.live.at_hand import AtHand
from reconciler.live.status import CertificateEnd
from reconciler.service.trial import RuleTrial
from reconciler.service.workspace import Workspace
from reconciler.web.access import Access
from reconciler.web.admin import LazyAdmin
from reconciler.web.administration import Administration
from reconciler.web.app import application
from reconciler.web.health import Health, database_writable, payloads_writable
from reconciler.web.listener import HttpListener
from reconciler.web.metrics import GatewayCollector, guarded_route, open_route
from reconciler.web.server_certificate import ServerCertificates


class AdminSide:
    """What operators and programs see of a gateway.

    `checks` try out what this process needs besides the store; `connections` counts those of the SFTP server;
    `certificates` are those of the HTTP listener.
    """

    def __init__(
        self,
        workspace: Workspace,
        directory: Directory,
        converter: Converter,
        *,
        checks: Mapping[str, Callable[[], None]],
        connections: Callable[[], int],
        certificates: ServerCertificates | None,
        is_stopping: Callable[[], bool],
    ) -> None:
        store = workspace.store
        self._stack = ExitStack()
        self._directory = directory
        self._certificates = certificates
        self._is_stopping = is_stopping
        self._settings = settings = workspace.project.gateway
        self.health = Health({"database": database_writable(store), "payloads": payloads_writable(store), **checks})
        self._stack.callback(self.health.close)
        ends: AtHand[Sequence[CertificateEnd]] = AtHand(self._mark, lambda: list(self._ends()))
        collector = GatewayCollector(store, self.health, connections=connections, ends=ends)
        access = Access(store)
        oidc = settings.oidc
        source = oidc.client_secret if oidc else None
        admin = LazyAdmin(
            Administration(
                store=store,
                directory=directory,
                operations=workspace,
                keeper=workspace.upkeep,
                health=self.health,
                try_out=RuleTrial(store, directory, converter),
                origins=workspace.origin,
                ends=ends,
                source_url=settings.http.source_url or "",
                url=settings.http.url,
                oidc=oidc,
                oidc_secret=read_secret(source, workspace.project.root, os.environ) if source else None,
                is_stopping=is_stopping,
            )
        )
        own = settings.metrics
        self.routes: list[BaseRoute] = [] if own else [guarded_route(collector, access)]
        self.routes.append(Mount("", admin))
        self.metrics: HttpListener | None = None
        if own is not None:
            app = application([open_route(collector)], self.is_ready)
            self.metrics = HttpListener(app, host=own.listen.host, port=own.listen.port)

    def is_ready(self) -> bool:
        """Say whether inputs can be accepted and worked off, and nothing is being stopped."""
        return not self._is_stopping() and self.health.is_ready()

    def _mark(self) -> tuple[int, datetime | None]:
        """Return what is another one when certificates may end at other times."""
        return self._directory.current().revision, self._certificates.ends if self._certificates else None

    def _ends(self) -> Iterator[CertificateEnd]:
        snapshot = self._directory.current()
        for ending in lasting(snapshot, self._directory.content):
            address = str(snapshot.keys.get(ending.mailbox, ending.mailbox))
            yield CertificateEnd(address, ending.whose, ending.ends)
        if self._certificates is not None:
            yield CertificateEnd("gateway.http", "TLS", self._certificates.ends)

    def close(self) -> None:
        """Let the threads go."""
        self._stack.close()
