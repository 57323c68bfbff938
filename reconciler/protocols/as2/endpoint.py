"""The AS2 endpoint: an ASGI application for POST `/as2` and `/as2/{mailbox}`."""

import logging
import mmap
from collections.abc import Collection, Sequence
from tempfile import TemporaryFile
from typing import BinaryIO

from anyio import CapacityLimiter, fail_after, to_thread
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from reconciler.model.source_file import ContentReader
from reconciler.protocols.as2.der import Bytes
from reconciler.protocols.as2.ports import Answer, Intake
from reconciler.protocols.as2.reception import Reception
from reconciler.protocols.protocol import Partner

LARGEST_BODY = 100 * 1024 * 1024
"""Bytes that a message may have on the wire, and inflated, by default."""

OPENED_AT_ONCE = 8
"""Messages that are opened and committed at the same time; more wait, having cost only their bodies."""

CHUNK_TIMEOUT = 30.0
"""Seconds that a body may stand still."""

SLOWEST = 1024.0
"""Bytes a second that a body has to reach on average, after the first half minute."""

MOST_AT_ONCE = 2 * 1024 * 1024 * 1024
"""Bytes of all bodies together that are being taken in or opened; whoever comes then is asked to come again."""

_IN_MEMORY = 1024 * 1024
_UNREAD = 256 * 1024
_log = logging.getLogger(__name__)


class As2Endpoint:
    """Receives messages and asynchronous MDNs for the partners it is configured with.

    The HTTP listener belongs to whoever mounts `app`; what blocks runs in threads. A large body goes from the socket
    into an unnamed file of `spool`, a folder, and is read from there in place.
    """

    def __init__(
        self, intake: Intake, content: ContentReader, *, largest_body: int = LARGEST_BODY, spool: str | None = None
    ) -> None:
        self._reception = Reception(intake, content, limit=largest_body)
        self._largest_body = largest_body
        self._spool = spool
        self._limiter: CapacityLimiter | None = None
        self._held = 0
        self.app = Starlette(
            routes=[
                Route("/as2", self._post, methods=["POST"]),
                Route("/as2/{mailbox}", self._post, methods=["POST"]),
            ]
        )

    def configure(self, partners: Sequence[Partner], off: Collection[tuple[str, str]] = ()) -> None:
        """Receive for these partners and no others, at once.

        `off` are the names, theirs and ours, of those whose integration is off: they get 403 and nothing else.
        """
        self._reception.configure(partners, off)

    async def _post(self, request: Request) -> Response:
        mailbox: str | None = request.path_params.get("mailbox")
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
        refusal = self._reception.refuses(mailbox, headers)
        if refusal is not None:
            await self._drain(request)
            return _response(refusal)
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self._largest_body:
            await self._drain(request)
            return Response(status_code=413)
        if self._held >= MOST_AT_ONCE:
            return Response(status_code=503, headers={"Retry-After": "60", "Connection": "close"})
        body = _Body(self._spool)
        try:
            return await self._take(request, mailbox, headers, body)
        finally:
            self._held -= body.size
            body.close()

    async def _take(
        self, request: Request, mailbox: str | None, headers: list[tuple[str, str]], body: "_Body"
    ) -> Response:
        try:
            if not await self._fill(request, body):
                return Response(status_code=413)
        except ClientDisconnect:
            return Response(status_code=400)
        except TimeoutError:
            return Response(status_code=408, headers={"Connection": "close"})
        if self._limiter is None:
            self._limiter = CapacityLimiter(OPENED_AT_ONCE)
        try:
            answer = await to_thread.run_sync(
                self._reception.take, mailbox, headers, body.content(), limiter=self._limiter
            )
        except Exception:  # noqa: BLE001 - it is logged; the sender has to try again
            _log.exception("a post could not be taken")
            return Response(status_code=503)
        return _response(answer)

    async def _fill(self, request: Request, body: "_Body") -> bool:
        """Take in the body; False as soon as it is seen to be too large. Raises TimeoutError when it is too slow."""
        stream = request.stream()
        with fail_after(CHUNK_TIMEOUT + self._largest_body / SLOWEST):
            while True:
                with fail_after(CHUNK_TIMEOUT + body.size / SLOWEST):
                    chunk = await anext(stream, None)
                if chunk is None:
                    return True
                body.add(chunk)
                self._held += len(chunk)
                if body.size > self._largest_body:
                    return False

    async def _drain(self, request: Request) -> None:
        """Read a little of a body that nobody wants, so that its sender comes to read the answer."""
        if request.headers.get("expect", "").lower() == "100-continue":
            return
        unread = _UNREAD
        try:
            with fail_after(1):
                async for chunk in request.stream():
                    unread -= len(chunk)
                    if unread < 0:
                        return
        except (ClientDisconnect, TimeoutError):
            return


class _Body:
    """A body as it comes in: in memory while it is small, then in an unnamed file that is mapped to be read."""

    def __init__(self, spool: str | None) -> None:
        self._spool = spool
        self._memory = bytearray()
        self._file: BinaryIO | None = None
        self.size = 0

    def add(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self._file is None and self.size <= _IN_MEMORY:
            self._memory += chunk
            return
        if self._file is None:
            self._file = TemporaryFile(dir=self._spool)  # noqa: SIM115 - closed by close
            self._file.write(self._memory)
            self._memory.clear()
        self._file.write(chunk)

    def content(self) -> Bytes:
        """Return the whole; what is cut out of it keeps it alive after `close`."""
        if self._file is None:
            return bytes(self._memory)
        self._file.flush()
        return memoryview(mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _response(answer: Answer) -> Response:
    # The server writes the date of the answer, which is that of the MDN.
    headers = {name: value for name, value in answer.headers.items() if name != "Date"}
    return Response(answer.body, status_code=answer.status, headers=headers)
