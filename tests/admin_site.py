"""The admin API and the pages of one workspace, served on a loopback port."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Event

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reconciler.conversion.converter import Converter
from reconciler.desired.operation import OidcGateway
from reconciler.jobs.directory import Directory
from reconciler.live.at_hand import AtHand
from reconciler.model.credential import Secret
from reconciler.service.trial import RuleTrial
from reconciler.service.workspace import Workspace
from reconciler.web.admin import LazyAdmin
from reconciler.web.administration import Administration
from reconciler.web.health import Health, database_writable, payloads_writable
from reconciler.web.listener import HttpListener


class Wire:
    """Remembers every byte that crossed, in either direction, with what was asked."""

    def __init__(self) -> None:
        self.crossed = bytearray()
        self.asked: list[str] = []

    def around(self, app: ASGIApp) -> ASGIApp:
        async def listening(scope: Scope, receive: Receive, send: Send) -> None:
            async def hear() -> Message:
                message = await receive()
                self.crossed += message.get("body", b"")
                return message

            async def say(message: Message) -> None:
                self.crossed += message.get("body", b"")
                await send(message)

            if scope["type"] == "http":
                self.asked.append(f"{scope['method']} {scope['path']}")
            await app(scope, hear, say)

        return listening


@contextmanager
def serving(
    workspace: Workspace, wire: Wire | None = None, *, oidc: OidcGateway | None = None, port: int = 0
) -> Iterator[str]:
    """Serve the admin API and the pages of a workspace; yield their URL."""
    store = workspace.store
    stopping = Event()
    directory = Directory(store)
    with ExitStack() as stack:
        health = Health({"database": database_writable(store), "payloads": payloads_writable(store)})
        stack.callback(health.close)
        converter = stack.enter_context(Converter(directory.content))
        parts = Administration(
            store=store,
            directory=directory,
            operations=workspace,
            keeper=workspace.upkeep,
            health=health,
            try_out=RuleTrial(store, directory, converter),
            origins=workspace.origin,
            ends=AtHand(lambda: 0, list),
            source_url="",
            url=f"http://127.0.0.1:{port}",
            oidc=oidc,
            oidc_secret=Secret("the client's secret") if oidc else None,
            is_stopping=stopping.is_set,
        )
        app: ASGIApp = LazyAdmin(parts)
        listener = HttpListener(wire.around(app) if wire else app, host="127.0.0.1", port=port)
        listener.start()
        stack.callback(listener.stop, 2)
        stack.callback(stopping.set)
        yield "http://{}:{}".format(*listener.address)
