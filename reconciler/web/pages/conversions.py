"""The conversion log: what was converted, what failed and why, and running it again."""

import re
from collections.abc import Mapping, Sequence
from typing import get_args
from urllib.parse import quote, urlencode
from uuid import UUID

from starlette.responses import Response
from starlette.routing import BaseRoute

from reconciler.errors import NotFoundError
from reconciler.live.views import LogPart, LogRecord
from reconciler.store.conversions import ConversionStatus
from reconciler.store.search import LogFilter
from reconciler.store.tokens import Role
from reconciler.web.access import Access, require_within, scoped
from reconciler.web.api.log import MOST, Wanted, reprocess_all
from reconciler.web.operations import Operations
from reconciler.web.pages.integrations import parsed
from reconciler.web.pages.reading import Reading
from reconciler.web.pages.visit import Visit, guarded, see_other

PAGE = 50
SHOWN = 200_000
"""Characters of a file that a page shows; all of it can be downloaded."""

_FILTERS = ("account", "mailbox", "rule", "status", "keyword", "no_rule")

_PARTS: Sequence[LogPart] = get_args(LogPart)


class ConversionLog:
    """Handlers of the pages of the conversion log."""

    def __init__(self, reading: Reading, operations: Operations) -> None:
        self._reading = reading
        self._operations = operations

    def listed(self, visit: Visit) -> Response:
        """Show records, those left out that the filters do not want, and how many there were lately."""
        filters = {name: visit.query.get(name, "").strip() for name in _FILTERS}
        offset = int(visit.query["offset"]) if visit.query.get("offset", "").isdecimal() else 0
        account = scoped(visit.identity, filters["account"] or None)
        if filters["mailbox"]:
            require_within(visit.identity, filters["mailbox"])
        status = filters["status"] if filters["status"] in set(ConversionStatus) else None
        found = self._operations.log(
            account=account,
            mailbox=filters["mailbox"] or None,
            rule=filters["rule"] or None,
            status=status,
            keyword=filters["keyword"],
            no_rule=bool(filters["no_rule"]),
            offset=min(offset, 10**9),
            limit=PAGE + 1,
        )
        return visit.page(
            "log.html",
            records=found[:PAGE],
            has_more=len(found) > PAGE,
            offset=offset,
            page_size=PAGE,
            filters=filters,
            statuses=list(ConversionStatus),
            accounts=self._reading.accounts(visit.identity.account),
            chart=self._reading.chart(self._chart_filter(filters, account)),
            said=visit.query.get("said", ""),
            progress=self._progress(visit.query.get("count", "")),
        )

    def _progress(self, asked: str) -> tuple[int, int] | None:
        """Return how many of the records that were asked for have been run again, and how many those are."""
        if not asked.isdecimal() or int(asked) == 0:
            return None
        count = min(int(asked), MOST)
        return max(0, count - self._reading.hurried()), count

    def _chart_filter(self, filters: Mapping[str, str], account: str | None) -> LogFilter:
        mailbox = self._reading.snapshot.uuid(parsed(filters["mailbox"])) if filters["mailbox"] else None
        return LogFilter(
            account=account,
            mailboxes=None if mailbox is None else (mailbox,),
            rule=filters["rule"] or None,
            no_rule=bool(filters["no_rule"]),
        )

    def shown(self, visit: Visit) -> Response:
        """Show one record: its input, what the map saw, and its output."""
        record = self._record(visit)
        return visit.page(
            "record.html",
            record=record,
            input=self._text(record.uuid, "input"),
            source=self._text(record.uuid, "source"),
            output=self._text(record.uuid, "output"),
            said=visit.query.get("said", ""),
        )

    def _text(self, uuid: UUID, part: LogPart) -> str | None:
        try:
            return readable(self._operations.log_payload(uuid, part))
        except NotFoundError:
            return None

    def download(self, visit: Visit) -> Response:
        """Return a part of a record, byte for byte, never to be opened in the page's name."""
        record = self._record(visit)
        part: LogPart = next((known for known in _PARTS if known == visit.params["part"]), "input")
        extension = {"source": ".xml", "messages": ".txt"}.get(part, "")
        return attachment(self._operations.log_payload(record.uuid, part), f"{part}-{record.file_name}{extension}")

    def reprocess(self, visit: Visit) -> Response:
        """Have one record run again."""
        record = self._record(visit)
        self._operations.reprocess(record.uuid)
        return see_other(f"/log/{record.uuid}", "reprocessing")

    def reprocess_filtered(self, visit: Visit) -> Response:
        """Have every FAILED record run again that the filters want."""
        wanted = Wanted(
            account=visit.form.get("account") or None,
            mailbox=visit.form.get("mailbox") or None,
            rule=visit.form.get("rule") or None,
            no_rule=bool(visit.form.get("no_rule")),
            keyword=visit.form.get("keyword", ""),
        )
        done = reprocess_all(self._operations, visit.identity, wanted)
        kept = {name: value for name in _FILTERS if name != "status" and (value := visit.form.get(name, ""))}
        return see_other("/log?" + urlencode({**kept, "count": done.count}), "reprocessing")

    def _record(self, visit: Visit) -> LogRecord:
        record = self._operations.log_record(as_uuid(visit.params["uuid"]))
        require_within(visit.identity, record.mailbox)
        return record


def as_uuid(text: str) -> UUID:
    """Return the UUID that a path names. Raises NotFoundError."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFoundError(f"{text} is no UUID.") from None


def readable(content: bytes) -> str:
    """Return a file as text: as much as a page shows, and a word instead of what is no text."""
    if b"\0" in content[:1000]:
        return f"(binary, {len(content):,} bytes)"
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}\n… {len(text) - SHOWN:,} more characters; download it."


def attachment(content: bytes, name: str) -> Response:
    """Return a file that the browser saves and does not open."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    return Response(
        content,
        media_type="application/octet-stream",
        headers={
            "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}",
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        },
    )


def routes(access: Access, pages: ConversionLog) -> list[BaseRoute]:
    """Return the routes of the conversion log."""
    return [
        guarded(access, "/log", pages.listed),
        guarded(access, "/log/reprocess", pages.reprocess_filtered, role=Role.OPERATOR, methods=("POST",)),
        guarded(access, "/log/{uuid}", pages.shown),
        guarded(access, "/log/{uuid}/reprocess", pages.reprocess, role=Role.OPERATOR, methods=("POST",)),
        guarded(access, "/log/{uuid}/{part:str}", pages.download),
    ]
