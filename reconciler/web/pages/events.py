"""Server-sent events (HTML standard, section 9.2): a word to open pages that what they show has changed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from time import monotonic

from sqlalchemy import func, select
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from reconciler.model.credential import Secret
from reconciler.store import jobs, tables
from reconciler.store.database import Store
from reconciler.web.access import Access
from reconciler.web.pages.visit import COOKIE

INTERVAL = 1.0
"""Seconds between two looks; all open pages share one."""

HEARTBEAT = 15
"""Looks after which a silent stream says that it is alive, so that no proxy cuts it."""


class Changes:
    """Says up to where the store has been written: a text that is another one after each change."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._looked = 0.0
        self._mark = ""

    def mark(self) -> str:
        """Return the mark of now, or of less than a second ago."""
        if monotonic() - self._looked >= INTERVAL:
            self._looked = monotonic()
            with self._store.read() as connection:
                newest = [
                    connection.execute(select(func.max(column))).scalar()
                    for column in (tables.revision.c.number, tables.conversion.c.created_at, tables.event.c.number)
                ]
                self._mark = ".".join(map(str, [*newest, jobs.hurried(connection)]))
        return self._mark


def routes(access: Access, store: Store, is_stopping: Callable[[], bool]) -> list[BaseRoute]:
    """Return the route of the stream."""
    changes = Changes(store)

    async def stream() -> AsyncIterator[str]:
        seen = await run_in_threadpool(changes.mark)
        yield "retry: 3000\n\n"
        silent = 0
        while not is_stopping():
            await asyncio.sleep(INTERVAL)
            mark = await run_in_threadpool(changes.mark)
            silent = 0 if mark != seen else silent + 1
            if mark != seen:
                seen = mark
                yield "event: changed\ndata: \n\n"
            elif silent % HEARTBEAT == 0:
                yield ": alive\n\n"

    async def events(request: Request) -> Response:
        if await run_in_threadpool(access.by_session, Secret(request.cookies.get(COOKIE, ""))) is None:
            return Response(status_code=401)
        return StreamingResponse(
            stream(), media_type="text/event-stream", headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        )

    return [Route("/events", events)]
